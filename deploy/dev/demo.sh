#!/usr/bin/env bash
# Installs what is missing, builds usdt-flow and runs `usdt-flow demo` with the arguments given here.
#   USDT_FLOW_PROFILE=dev   builds as the tests do, instead of optimised: quicker where those were built already
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

"$here/setup.sh"

profile=${USDT_FLOW_PROFILE:-release}
built=${CARGO_TARGET_DIR:-target}/${profile/#dev/debug}/usdt-flow
if [[ ! -x $built ]]; then
  echo "demo.sh: building usdt-flow; the first build takes some minutes" >&2
fi
# Built apart from the run, so that a build shows its progress and the demo prints only its own lines.
cargo build --workspace --profile "$profile" --locked --bin usdt-flow
exec "$built" demo "$@"
