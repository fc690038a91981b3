#!/usr/bin/env bash
# Installs what a build of usdt-flow needs and this machine lacks. Does nothing where all is there.
# zlib, zstd and librdkafka are not on the list: their sources come with the crates and are compiled.
# OpenSSL is: compiling it would take longer than all else together, and its security updates would
# be ours to bring.
set -euo pipefail

usage() {
  cat <<'USAGE'
Installs what usdt-flow needs to build and this machine lacks (Debian and Ubuntu, by apt-get).
On other systems it says what to install. Where nothing is missing it does nothing.

Usage: deploy/dev/setup.sh [--with-kafka] [--with-s3]

  --with-kafka   also Java and Maven, from which deploy/dev/kafka.sh makes a real Kafka broker
  --with-s3      also Python's venv, in which deploy/dev/s3.sh installs a server that speaks S3
USAGE
}

say() { printf 'setup.sh: %s\n' "$*" >&2; }

packages=()

# want PACKAGE REASON TEST...: notes the package unless the test succeeds.
want() {
  local package=$1 reason=$2
  shift 2
  "$@" >/dev/null 2>&1 && return
  say "missing: $package, $reason"
  packages+=("$package")
}

has() { command -v "$1"; }

has_libc_headers() { echo '#include <stdlib.h>' | cc -E -x c -; }

has_openssl_headers() { pkg-config --exists 'openssl >= 3'; }

has_java_17() {
  local java=java major
  [[ -z ${JAVA_HOME:-} ]] || java=$JAVA_HOME/bin/java
  major=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9][0-9]*\).*/\1/p' | head -n 1)
  [[ ${major:-0} -ge 17 ]]
}

has_venv() { python3 -c 'import ensurepip, venv'; }

as_root() {
  if [[ $(id -u) -eq 0 ]]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    say "not root and no sudo: run as root: $*"
    return 1
  fi
}

install_missing() {
  if ! command -v apt-get >/dev/null; then
    say "this is not a Debian system: install what corresponds to: ${packages[*]}"
    say "(a C and a C++ compiler, make, pkg-config and OpenSSL 3 with its headers; for Kafka, Java 17 or newer and Maven; for S3, Python 3 with venv)"
    return 1
  fi
  say "installing with apt-get: ${packages[*]}"
  as_root apt-get update -qq >&2
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >&2
}

main() {
  local with_kafka=0 with_s3=0
  while [[ $# -gt 0 ]]; do
    case $1 in
      --with-kafka) with_kafka=1 ;;
      --with-s3) with_s3=1 ;;
      -h | --help) usage; exit 0 ;;
      *) say "unknown option $1 (see --help)"; exit 2 ;;
    esac
    shift
  done
  if ! command -v cargo >/dev/null; then
    say "cargo is missing: install Rust from https://rustup.rs; the toolchain in rust-toolchain.toml is then fetched by itself"
    exit 1
  fi
  want gcc "which links Rust programs and compiles librdkafka and zstd" has cc
  want libc6-dev "without whose headers nothing in C compiles" has_libc_headers
  want g++ "which librdkafka's build asks for" has c++
  want make "which builds librdkafka" has make
  want pkg-config "which finds OpenSSL" has pkg-config
  want libssl-dev "with which librdkafka speaks TLS" has_openssl_headers
  if ((with_kafka)); then
    want default-jre-headless "which runs Kafka (17 or newer)" has_java_17
    want maven "which fetches Kafka" has mvn
    want openssl "which makes certificates for tests" has openssl
  fi
  if ((with_s3)); then
    want python3-venv "in which moto, a server that speaks S3, is installed" has_venv
  fi
  ((${#packages[@]} == 0)) || install_missing
}

main "$@"
