#!/usr/bin/env bash
# Fuzzes with libFuzzer, guided by coverage. Needs nightly Rust, a C++ compiler
# and cargo-fuzz (`cargo install cargo-fuzz`).
set -euo pipefail

usage() {
  cat <<'USAGE'
Runs fuzz targets of usdt-flow, one after the other, and stops at the first that fails.

Usage: fuzz/run.sh SECONDS [TARGET...]    every target, unless some are named
USAGE
}

[[ ${1:-} =~ ^[0-9]+$ ]] || { usage; exit 2; }
seconds=$1
shift
cd "$(dirname "${BASH_SOURCE[0]}")/libfuzzer"

# The versions that are shipped, rather than the newest.
[[ -f Cargo.lock ]] || cp ../../Cargo.lock .
cargo run --quiet --locked -p flow-fuzz --manifest-path ../Cargo.toml --example corpus -- seeds "$PWD/corpus"

if (($# > 0)); then targets=("$@"); else mapfile -t targets < <(basename -s .rs -a fuzz_targets/*.rs); fi
for target in "${targets[@]}"; do
  # Safe Rust alone is under test, so no sanitizer is needed: twice the runs.
  cargo +nightly fuzz run --fuzz-dir . --sanitizer none "$target" -- \
    -dict=corpus/words.dict -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=1024
done
