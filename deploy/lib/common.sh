# shellcheck shell=bash
# Messages and conditions for the scripts in deploy/ and tests/. To be sourced.

# Servers live in /usr/sbin, which an ordinary user's PATH lacks on Debian.
PATH="$PATH:/usr/sbin:/sbin"

say() { printf '%s\n' "$*"; }

warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

fail() {
  warn "$*"
  exit 1
}

# wait_until SECONDS COMMAND...: polls until the command succeeds; 1 when the time is up.
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# as_user USER COMMAND...: replaces the shell by COMMAND, as USER when root runs us. `run_as_user` is the same as a child.
# The death of our starter still reaches the server: changing the user would otherwise clear that request.
as_user() {
  local user=$1
  shift
  local keep_signal=(--pdeathsig "${HBAGENT_PARENT_DEATH_SIGNAL:-clear}")
  if ((EUID == 0)); then
    exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "${keep_signal[@]}" -- "$@"
  fi
  exec setpriv "${keep_signal[@]}" -- "$@"
}

run_as_user() { (as_user "$@"); }

# own_folder USER FOLDER: makes FOLDER, private to USER when root runs us, else to the caller.
own_folder() {
  local user=$1 folder=$2
  mkdir -p "$folder"
  chmod 700 "$folder"
  ((EUID != 0)) || chown "$user" "$folder"
  run_as_user "$user" test -x "$folder" ||
    fail "user $user cannot enter $folder: set HBAGENT_STACK_DIR to a folder that every user can pass through"
}
