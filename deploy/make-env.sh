#!/usr/bin/env bash
# Makes deploy/.env, which deploy/compose.yaml reads, with a password of its own for everything that asks for one. What is
# in the file already stays: the databases know those passwords.
set -u
source "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
DEPLOY="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly DEPLOY
readonly EXAMPLE="$DEPLOY/.env.example"

usage() {
  cat <<'USAGE'
usage: deploy/make-env.sh [FILE]

Writes FILE (default: deploy/.env) from deploy/.env.example, with generated passwords. Of a file that exists, only what is
missing or empty is filled in.
USAGE
}

# 32 hexadecimal digits: nothing that a URI, a shell or a configuration would read as something else.
new_password() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# value_of FILE NAME: prints what the file gives for NAME, as compose reads it: the last line counts.
value_of() { sed -n "s/^$2=//p" "$1" | tail -n 1; }

main() {
  local file=${1:-$DEPLOY/.env} new line name made=0
  case ${1:-} in -h | --help) usage && exit ;; esac
  (($# <= 1)) || { usage >&2 && exit 2; }
  new=$(mktemp "$file.XXXXXX") || exit
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -f '$new'" EXIT
  if [[ -e $file ]]; then cat "$file" >"$new" || exit; else grep -v '_PASSWORD=$' "$EXAMPLE" >"$new" || exit; fi
  [[ -z $(tail -c 1 "$new") ]] || printf '\n' >>"$new" # a last line without its end
  while IFS= read -r line; do
    [[ $line =~ ^([A-Z_]+_PASSWORD)=$ ]] || continue
    name=${BASH_REMATCH[1]}
    [[ -z $(value_of "$new" "$name") ]] || continue
    sed -i "/^$name=/d" "$new" && printf '%s=%s\n' "$name" "$(new_password)" >>"$new" || exit
    made=$((made + 1))
  done <"$EXAMPLE"
  if ((made == 0)); then
    say "$file has all passwords already; nothing was changed."
    return
  fi
  mv "$new" "$file" || exit
  say "$file: $made passwords made. Only you can read it; keep it as long as the volumes."
}
main "$@"
