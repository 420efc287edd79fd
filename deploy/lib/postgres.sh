# shellcheck shell=bash
# How PostgreSQL is initialised, started and asked whether it is ready. To be sourced after common.sh.

POSTGRES_FILES="$(cd "$(dirname "${BASH_SOURCE[0]}")/../postgres" && pwd)"

# The server refuses to run as root; Debian's package brings this user.
POSTGRES_USER=postgres

# postgres_bin FOLDER: prints where the programs are of the version that made FOLDER, or of the newest one installed.
postgres_bin() {
  local version bin
  version=$(cat "$1/data/PG_VERSION" 2>/dev/null)
  for bin in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
    [[ -x $bin/postgres && -x $bin/initdb ]] || continue
    [[ -z $version || $bin == "/usr/lib/postgresql/$version/bin" ]] || continue
    printf '%s\n' "$bin"
    return
  done
  fail "no PostgreSQL server${version:+ of version $version, which made $1}: run deploy/install-deps.sh stack"
}

# Makes the cluster, the roles and the database. `trust` never takes effect: pg_hba.conf is replaced before the start. A folder without the mark was interrupted before the server ever ran.
postgres_initialise() {
  local folder=$1 bin=$2
  [[ -e $folder/initialised ]] && return
  rm -rf "$folder/data"
  run_as_user "$POSTGRES_USER" "$bin/initdb" --pgdata "$folder/data" --username postgres --auth trust \
    --encoding UTF8 --locale C.UTF-8 --no-instructions >"$folder/initdb.log" 2>&1 || {
    cat "$folder/initdb.log" >&2
    fail "initdb failed in $folder/data"
  }
  run_as_user "$POSTGRES_USER" "$bin/postgres" --single -D "$folder/data" postgres \
    <"$POSTGRES_FILES/init.sql" >>"$folder/initdb.log" 2>&1 || {
    cat "$folder/initdb.log" >&2
    fail "the roles and the database could not be made in $folder/data"
  }
  ! grep -E 'ERROR|FATAL' "$folder/initdb.log" >&2 || fail "the roles and the database could not be made"
  touch "$folder/initialised"
}

postgres_configure() {
  local folder=$1 port=$2
  {
    cat "$POSTGRES_FILES/postgresql.conf"
    printf 'port = %s\n' "$port"
  } >"$folder/data/postgresql.conf"
  cat "$POSTGRES_FILES/pg_hba.conf" >"$folder/data/pg_hba.conf"
}

# True when no process of an earlier server is attached to its shared memory. After kill -9 of the server its workers
# live on for a moment, and a new server refuses to start beside them.
postgres_is_deserted() {
  local segment
  segment=$(sed -n '7s/.* //p' "$1/data/postmaster.pid" 2>/dev/null)
  [[ -z $segment ]] || ! awk -v id="$segment" '$2 == id && $7 > 0 { found = 1 } END { exit !found }' /proc/sysvipc/shm
}

# Removes the lock of a server that was killed. PostgreSQL does so by itself unless the process id in it still exists,
# be it as a zombie that nobody collects (a container without an init) or as somebody else's process.
postgres_remove_stale_lock() {
  local folder=$1 lock="$1/data/postmaster.pid" pid
  [[ -e $lock ]] || return 0
  wait_until 30 postgres_is_deserted "$folder" || fail "an earlier server still uses $folder/data"
  pid=$(head -n 1 "$lock")
  [[ $(readlink "/proc/$pid/exe") == */postgres ]] || rm -f "$lock"
}

# postgres_run FOLDER PORT: replaces the shell by the server.
postgres_run() {
  local folder=$1 port=$2 bin
  bin=$(postgres_bin "$folder") || exit
  own_folder "$POSTGRES_USER" "$folder"
  cd "$folder" || exit
  postgres_initialise "$folder" "$bin"
  postgres_configure "$folder" "$port"
  postgres_remove_stale_lock "$folder"
  as_user "$POSTGRES_USER" "$bin/postgres" -D "$folder/data"
}

# Logging in and asking proves more than a port that answers: recovery is over and the roles are there.
postgres_ready() {
  local port=$1
  PGPASSWORD=hbagent PGCONNECT_TIMEOUT=2 psql -X -q -h 127.0.0.1 -p "$port" -U hbagent -d heartbeat_db \
    -c 'SELECT 1' >/dev/null 2>&1
}

# INT is the server's "fast" shutdown: it does not wait for clients to leave.
postgres_stop_signal() { printf 'INT\n'; }

postgres_describe() { printf 'uri = "postgresql://hbagent:hbagent@127.0.0.1:%s/heartbeat_db"\n' "$1"; }
