"""How the images of the other servers start them, with this machine's programs: what each image's own start script makes
of the environment and the mounts, according to its sources. Returns the command that runs in the container."""

import os
import pathlib
import subprocess

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# The image's variables that are no settings of the broker.
_NO_PROPERTIES = {"KAFKA_HEAP_OPTS", "KAFKA_OPTS", "KAFKA_LOG4J_OPTS", "KAFKA_GC_LOG_OPTS"}

_KAFKA = """
set -eu
settings=/opt/kafka/config/server.properties
cp /mnt/shared/config/server.properties "$settings"
cat /opt/kafka/properties >>"$settings"
java="/opt/kafka/java $KAFKA_HEAP_OPTS -cp /opt/kafka/libs/* -Dlog4j2.configurationFile=/opt/kafka/log4j2.properties"
set -f
$java kafka.tools.StorageTool format --ignore-formatted --cluster-id "$CLUSTER_ID" -c "$settings"
exec $java kafka.Kafka "$settings"
"""

# docker-entrypoint.sh of the official image, in short: initdb, a server for the socket alone, the scripts, the server.
_POSTGRES = """
set -eu
export PGDATA=/var/lib/postgresql/data PATH="$PGBIN:$PATH"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "$POSTGRES_PASSWORD" >/tmp/password
  eval 'initdb --username="$POSTGRES_USER" --pwfile=/tmp/password '"$POSTGRES_INITDB_ARGS"
  rm /tmp/password
  printf '\\nhost all all all scram-sha-256\\n' >>"$PGDATA/pg_hba.conf"
  printf "listen_addresses = '*'\\n" >>"$PGDATA/postgresql.conf"
  export PGPASSWORD="$POSTGRES_PASSWORD"
  pg_ctl -o "-c listen_addresses='' -p 5432" -w start
  psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" --dbname postgres \\
    -c "CREATE DATABASE $POSTGRES_DB"
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) "$file" ;;
      *.sql) psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \\
        -f "$file" ;;
    esac
  done
  pg_ctl -m fast -w stop
  unset PGPASSWORD
fi
exec "$@"
"""


def _java():
    shown = subprocess.run(["bash", "-c", "source deploy/lib/common.sh; source deploy/lib/kafka.sh; kafka_fetch >&2; "
                            "find_java; cat \"$KAFKA_CACHE/classpath\""], cwd=REPOSITORY, capture_output=True, text=True)
    assert shown.returncode == 0, shown.stderr
    java, classpath = shown.stdout.splitlines()
    return os.path.realpath(java), classpath.split(":")


def kafka_properties(environment):
    """As the image does: KAFKA_LOG_DIRS is log.dirs."""
    return "".join(f"{name.removeprefix('KAFKA_').lower().replace('_', '.')}={value}\n"
                   for name, value in environment.items() if name.startswith("KAFKA_") and name not in _NO_PROPERTIES)


def prepare_kafka(container):
    """Puts what the image has, where it has it. Before the root is sealed."""
    java, jars = _java()
    kafka = container.inside("/opt/kafka")
    (kafka / "libs").mkdir(parents=True, exist_ok=True)
    for jar in jars:
        (kafka / "libs" / pathlib.Path(jar).name).write_bytes(pathlib.Path(jar).read_bytes())
    (kafka / "java").write_text(f'#!/bin/sh\nexec {java} "$@"\n')
    (kafka / "java").chmod(0o755)
    (kafka / "log4j2.properties").write_text((REPOSITORY / "deploy/kafka/log4j2.properties").read_text())
    (kafka / "properties").write_text("\n" + kafka_properties(container.environment))


def kafka_command(container):
    if container.process is None:
        prepare_kafka(container)
    return ["bash", "-c", _KAFKA]


def postgres_command(container):
    newest = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))[-1]
    container.environment["PGBIN"] = str(newest)
    container.environment["PATH"] = f"{newest}:{container.environment['PATH']}"
    return ["bash", "-c", _POSTGRES, "bash", *container.service["command"]]


def mosquitto_command(container):
    return container.service["command"]
