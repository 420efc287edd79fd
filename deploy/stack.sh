#!/usr/bin/env bash
# The local stack: Kafka, PostgreSQL, Mosquitto and, where there is one, Grafana, on loopback, without Docker and without
# touching a system service.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib/process.sh"
source "$(dirname "${BASH_SOURCE[0]}")/lib/grafana.sh"

usage() {
  cat <<'END'
usage: deploy/stack.sh COMMAND [SERVICE...]

  up       start what does not run yet, wait until it answers, print where it listens
  down     stop cleanly; the data stays
  restart  down, then up
  status   what runs; exit code 0 only if all of it runs and answers
  logs     the last lines of the logs; with -f first, follow them
  clean    down, then delete the data

Services: kafka postgres mosquitto grafana (default: all of them, grafana only where there is one: on the PATH, or
named by HBAGENT_GRAFANA).

Environment (default):
  HBAGENT_STACK_DIR                (.stack in the project) all data and logs
  HBAGENT_KAFKA_PORT               (9092)
  HBAGENT_KAFKA_CONTROLLER_PORT    (9093) Kafka's own, not for clients
  HBAGENT_POSTGRES_PORT            (5435)
  HBAGENT_MOSQUITTO_PORT           (1883)
  HBAGENT_GRAFANA_PORT             (3030)
  HBAGENT_GRAFANA                  Grafana's folder, the one with bin/ and conf/
  HBAGENT_KAFKA_HEAP               (512m) the JVM's heap
END
}

readonly ALL_SERVICES=(kafka postgres mosquitto grafana)
readonly START_SECONDS=180
readonly STOP_SECONDS=60
readonly LOG_BYTES=10485760
DEPLOY="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly DEPLOY
readonly SERVER="$DEPLOY/lib/server.sh"

# Where the data lives. Root's servers give up root's rights, so a project that others cannot enter (below /root, say)
# cannot hold their data.
stack_folder() {
  local folder="${DEPLOY%/*}/.stack"
  if [[ -n ${HBAGENT_STACK_DIR:-} ]]; then
    folder=$(realpath -m "$HBAGENT_STACK_DIR")
  elif ((EUID == 0)) && ! setpriv --reuid nobody --clear-groups test -x "${DEPLOY%/*}"; then
    folder=/var/lib/hbagent-stack
  fi
  printf '%s\n' "$folder"
}
STACK="$(stack_folder)"
readonly STACK
# Says that this script made the folder, and so may delete it. Also the lock.
readonly MARK="$STACK/.hbagent-stack"

record_of() { printf '%s/%s.pid\n' "$STACK" "$1"; }
log_of() { printf '%s/%s.log\n' "$STACK" "$1"; }

# The variables with the ports of a service, the one for clients first.
variables_of() {
  case $1 in
    kafka) printf 'HBAGENT_KAFKA_PORT HBAGENT_KAFKA_CONTROLLER_PORT\n' ;;
    postgres) printf 'HBAGENT_POSTGRES_PORT\n' ;;
    mosquitto) printf 'HBAGENT_MOSQUITTO_PORT\n' ;;
    grafana) printf 'HBAGENT_GRAFANA_PORT\n' ;;
  esac
}
: "${HBAGENT_KAFKA_PORT:=9092}" "${HBAGENT_KAFKA_CONTROLLER_PORT:=9093}"
: "${HBAGENT_POSTGRES_PORT:=5435}" "${HBAGENT_MOSQUITTO_PORT:=1883}"
: "${HBAGENT_GRAFANA_PORT:=3030}"

# running | silent (the process is there but does not answer) | stopped
state_of() {
  local record
  record=$(record_of "$1")
  process_pid "$record" >/dev/null || { printf 'stopped\n'; return; }
  if "$SERVER" "$1" ready "$(process_port "$record")"; then printf 'running\n'; else printf 'silent\n'; fi
}

# The connection string of a service, in the words of the agent's configuration.
connection_of() {
  (
    # shellcheck source=/dev/null
    source "$DEPLOY/lib/$1.sh"
    "$1_describe" "$2"
  )
}

# port_problem COMMAND SERVICE VARIABLE: prints why the service cannot have that port and what to do; 1 when it can.
port_problem() {
  local command=$1 service=$2 variable=$3 port=${!3} first=1 holder pid
  # Kafka and Grafana run as whoever starts them, the others never as root.
  [[ $service == kafka || $service == grafana ]] && ((EUID == 0)) || first=$(</proc/sys/net/ipv4/ip_unprivileged_port_start)
  if ! [[ $port =~ ^[1-9][0-9]{0,4}$ ]] || ((port > 65535)); then
    printf '%s="%s" is no port: give a number from 1 to 65535\n' "$variable" "$port"
  elif ((port < first)); then
    printf 'port %s (%s) is reserved for root, which %s does not run as: give a number from %s to 65535\n' \
      "$port" "$variable" "$service" "$first"
  else
    holder=$(port_holder "$port") || return 1
    pid=$(process_pid "$(record_of "$service")") && [[ $holder == *"(process $pid)" ]] && return 1
    printf 'port %s (%s), wanted for %s, is taken by %s: stop that, or choose another port: %s=... %s %s\n' \
      "$port" "$variable" "$service" "$holder" "$variable" "$0" "$command"
  fi
}

# check_ports COMMAND SERVICE...: fails, and names all that is wrong, when services cannot have their ports.
check_ports() {
  local command=$1 service variable problem failed=0
  local -A given_by=()
  shift
  for service in "$@"; do
    [[ $command == up ]] && process_pid "$(record_of "$service")" >/dev/null && continue
    for variable in $(variables_of "$service"); do
      if problem=$(port_problem "$command" "$service" "$variable"); then
        warn "$problem"
        failed=1
      elif [[ ${given_by[${!variable}]:-$variable} != "$variable" ]]; then
        warn "port ${!variable} is given twice, by ${given_by[${!variable}]} and $variable: give each a port of its own"
        failed=1
      else
        given_by[${!variable}]=$variable
      fi
    done
  done
  ((failed == 0)) || fail "nothing was started or stopped"
}

# A log that has grown large makes way; one old log is kept.
rotate_log() {
  [[ -f $1 && $(stat -c %s "$1") -gt $LOG_BYTES ]] && mv "$1" "$1.1"
  return 0
}

start_service() {
  local service=$1 variable ports=() record log
  record=$(record_of "$service")
  log=$(log_of "$service")
  process_pid "$record" >/dev/null && return
  for variable in $(variables_of "$service"); do ports+=("${!variable}"); done
  rotate_log "$log"
  HBAGENT_GRAFANA_DB="127.0.0.1:$(postgres_port)" \
    process_start "$record" "$log" "${ports[0]}" "$SERVER" "$service" run "$STACK/$service" "${ports[@]}"
}

is_ready_or_gone() { process_is_gone "$(record_of "$1")" || [[ $(state_of "$1") == running ]]; }

await_service() {
  local service=$1
  wait_until "$START_SECONDS" is_ready_or_gone "$service"
  [[ $(state_of "$service") == running ]] && return
  tail -n 15 "$(log_of "$service")" >&2
  if process_is_gone "$(record_of "$service")"; then
    rm -f "$(record_of "$service")"
    warn "$service ended at once; its last lines are above, all of them in $(log_of "$service")"
  else
    warn "$service does not answer after $START_SECONDS s; its last lines are above, all of them in $(log_of "$service")"
  fi
  return 1
}

# Where the stack's PostgreSQL listens, or would.
postgres_port() { process_port "$(record_of postgres)" 2>/dev/null || printf '%s\n' "$HBAGENT_POSTGRES_PORT"; }

# Without its role every panel would show an error, and nobody would know why.
make_grafana_role() {
  if ! "$SERVER" postgres ready "$(postgres_port)"; then
    warn "grafana reads PostgreSQL, which does not answer on port $(postgres_port): $0 up postgres grafana"
    return 1
  fi
  grafana_role "$(postgres_port)"
}

up() {
  local service failed=0
  if [[ " $* " == *" grafana "* ]] && ! grafana_find >/dev/null; then
    grafana_hint >&2
    fail "nothing was started"
  fi
  check_ports up "$@"
  if [[ " $* " == *" kafka "* ]]; then
    source "$DEPLOY/lib/kafka.sh"
    kafka_fetch || exit
  fi
  say "Starting $* with data in $STACK ..."
  for service in "$@"; do start_service "$service"; done
  for service in "$@"; do await_service "$service" || failed=1; done
  [[ " $* " != *" grafana "* ]] || make_grafana_role || failed=1
  show_status "$@"
  ((failed == 0)) || fail "not everything runs"
}

down() {
  local service
  for service in "$@"; do
    [[ -e $(record_of "$service") ]] || continue
    say "Stopping $service ..."
    process_stop "$(record_of "$service")" "$("$SERVER" "$service" stop_signal)" "$STOP_SECONDS" ||
      warn "$service did not stop within $STOP_SECONDS s and was killed"
  done
}

# One line a service; 1 when one of them does not run.
show_status() {
  local service state port result=0
  for service in "$@"; do
    state=$(state_of "$service")
    if [[ $state == stopped ]]; then
      printf '%-10s %s\n' "$service" "$state"
    else
      port=$(process_port "$(record_of "$service")")
      printf '%-10s %-8s 127.0.0.1:%-6s %s\n' "$service" "$state" "$port" "$(connection_of "$service" "$port")"
    fi
    [[ $state == running ]] || result=1
  done
  return "$result"
}

logs() {
  local follow=() files=() service
  [[ ${1:-} == -f ]] && follow=(--follow=name) && shift
  (($# > 0)) || set -- "${ALL_SERVICES[@]}"
  for service in "$@"; do [[ -f $(log_of "$service") ]] && files+=("$(log_of "$service")"); done
  ((${#files[@]} > 0)) || fail "no log in $STACK: nothing has been started yet"
  tail -n 50 "${follow[@]}" "${files[@]}"
}

# The mark goes last: what a clean that was cut off has left is still known as ours.
clean() {
  down "${ALL_SERVICES[@]}"
  (cd "$STACK" && find . -mindepth 1 ! -path "./${MARK##*/}" -delete) || fail "$STACK is not deleted; see above"
  rm -r "$STACK" || exit
  say "Deleted $STACK"
}

check_services() {
  local service
  for service in "$@"; do
    [[ " ${ALL_SERVICES[*]} " == *" $service "* ]] || fail "no service \"$service\": ${ALL_SERVICES[*]}"
  done
}

is_ours() { [[ -f $MARK ]]; }

# Takes a new or empty folder for the stack. The mark is looked for last: another `up` may have set it in this moment.
claim_folder() {
  if [[ ! -d $STACK || -n $(find "$STACK" -maxdepth 0 -empty) ]]; then
    mkdir -p "$STACK" && chmod 755 "$STACK" && touch "$MARK" || exit
  fi
  is_ours || fail "$STACK holds something else already: set HBAGENT_STACK_DIR to a folder that is new or empty"
}

# One change at a time. Servers do not inherit the lock (process_start closes it). REQUIRES: the folder is ours.
lock_stack() {
  exec 9<>"$MARK" || exit
  flock -w 300 9 || fail "another stack.sh is at work on $STACK"
}

# All that can run here: without Grafana where there is none, unless one still runs that was found before.
default_services() {
  local service
  for service in "${ALL_SERVICES[@]}"; do
    if [[ $service != grafana ]] || grafana_find >/dev/null || ! process_is_gone "$(record_of grafana)"; then
      printf '%s\n' "$service"
    fi
  done
}

main() {
  local command=${1:-} hint=0 all
  (($# == 0)) || shift
  case $command in
    logs) if [[ ${1:-} == -f ]]; then check_services "${@:2}"; else check_services "$@"; fi ;;
    clean) (($# == 0)) || fail "clean takes no service: it deletes everything" ;;
    up | down | restart | status)
      check_services "$@"
      if (($# == 0)); then
        mapfile -t all < <(default_services)
        set -- "${all[@]}"
        [[ $command != up && $command != restart || " $* " == *" grafana "* ]] || hint=1
      fi
      ;;
    -h | --help | help) usage && exit ;;
    *) usage >&2 && exit 2 ;;
  esac
  case $command in
    up | restart) claim_folder && lock_stack ;;
    down | clean)
      if is_ours; then
        lock_stack
      elif [[ $command == down || ! -e $STACK ]]; then
        exit 0 # nothing was started there
      else
        fail "$STACK was not made by this script: delete it yourself"
      fi
      ;;
  esac
  case $command in
    restart) check_ports restart "$@" && down "$@" && up "$@" ;;
    status) show_status "$@" ;;
    *) "$command" "$@" ;;
  esac || exit
  ((hint == 0)) || grafana_hint
}
main "$@"
