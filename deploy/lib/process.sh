# shellcheck shell=bash
# Background processes that outlive the script which started them, known by process id. To be sourced after common.sh.
#
# A record is one file, NAME.pid, with "PID START PORT". START is the kernel's start time of that process (field 22 of
# /proc/PID/stat): a process id that has been given to someone else is never taken for ours.

process_start_time() {
  local stat fields
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  read -ra fields <<<"${stat##*) }" # from field 3 on; field 2, the name, may hold blanks
  [[ ${fields[0]} != Z ]] && printf '%s\n' "${fields[19]}"
}

# process_pid RECORD: prints the process id if that very process still runs.
process_pid() {
  local pid start
  read -r pid start _ 2>/dev/null <"$1" || return 1
  [[ $(process_start_time "$pid") == "$start" ]] && printf '%s\n' "$pid"
}

process_port() {
  local port
  read -r _ _ port <"$1" && printf '%s\n' "$port"
}

process_is_gone() { ! process_pid "$1" >/dev/null; }

# process_start RECORD LOG PORT COMMAND...
process_start() {
  local record=$1 log=$2 port=$3
  shift 3
  setsid "$@" >>"$log" 2>&1 </dev/null 9>&- &
  local pid=$!
  printf '%s %s %s\n' "$pid" "$(process_start_time "$pid")" "$port" >"$record"
  disown "$pid"
}

# process_stop RECORD SIGNAL SECONDS: asks, waits, and kills what did not go. 1 when it had to be killed.
process_stop() {
  local record=$1 signal=$2 seconds=$3 pid forced=0
  if pid=$(process_pid "$record"); then
    kill -s "$signal" "$pid"
    if ! wait_until "$seconds" process_is_gone "$record"; then
      forced=1
      kill -s KILL "$pid"
      wait_until 10 process_is_gone "$record" || fail "process $pid cannot be killed"
    fi
  fi
  rm -f "$record"
  return "$forced"
}

# port_holder PORT: prints who listens on a TCP port, "name (process 123)"; 1 when nobody does.
port_holder() {
  local line
  line=$(ss -Hltnp "sport = :$1" | head -n 1)
  [[ -n $line ]] || return 1
  if [[ $line =~ \"([^\"]+)\",pid=([0-9]+) ]]; then
    printf '%s (process %s)\n' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
  else
    printf 'a process of another user\n'
  fi
}
