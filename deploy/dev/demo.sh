#!/usr/bin/env bash
# Installs what is missing, builds usdt-flow and runs `usdt-flow demo` with the arguments given here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

"$here/setup.sh"

quiet=(-q)
if [[ ! -x ${CARGO_TARGET_DIR:-target}/release/usdt-flow ]]; then
  echo "demo.sh: building usdt-flow; the first build takes some minutes" >&2
  quiet=()
fi
# Built apart from the run, so that a first build shows its progress and a demo only its own lines.
cargo build --release --locked "${quiet[@]}" --bin usdt-flow
exec cargo run --release --locked -q --bin usdt-flow -- demo "$@"
