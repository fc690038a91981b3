#!/usr/bin/env bash
# A real Apache Kafka for development and tests, without containers: one KRaft node on loopback.
#
# What always holds: a fetch that broke off is never taken for a good one, a broker is ended only by
# its own process id, and `start` prints nothing but the address on standard output.
set -euo pipefail

KAFKA_VERSION=4.3.1
SCALA_VERSION=2.13
SLF4J_VERSION=1.7.36
# Pinned, because the plugin that Maven would pick by itself differs between Maven versions.
DEPENDENCY_PLUGIN=org.apache.maven.plugins:maven-dependency-plugin:3.8.1

JAVA_MIN=17
START_SECONDS_MAX=60
STOP_SECONDS_MAX=20
PORT_TRIES_MAX=5

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cache=${USDT_FLOW_CACHE:-$repo/.cache}
home=$cache/kafka-$KAFKA_VERSION
# The folder of --secure; empty without it.
secure=''
read -ra heap_options <<<"${KAFKA_HEAP_OPTS:--Xmx1g}"

usage() {
  cat <<USAGE
Runs a real Apache Kafka $KAFKA_VERSION (one KRaft node on 127.0.0.1) without containers.

Usage: deploy/dev/kafka.sh COMMAND [OPTIONS]

Commands:
  fetch                           download Kafka's jars with Maven, once
  start [--port N] [--dir DIR] [--secure FOLDER]
                                  start a broker, wait until it answers, print its address
  stop [--dir DIR]                end the broker; its topics stay in DIR for the next start
  status [--dir DIR]              print the address of a running broker; exit 1 if none runs
  logs [--dir DIR]                print the broker's log
  run [--port N] -- CMD [ARGS]    start a throw-away broker, run CMD with KAFKA_BOOTSTRAP set,
                                  end the broker; the exit status is CMD's
  tool NAME [ARGS]                run one of Kafka's own tools: topics, console-producer,
                                  console-consumer, consumer-groups, get-offsets, configs, acls

Options:
  --dir DIR    where the broker keeps its topics, log and process id
               (default: $cache/kafka-broker)
  --port N     the port to listen on (default: the one used before in DIR, else a free one)
  --secure F   also listen with TLS, names and passwords, and allow these names what ACLs grant
               alone; whoever comes by the usual address may do anything. The folder F holds
               users (lines of NAME PASSWORD) and for each listener NAME.pem, its key and
               certificates; its address is then in DIR/address.NAME

Environment:
  USDT_FLOW_CACHE            where fetched files are kept (default: .cache in the repository)
  KAFKA_HEAP_OPTS            Java's options for the broker's heap (default: -Xmx1g)
  USDT_FLOW_KAFKA_DOCKER=1   use the image apache/kafka:$KAFKA_VERSION instead of Java and Maven

Examples:
  export KAFKA_BOOTSTRAP=\$(deploy/dev/kafka.sh start)
  deploy/dev/kafka.sh tool topics --bootstrap-server "\$KAFKA_BOOTSTRAP" --list
  deploy/dev/kafka.sh run -- cargo test -p usdt-flow

Needs Java $JAVA_MIN or newer and Maven (deploy/dev/setup.sh --with-kafka installs them).
USAGE
}

say() { printf 'kafka.sh: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }
bad_usage() { say "$*"; say "see deploy/dev/kafka.sh --help"; exit 2; }

docker_wanted() { [[ ${USDT_FLOW_KAFKA_DOCKER:-0} == 1 ]]; }

# --- Java, Maven and the jars ---------------------------------------------------------------------

java_bin() {
  if [[ -n ${JAVA_HOME:-} && -x $JAVA_HOME/bin/java ]]; then
    echo "$JAVA_HOME/bin/java"
  else
    command -v java || true
  fi
}

need_java() {
  local java major
  java=$(java_bin)
  [[ -n $java ]] || die "java is missing: install Java $JAVA_MIN or newer (Debian: apt-get install default-jre-headless, or deploy/dev/setup.sh --with-kafka)"
  major=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9][0-9]*\).*/\1/p' | head -n 1)
  [[ ${major:-0} -ge $JAVA_MIN ]] || die "$java is Java ${major:-of an unknown version}, but Kafka $KAFKA_VERSION needs $JAVA_MIN or newer"
  echo "$java"
}

need_maven() {
  command -v mvn >/dev/null || die "mvn is missing: install Maven (Debian: apt-get install maven, or deploy/dev/setup.sh --with-kafka)"
}

write_pom() {
  cat >"$1" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>usdt-flow</groupId>
  <artifactId>dev-kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_$SCALA_VERSION</artifactId>
      <version>$KAFKA_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka-tools</artifactId>
      <version>$KAFKA_VERSION</version>
      <exclusions>
        <!-- Kafka Connect and its web server, which a broker and its tools do without. -->
        <exclusion><groupId>org.apache.kafka</groupId><artifactId>connect-runtime</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>$SLF4J_VERSION</version>
    </dependency>
  </dependencies>
</project>
POM
}

fetched() { [[ -f $home/complete ]]; }

fetch() {
  fetched && return 0
  need_java >/dev/null
  need_maven
  mkdir -p "$cache"
  local new
  new=$(mktemp -d "$cache/kafka-fetch.XXXXXX")
  say "fetching Apache Kafka $KAFKA_VERSION into $home (about 50 MB, once)"
  write_pom "$new/pom.xml"
  if ! mvn -q -B -U -Dstyle.color=never -f "$new/pom.xml" "$DEPENDENCY_PLUGIN:copy-dependencies" \
    -DincludeScope=runtime -DoutputDirectory="$new/libs" >"$new/maven.log" 2>&1; then
    tail -n 15 "$new/maven.log" >&2
    rm -rf "$new"
    die "Maven could not fetch Kafka $KAFKA_VERSION (its last lines stand above)"
  fi
  local jar
  for jar in "kafka_$SCALA_VERSION-$KAFKA_VERSION" "kafka-tools-$KAFKA_VERSION" "slf4j-simple-$SLF4J_VERSION"; do
    [[ -s $new/libs/$jar.jar ]] || { rm -rf "$new"; die "Maven said that all went well, but $jar.jar is not there"; }
  done
  touch "$new/complete"
  # A rename is all or nothing; where another fetch was faster, its files serve as well.
  mv -T "$new" "$home" 2>/dev/null || { rm -rf "$new"; fetched || die "$home is in the way and not a complete fetch: remove it"; }
}

tool() {
  [[ $# -ge 1 ]] || bad_usage "tool needs the name of one of Kafka's tools"
  local class name=$1
  shift
  case $name in
    topics) class=org.apache.kafka.tools.TopicCommand ;;
    console-producer) class=org.apache.kafka.tools.ConsoleProducer ;;
    console-consumer) class=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    consumer-groups) class=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    get-offsets) class=org.apache.kafka.tools.GetOffsetShell ;;
    configs) class=kafka.admin.ConfigCommand ;;
    acls) class=org.apache.kafka.tools.AclCommand ;;
    *) bad_usage "unknown tool $name" ;;
  esac
  local java
  java=$(need_java)
  fetch
  # Short-lived, so it starts with the quick compiler alone.
  exec "$java" -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn \
    -cp "$home/libs/*" "$class" "$@"
}

# --- ports and processes --------------------------------------------------------------------------

listening() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Below 32768, where Linux begins to hand out the ports of outgoing connections.
free_port() {
  local port tries=0
  while ((tries++ < 100)); do
    port=$((20000 + RANDOM % 12000))
    if [[ $port != "${1:-}" ]] && ! listening "$port"; then
      echo "$port"
      return
    fi
  done
  die "no free port found between 20000 and 32000"
}

# Asks the broker for the API versions it speaks, the first question of every client.
answers() {
  # shellcheck disable=SC2016  # The inner bash expands them.
  timeout 5 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf "\0\0\0\12\0\22\0\0\0\0\0\1\377\377" >&3
    [[ $(head -c 8 <&3 | tail -c 4 | od -An -tx1 | tr -d " ") == 00000001 ]]' _ "$1" 2>/dev/null
}

# The process id of the broker of this folder, if it runs. A process that merely inherited the
# number of a dead one does not name the folder on its command line.
running_pid() {
  local dir=$1 pid args
  pid=$(cat "$dir/kafka.pid" 2>/dev/null) || return 1
  [[ -n $pid ]] && kill -0 "$pid" 2>/dev/null || return 1
  if [[ -r /proc/$pid/cmdline ]]; then
    args=$(tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null) || return 1
  else
    args=$(ps -ww -o args= -p "$pid" | tr ' ' '\n')
  fi
  grep -qxF -- "-Dusdt-flow.kafka.dir=$dir" <<<"$args" && echo "$pid"
}

container() { echo "usdt-flow-kafka-$(printf '%s' "$1" | cksum | cut -d ' ' -f 1)"; }

alive() {
  if docker_wanted; then
    [[ $(docker inspect -f '{{.State.Running}}' "$(container "$1")" 2>/dev/null) == true ]]
  else
    running_pid "$1" >/dev/null
  fi
}

# Whether the process that was launched is there, though it may not have become Java yet: on a busy
# machine that takes a while.
starting() { [[ -f $1/kafka.pid ]] && kill -0 "$(<"$1/kafka.pid")" 2>/dev/null; }

# --- one broker -----------------------------------------------------------------------------------

# $1 folder, $2 port, $3 controller's port, $4 host to bind, $5 where the topics lie.
write_properties() {
  cat >"$1/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$3
listeners=BROKER://$4:$2,CONTROLLER://127.0.0.1:$3
advertised.listeners=BROKER://127.0.0.1:$2
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$5
log.retention.ms=-1
auto.create.topics.enable=false
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
PROPERTIES
}

# Further listeners, with TLS, SCRAM and ACLs, for the certificates in $2. $1 is the broker's folder.
write_secure_properties() {
  local dir=$1 folder=$2 pem name port listeners=() names=() map=()
  for pem in "$folder"/*.pem; do
    name=$(basename "$pem" .pem)
    port=$(free_port)
    echo "127.0.0.1:$port" >"$dir/address.$name"
    listeners+=("${name^^}://127.0.0.1:$port")
    map+=("${name^^}:SASL_SSL")
    names+=("$name")
  done
  sed -i -e "s#^listeners=.*#&$(printf ',%s' "${listeners[@]}")#" \
    -e "s#^advertised.listeners=.*#&$(printf ',%s' "${listeners[@]}")#" \
    -e "s#^listener.security.protocol.map=.*#&$(printf ',%s' "${map[@]}")#" "$dir/server.properties"
  cat >>"$dir/server.properties" <<PROPERTIES
sasl.enabled.mechanisms=SCRAM-SHA-512
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
PROPERTIES
  for name in "${names[@]}"; do
    cat >>"$dir/server.properties" <<PROPERTIES
listener.name.$name.ssl.keystore.type=PEM
listener.name.$name.ssl.keystore.location=$folder/$name.pem
listener.name.$name.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
PROPERTIES
  done
}

# The users of a secure folder as options of the tool that formats.
scram_users() {
  local name password
  while read -r name password; do
    [[ -z $name ]] || printf '%s\n' --add-scram "SCRAM-SHA-512=[name=$name,password=$password]"
  done <"$1/users"
}

cluster_id() {
  local id=-
  # Kafka refuses an id that begins like an option.
  while [[ $id == -* ]]; do id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '='); done
  echo "$id"
}

format_once() {
  local java=$1 dir=$2
  local users=()
  [[ -f $dir/data/meta.properties ]] && return 0
  [[ -z $secure ]] || mapfile -t users < <(scram_users "$secure")
  "$java" -XX:TieredStopAtLevel=1 -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$home/libs/*" \
    kafka.tools.StorageTool format -t "$(cluster_id)" -c "$dir/server.properties" "${users[@]}" >"$dir/format.log" 2>&1 ||
    { tail -n 15 "$dir/format.log" >&2; die "Kafka could not format $dir/data (its last lines stand above)"; }
}

launch() {
  local dir=$1 port=$2 java=''
  [[ ! -f $dir/kafka.log ]] || mv "$dir/kafka.log" "$dir/kafka.log.1"
  if docker_wanted; then
    write_properties "$dir" "$port" "$(free_port "$port")" 0.0.0.0 /var/lib/kafka/data
    docker rm -f "$(container "$dir")" >/dev/null 2>&1 || true
    docker run -d --name "$(container "$dir")" -p "127.0.0.1:$port:$port" \
      -v "$dir/server.properties:/mnt/shared/config/server.properties:ro" \
      -v "$(container "$dir"):/var/lib/kafka/data" "apache/kafka:$KAFKA_VERSION" >/dev/null
    return
  fi
  java=$(need_java)
  write_properties "$dir" "$port" "$(free_port "$port")" 127.0.0.1 "$dir/data"
  [[ -z $secure ]] || write_secure_properties "$dir" "$secure"
  format_once "$java" "$dir"
  # A session of its own: Ctrl-C on the terminal ends what uses the broker first. The lock (9) and
  # this script's outputs stay closed to it, or whoever waits for them would wait for the broker.
  setsid "$java" "${heap_options[@]}" "-Dusdt-flow.kafka.dir=$dir" \
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true \
    -Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd\'T\'HH:mm:ss.SSS \
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info \
    -cp "$home/libs/*" kafka.Kafka "$dir/server.properties" \
    >"$dir/kafka.log" 2>&1 </dev/null 9>&- &
  echo $! >"$dir/kafka.pid"
}

broker_log() {
  if docker_wanted; then docker logs "$(container "$1")" 2>&1; else cat "$1/kafka.log"; fi
}

# 0: ready; 1: the process ended; 2: no answer in time.
await_ready() {
  local dir=$1 port=$2 deadline=$((SECONDS + START_SECONDS_MAX))
  while ((SECONDS < deadline)); do
    alive "$dir" || starting "$dir" || return 1
    if broker_log "$dir" 2>/dev/null | grep -q 'Kafka Server started' && answers "$port"; then return 0; fi
    sleep 0.1
  done
  return 2
}

port_was_taken() { broker_log "$1" 2>/dev/null | grep -q 'Address already in use'; }

start_locked() {
  local dir=$1 wanted=$2 port tries=0 rc
  local before
  before=$(sed -n 's/^127\.0\.0\.1://p' "$dir/address" 2>/dev/null || true)
  if alive "$dir"; then
    [[ -z $wanted || $wanted == "$before" ]] || die "a broker already runs in $dir on port $before, not $wanted: stop it first"
    say "already running in $dir"
    cat "$dir/address"
    return
  fi
  port=${wanted:-$before}
  while ((tries++ < PORT_TRIES_MAX)); do
    if [[ -n $port ]] && listening "$port"; then
      [[ -z $wanted ]] || die "port $port is taken by another program: choose another with --port"
      port=''
    fi
    port=${port:-$(free_port)}
    launch "$dir" "$port"
    rc=0
    await_ready "$dir" "$port" || rc=$?
    if ((rc == 0)); then
      echo "127.0.0.1:$port" >"$dir/address"
      say "Kafka $KAFKA_VERSION runs in $dir"
      cat "$dir/address"
      return
    fi
    # Another program may take the port between the look and the start; then try elsewhere.
    if ((rc != 1)) || [[ -n $wanted ]] || ! port_was_taken "$dir"; then break; fi
    port=''
  done
  broker_log "$dir" | tail -n 20 >&2 || true
  stop_broker "$dir"
  ((rc == 1)) && die "Kafka ended while starting (its last lines stand above, all of them in $dir/kafka.log)"
  die "Kafka did not answer within $START_SECONDS_MAX s (its last lines stand above, all of them in $dir/kafka.log)"
}

start() {
  local dir=$1 port=$2
  if docker_wanted; then
    [[ -z $secure ]] || die "--secure is for a broker without containers: unset USDT_FLOW_KAFKA_DOCKER"
    docker info >/dev/null 2>&1 || die "USDT_FLOW_KAFKA_DOCKER=1 is set, but docker's engine does not answer (docker info fails): start it, or unset the variable to use Java"
  else
    need_java >/dev/null
    fetch
  fi
  # Two starts in one folder at the same time would format it twice.
  exec 9>"$dir/lock"
  flock -w "$START_SECONDS_MAX" 9 || die "another start or stop has been busy in $dir for $START_SECONDS_MAX s"
  start_locked "$dir" "$port"
  exec 9>&-
}

stop_broker() {
  local dir=$1 pid deadline
  if docker_wanted; then
    docker stop -t "$STOP_SECONDS_MAX" "$(container "$dir")" >/dev/null 2>&1 || true
    return 0
  fi
  pid=$(running_pid "$dir") || { rm -f "$dir/kafka.pid"; return 0; }
  kill -TERM "$pid" 2>/dev/null || true
  deadline=$((SECONDS + STOP_SECONDS_MAX))
  while running_pid "$dir" >/dev/null; do
    if ((SECONDS >= deadline)); then
      say "process $pid did not end within $STOP_SECONDS_MAX s of being asked: killing it"
      kill -KILL "$pid" 2>/dev/null || true
      deadline=$((SECONDS + STOP_SECONDS_MAX))
    fi
    sleep 0.1
  done
  rm -f "$dir/kafka.pid"
}

discard() {
  stop_broker "$1"
  if docker_wanted; then
    docker rm -f -v "$(container "$1")" >/dev/null 2>&1 || true
    docker volume rm "$(container "$1")" >/dev/null 2>&1 || true
  fi
  rm -rf "$1"
}

# Clears up after a `run` that was itself killed and could not.
guard() {
  while kill -0 "$1" 2>/dev/null; do sleep 1; done
  [[ ! -d $2 ]] || discard "$2"
}

run() {
  local port=$1
  shift
  local dir
  dir=$(cd "$(mktemp -d "${TMPDIR:-/tmp}/usdt-flow-kafka.XXXXXX")" && pwd -P)
  # shellcheck disable=SC2064  # The folder of now is meant.
  trap "discard '$dir'" EXIT
  # A trap, even an empty one, keeps bash alive through Ctrl-C until the command has ended.
  trap ':' INT TERM HUP
  setsid bash "${BASH_SOURCE[0]}" guard "$$" "$dir" >/dev/null 2>&1 </dev/null &
  disown
  KAFKA_BOOTSTRAP=$(start "$dir" "$port")
  export KAFKA_BOOTSTRAP
  local rc=0
  "$@" || rc=$?
  exit "$rc"
}

status() {
  if alive "$1"; then cat "$1/address"; else say "no broker runs in $1"; return 1; fi
}

main() {
  [[ $# -ge 1 ]] || { usage >&2; exit 2; }
  local command=$1 dir=$cache/kafka-broker port=''
  shift
  case $command in
    -h | --help | help) usage; exit 0 ;;
    tool) tool "$@" ;;
    guard) guard "$@"; exit 0 ;;
    fetch | start | stop | status | logs | run) ;;
    *) bad_usage "unknown command $command" ;;
  esac
  while [[ $# -gt 0 ]]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --dir | --port | --secure)
        [[ $# -ge 2 && -n $2 ]] || bad_usage "$1 needs a value"
        case $1 in --dir) dir=$2 ;; --port) port=$2 ;; *) secure=$2 ;; esac
        shift 2
        ;;
      --) shift; break ;;
      *) bad_usage "unknown option $1 for $command" ;;
    esac
  done
  [[ -z $secure || -f $secure/users ]] || bad_usage "--secure $secure is no folder with a file users"
  [[ -z $secure ]] || secure=$(cd "$secure" && pwd -P)
  [[ -z $port || ($port =~ ^[0-9]{1,5}$ && $port -ge 1 && $port -le 65535) ]] || bad_usage "--port $port is not a port"
  if [[ $command == run ]]; then
    [[ $# -ge 1 ]] || bad_usage "run needs a command after --"
    run "$port" "$@"
  fi
  [[ $# -eq 0 ]] || bad_usage "$command takes no command: $*"
  if [[ $command == fetch ]]; then fetch; echo "$home"; return; fi
  [[ $command != start ]] || mkdir -p "$dir"
  # A whole path, because the broker's command line names it and its log is opened from elsewhere.
  [[ -d $dir ]] || { say "no broker was ever started in $dir"; [[ $command == stop ]]; exit; }
  dir=$(cd "$dir" && pwd -P)
  case $command in
    start) start "$dir" "$port" ;;
    stop) stop_broker "$dir" ;;
    status) status "$dir" ;;
    logs) broker_log "$dir" ;;
  esac
}

main "$@"
