# shellcheck shell=bash
# How Apache Kafka is fetched, configured, started and asked whether it is ready. To be sourced after common.sh.

KAFKA_FILES="$(cd "$(dirname "${BASH_SOURCE[0]}")/../kafka" && pwd)"
KAFKA_CACHE="${HBAGENT_KAFKA_CACHE:-$(cd "$KAFKA_FILES/../.." && pwd)/.cache/kafka}"

# Prints the path of a Java of version 17 or newer.
find_java() {
  local java version
  for java in "${JAVA_HOME:+$JAVA_HOME/bin/java}" "$(type -P java)" /usr/lib/jvm/*/bin/java; do
    [[ -x $java ]] || continue
    version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' | head -n 1)
    if ((${version:-0} >= 17)); then
      printf '%s\n' "$java"
      return
    fi
  done
  return 1
}

# True when the cached class path was made from today's pom.xml and every library on it is still there.
kafka_classpath_is_cached() {
  [[ -s $KAFKA_CACHE/classpath ]] || return 1
  cmp -s "$KAFKA_FILES/pom.xml" "$KAFKA_CACHE/pom.xml" || return 1
  local jar jars
  IFS=: read -ra jars <"$KAFKA_CACHE/classpath"
  for jar in "${jars[@]}"; do [[ -f $jar ]] || return 1; done
}

# Resolves the broker's libraries with Maven (about 45 MB, the first time only).
kafka_fetch() {
  kafka_classpath_is_cached && return
  mkdir -p "$KAFKA_CACHE"
  (
    flock 9
    kafka_classpath_is_cached && exit
    command -v mvn >/dev/null || fail "Maven is missing: run deploy/install-deps.sh stack"
    say "Fetching Apache Kafka's libraries with Maven (about 45 MB, once) ..."
    rm -f "$KAFKA_CACHE/classpath"
    mvn --batch-mode --quiet --file "$KAFKA_FILES/pom.xml" dependency:build-classpath \
      -DincludeScope=runtime -Dmdep.outputFile="$KAFKA_CACHE/classpath.new" >"$KAFKA_CACHE/maven.log" 2>&1 || {
      tail -n 20 "$KAFKA_CACHE/maven.log" >&2
      fail "Maven could not fetch Kafka's libraries (whole log: $KAFKA_CACHE/maven.log)"
    }
    cp "$KAFKA_FILES/pom.xml" "$KAFKA_CACHE/pom.xml"
    mv "$KAFKA_CACHE/classpath.new" "$KAFKA_CACHE/classpath"
  ) 9>"$KAFKA_CACHE/lock"
}

kafka_configure() {
  local folder=$1 port=$2 controller_port=$3
  {
    cat "$KAFKA_FILES/server.properties"
    printf 'listeners=PLAINTEXT://127.0.0.1:%s,CONTROLLER://127.0.0.1:%s\n' "$port" "$controller_port"
    printf 'advertised.listeners=PLAINTEXT://127.0.0.1:%s\n' "$port"
    printf 'controller.quorum.voters=1@127.0.0.1:%s\n' "$controller_port"
    printf 'log.dirs=%s\n' "$folder/data"
  } >"$folder/server.properties"
}

# Gives a new data folder its identity. A folder without the mark was interrupted before the broker ever ran.
kafka_format() {
  local folder=$1 cluster_id
  shift
  [[ -e $folder/formatted ]] && return
  rm -rf "$folder/data"
  cluster_id=$(head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d '=')
  "$@" -XX:TieredStopAtLevel=1 kafka.tools.StorageTool format \
    --cluster-id "$cluster_id" --config "$folder/server.properties" >"$folder/format.log" 2>&1 || {
    grep -v '^[[:space:]]' "$folder/format.log" >&2
    fail "Kafka could not format $folder/data (whole log: $folder/format.log)"
  }
  touch "$folder/formatted"
}

# kafka_run FOLDER PORT CONTROLLER_PORT: replaces the shell by the broker.
kafka_run() {
  local folder=$1 port=$2 controller_port=$3 java
  java=$(find_java) || fail "no Java 17 or newer: run deploy/install-deps.sh stack"
  kafka_fetch
  mkdir -p "$folder"
  kafka_configure "$folder" "$port" "$controller_port"
  local jvm=("$java" "-Xmx${HBAGENT_KAFKA_HEAP:-512m}" -cp "$(<"$KAFKA_CACHE/classpath")"
    "-Dlog4j2.configurationFile=$KAFKA_FILES/log4j2.properties" -Djava.awt.headless=true)
  kafka_format "$folder" "${jvm[@]}"
  cd "$folder" || exit
  as_user "$(id -un)" "${jvm[@]}" kafka.Kafka "$folder/server.properties"
}

# The broker answers a metadata request only once the controller has let it in.
kafka_ready() {
  local port=$1
  kcat -L -b "127.0.0.1:$port" -m 2 2>/dev/null | grep -q ' broker 1 at '
}

kafka_stop_signal() { printf 'TERM\n'; }

kafka_describe() { printf 'brokers = "127.0.0.1:%s"\n' "$1"; }
