#!/usr/bin/env bash
# Runs one server in the foreground, or asks about it. The only place that knows how a server is started:
# deploy/stack.sh and the tests both go through here.
#
#   server.sh kafka run FOLDER PORT CONTROLLER_PORT
#   server.sh postgres run FOLDER PORT
#   server.sh mosquitto run FOLDER PORT [SETTINGS]
#   server.sh grafana run FOLDER PORT
#   server.sh SERVICE ready PORT       exit code 0 when the server answers a client
#   server.sh SERVICE stop_signal      the signal that stops it cleanly
#
# HBAGENT_PARENT_DEATH_SIGNAL=KILL ties the server's life to the thread that started this script (prctl(2)).
set -u
cd "$(dirname "${BASH_SOURCE[0]}")" || exit
source ./common.sh

service=${1:-} action=${2:-}
case "$service $action" in
  "kafka run" | "postgres run" | "mosquitto run" | "grafana run" | \
    "kafka ready" | "postgres ready" | "mosquitto ready" | "grafana ready" | \
    "kafka stop_signal" | "postgres stop_signal" | "mosquitto stop_signal" | "grafana stop_signal") ;;
  *) fail "usage: server.sh kafka|postgres|mosquitto|grafana run|ready|stop_signal ..." ;;
esac
shift 2
# shellcheck source=/dev/null
source "./$service.sh"
"${service}_$action" "$@"
