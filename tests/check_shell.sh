#!/usr/bin/env bash
# Fails when shellcheck finds fault with a tracked shell script.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

command -v shellcheck >/dev/null || {
  printf 'skipped: shellcheck is not installed\n'
  exit 77
}
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || {
  printf 'skipped: no git work tree says which files are ours\n'
  exit 77
}
mapfile -t scripts < <(git grep -lE -e '^#!.*\bb?a?sh$' -e '^# shellcheck shell=')
if ((${#scripts[@]} == 0)); then
  printf 'no shell scripts: is this a git work tree?\n' >&2
  exit 1
fi
shellcheck --external-sources --source-path=SCRIPTDIR "${scripts[@]}" || exit 1
printf '%s scripts pass shellcheck.\n' "${#scripts[@]}"
