# shellcheck shell=bash
# How Mosquitto is configured, started and asked whether it is ready. To be sourced after common.sh.

MOSQUITTO_FILES="$(cd "$(dirname "${BASH_SOURCE[0]}")/../mosquitto" && pwd)"

# Started by root the broker would change to this user by itself; changing before keeps the way it is started the same.
MOSQUITTO_USER=mosquitto

# mosquitto_run FOLDER PORT [SETTINGS]: replaces the shell by the broker. SETTINGS: a file of further lines.
mosquitto_run() {
  local folder=$1 port=$2 settings=${3:-/dev/null}
  command -v mosquitto >/dev/null || fail "Mosquitto is missing: run deploy/install-deps.sh stack"
  own_folder "$MOSQUITTO_USER" "$folder"
  {
    cat "$MOSQUITTO_FILES/mosquitto.conf"
    printf 'persistence_location %s/\n' "$folder"
    printf 'listener %s 127.0.0.1\n' "$port"
    cat "$settings"
  } >"$folder/mosquitto.conf"
  cd "$folder" || exit
  as_user "$MOSQUITTO_USER" "$(type -P mosquitto)" -c "$folder/mosquitto.conf"
}

mosquitto_ready() {
  local port=$1
  timeout 2 mosquitto_pub -h 127.0.0.1 -p "$port" -t hbagent/ready -n >/dev/null 2>&1
}

mosquitto_stop_signal() { printf 'TERM\n'; }

mosquitto_describe() { printf 'server = "tcp://127.0.0.1:%s"\n' "$1"; }
