#!/usr/bin/env bash
# Installs what is missing, builds usdt-flow and runs `usdt-flow demo` with the arguments given here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

"$here/setup.sh"

if [[ ! -x ${CARGO_TARGET_DIR:-target}/release/usdt-flow ]]; then
  echo "demo.sh: building usdt-flow; the first build takes some minutes" >&2
fi
# Built apart from the run, so that a build shows its progress and the demo prints only its own lines.
cargo build --release --locked --bin usdt-flow
exec cargo run --release --locked -q --bin usdt-flow -- demo "$@"
