#!/usr/bin/env bash
# A server that speaks S3 for tests, without containers: moto, in a Python environment of its own.
#
# What always holds: an installation that broke off is never taken for a good one, and the server
# ends with the command that it was started for.
set -euo pipefail

MOTO_VERSION=5.2.5
START_SECONDS_MAX=60
PORT_TRIES_MAX=5

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${USDT_FLOW_CACHE:-$repo/.cache}
home=$cache/moto-$MOTO_VERSION

usage() {
  cat <<USAGE
Runs a server that speaks S3 (moto $MOTO_VERSION, in memory, on 127.0.0.1) without containers.

Usage: deploy/dev/s3.sh COMMAND

Commands:
  fetch             install moto with pip into $home, once
  run -- CMD [ARGS] start a server, run CMD with USDT_FLOW_S3_ENDPOINT and credentials for it set,
                    end the server; the exit status is CMD's

Example:
  deploy/dev/s3.sh run -- cargo test -p usdt-flow --test s3

Needs Python 3 with venv (deploy/dev/setup.sh --with-s3 installs it).
USAGE
}

say() { printf 's3.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
bad_usage() { say "$*"; say "see deploy/dev/s3.sh --help"; exit 2; }

fetch() {
  [[ ! -f $home/complete ]] || return 0
  say "installing moto $MOTO_VERSION into $home, once"
  mkdir -p "$cache"
  rm -rf "$home"
  python3 -m venv "$home" >&2 || die "python3 cannot make a virtual environment: deploy/dev/setup.sh --with-s3 installs what is missing"
  "$home/bin/python" -m pip install --quiet --disable-pip-version-check "moto[server]==$MOTO_VERSION" >&2 ||
    die "pip could not install moto, for the reason above"
  touch "$home/complete"
}

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below 32768, where Linux begins to hand out the ports of outgoing connections.
free_port() {
  local port tries=0
  while ((tries++ < 100)); do
    port=$((20000 + RANDOM % 12000))
    listening "$port" || { echo "$port"; return; }
  done
  die "no free port found between 20000 and 32000"
}

# start PORT LOG: sets `server` to the process id; fails if it ends or does not listen in time.
start() {
  local port=$1 log=$2 deadline=$((SECONDS + START_SECONDS_MAX))
  "$home/bin/python" -m moto.server -H 127.0.0.1 -p "$port" >"$log" 2>&1 </dev/null &
  server=$!
  while ((SECONDS < deadline)); do
    kill -0 "$server" 2>/dev/null || return 1
    ! listening "$port" || return 0
    sleep 0.1
  done
  return 1
}

stop() {
  [[ -z ${server:-} ]] || kill "$server" 2>/dev/null || true
  rm -f "$1"
}

# Ends the server after a `run` that was itself killed and could not.
guard() {
  while kill -0 "$1" 2>/dev/null; do sleep 1; done
  kill "$2" 2>/dev/null || true
}

run() {
  local log port='' tries=0 rc=0
  fetch
  log=$(mktemp "${TMPDIR:-/tmp}/usdt-flow-s3.XXXXXX")
  # shellcheck disable=SC2064  # The file of now is meant.
  trap "stop '$log'" EXIT
  # A trap, even an empty one, keeps bash alive through Ctrl-C until the command has ended.
  trap ':' INT TERM HUP
  # Another program may take the port between the look and the start; then try elsewhere.
  while true; do
    port=$(free_port)
    ! start "$port" "$log" || break
    ((++tries < PORT_TRIES_MAX)) || { tail -n 15 "$log" >&2; die "moto did not start (its last lines stand above)"; }
  done
  setsid bash "${BASH_SOURCE[0]}" guard "$$" "$server" >/dev/null 2>&1 </dev/null &
  disown
  export USDT_FLOW_S3_ENDPOINT=http://127.0.0.1:$port
  # moto takes any.
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  unset AWS_SESSION_TOKEN
  "$@" || rc=$?
  exit "$rc"
}

main() {
  [[ $# -ge 1 ]] || { usage >&2; exit 2; }
  local command=$1
  shift
  case $command in
    -h | --help | help) usage ;;
    fetch) fetch; echo "$home" ;;
    guard) guard "$@" ;;
    run)
      [[ ${1:-} != -- ]] || shift
      [[ $# -ge 1 ]] || bad_usage "run needs a command after --"
      run "$@"
      ;;
    *) bad_usage "unknown command $command" ;;
  esac
}

main "$@"
