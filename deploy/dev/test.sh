#!/usr/bin/env bash
# Runs all tests, those against a real Kafka and against a server that speaks S3 too.
set -euo pipefail

usage() {
  cat <<'USAGE'
Installs what is missing and runs all tests of usdt-flow, those against a real Kafka and against a
server that speaks S3 too.

Usage: deploy/dev/test.sh [ARGS for cargo test]

Environment:
  KAFKA_BOOTSTRAP             use this broker (HOST:PORT) instead of starting a throw-away one
  USDT_FLOW_REQUIRE_KAFKA=1   fail, rather than skip the Kafka tests, where no broker can be had
  USDT_FLOW_S3_ENDPOINT       use this server that speaks S3 (URL) instead of starting one; its
                              credentials are AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
  USDT_FLOW_REQUIRE_S3=1      fail, rather than skip the S3 tests, where no server can be had
  USDT_FLOW_REQUIRE_PROMETHEUS=1
                              the same for the tests with Prometheus and Alertmanager, which
                              deploy/dev/prometheus.sh fetches
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../.."

say() { printf 'test.sh: %s\n' "$*" >&2; }

[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }

"$here/setup.sh"
tests=(cargo test --workspace --locked "$@")

s3_can_be_had() { "$here/setup.sh" --with-s3 && "$here/s3.sh" fetch >/dev/null; }

if [[ -n ${USDT_FLOW_S3_ENDPOINT:-} ]]; then
  say "the S3 tests use the server at $USDT_FLOW_S3_ENDPOINT"
elif s3_can_be_had; then
  tests=("$here/s3.sh" run -- "${tests[@]}")
elif [[ ${USDT_FLOW_REQUIRE_S3:-0} == 1 ]]; then
  say "no server that speaks S3 can be had, for the reason above, and USDT_FLOW_REQUIRE_S3=1 forbids to skip its tests"
  exit 1
else
  say "THE S3 TESTS ARE SKIPPED: no server can be had, for the reason above"
  unset USDT_FLOW_S3_ENDPOINT
fi

if [[ -n ${KAFKA_BOOTSTRAP:-} ]]; then
  say "the Kafka tests use the broker at $KAFKA_BOOTSTRAP"
  exec "${tests[@]}"
fi

broker_can_be_had() {
  if [[ ${USDT_FLOW_KAFKA_DOCKER:-0} == 1 ]]; then
    docker info >/dev/null 2>&1 || { say "USDT_FLOW_KAFKA_DOCKER=1 is set, but docker's engine does not answer"; return 1; }
  else
    "$here/setup.sh" --with-kafka && "$here/kafka.sh" fetch >/dev/null
  fi
}

if broker_can_be_had; then
  # Compiled first: a broker that waits for a compiler only takes its memory.
  cargo test --workspace --locked --no-run "$@"
  exec "$here/kafka.sh" run -- "${tests[@]}"
fi

if [[ ${USDT_FLOW_REQUIRE_KAFKA:-0} == 1 ]]; then
  say "no Kafka broker can be had, for the reason above, and USDT_FLOW_REQUIRE_KAFKA=1 forbids to skip its tests"
  exit 1
fi
say "THE KAFKA TESTS ARE SKIPPED: no broker can be had, for the reason above"
unset KAFKA_BOOTSTRAP
exec "${tests[@]}"
