#!/usr/bin/env bash
# Debian's Prometheus and Alertmanager for development and tests, without installing them: an
# installed package would start a service of its own.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${USDT_FLOW_CACHE:-$repo/.cache}
home=$cache/prometheus

usage() {
  cat <<USAGE
Prometheus and Alertmanager without containers and without a service that starts by itself.

Usage: deploy/dev/prometheus.sh COMMAND

Commands:
  fetch         make prometheus, promtool, alertmanager and amtool available, once; print their folder
  check         check rules, their tests, and the configurations of deploy/
  run CMD ARGS  run a command with these programs on its PATH

Where the programs are on the PATH already, these are used. Else the packages prometheus and
prometheus-alertmanager of Debian or Ubuntu are downloaded and unpacked, not installed, into
$home.
USAGE
}

say() { printf 'prometheus.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

programs=(prometheus promtool prometheus-alertmanager amtool)

# Whether every program can be found in the folder.
complete() {
  local program
  for program in "${programs[@]}"; do [[ -x $1/$program ]] || return 1; done
}

on_path() {
  local program
  for program in "${programs[@]}"; do command -v "$program" >/dev/null || return 1; done
}

# Debian's Alertmanager reads its templates from there, wherever it lies itself, and does not start
# without them; promtool and amtool do without.
templates() {
  local there=/usr/share/prometheus/alertmanager
  [[ -f $there/default.tmpl ]] ||
    install -D -m 644 -t "$there" "$home/usr/share/prometheus/alertmanager"/*.tmpl 2>/dev/null ||
    say "Alertmanager will not start: copy $home$there to $there as root, or install prometheus-alertmanager"
}

fetch() {
  if on_path; then dirname "$(command -v promtool)"; return; fi
  if complete "$home/usr/bin"; then templates; echo "$home/usr/bin"; return; fi
  command -v apt-get >/dev/null ||
    die "Prometheus is missing, and this is not a Debian system: put ${programs[*]} on the PATH"
  say "fetching the packages prometheus and prometheus-alertmanager into $home (about 30 MB, once)"
  mkdir -p "$cache"
  local new package
  new=$(mktemp -d "$cache/prometheus-fetch.XXXXXX")
  # shellcheck disable=SC2064  # The folder of now is meant.
  trap "rm -rf '$new'" EXIT
  (cd "$new" && apt-get download -qq prometheus prometheus-alertmanager >/dev/null 2>&1) ||
    { apt-get update -qq >&2 && (cd "$new" && apt-get download -qq prometheus prometheus-alertmanager >&2); } ||
    die "the packages cannot be downloaded (apt-get update may need root)"
  for package in "$new"/*.deb; do dpkg-deb -x "$package" "$new"; done
  complete "$new/usr/bin" || die "the packages do not hold ${programs[*]}"
  rm -rf "$home" "$new"/*.deb
  mv -T "$new" "$home"
  templates
  echo "$home/usr/bin"
}

# Each alert of the rules must have a test in which it fires, and one in which it does not.
tested() {
  local alert rc=0
  while read -r alert; do
    grep -q "alertname: $alert, .*exp_alerts: \[\]" tests/*.yml || { say "no test shows when $alert does not fire"; rc=1; }
    grep -qx " *- alertname: $alert" tests/*.yml || { say "no test shows when $alert fires"; rc=1; }
  done < <(sed -n 's/^ *- alert: //p' rules/*.yml)
  return "$rc"
}

# Each link of an alert must lead to a heading of the runbook.
linked() {
  local anchor rc=0
  while read -r anchor; do
    grep -qx "### ${anchor//-/ }" <(tr '[:upper:]' '[:lower:]' <"$repo/docs/operations.md") ||
      { say "docs/operations.md has no heading for #$anchor"; rc=1; }
  done < <(sed -n "s/.*operations\.md#\([a-z-]*\)'.*/\1/p" rules/*.yml)
  return "$rc"
}

check() {
  PATH=$(fetch):$PATH
  cd "$repo/deploy/prometheus"
  promtool check rules rules/*.yml >&2
  promtool test rules tests/*.yml >&2
  tested
  linked
  promtool check config --syntax-only prometheus.yml >&2
  amtool check-config ../alertmanager/alertmanager.yml >&2
  "$repo/deploy/prometheus/faults.py" --check
  "$repo/deploy/grafana/dashboards.py" --check
}

main() {
  [[ $# -ge 1 ]] || { usage >&2; exit 2; }
  local command=$1
  shift
  case $command in
    -h | --help | help) usage ;;
    fetch) fetch ;;
    check) check ;;
    run)
      [[ $# -ge 1 ]] || { say "run needs a command"; exit 2; }
      PATH=$(fetch):$PATH
      exec "$@"
      ;;
    *) say "unknown command $command (see --help)"; exit 2 ;;
  esac
}

main "$@"
