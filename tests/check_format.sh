#!/usr/bin/env bash
# Fails when a tracked C++ file is not formatted as .clang-format says. With --fix, formats them.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

# Other versions of clang-format disagree with each other about the same settings.
readonly VERSION=14

find_formatter() {
  local program
  for program in "clang-format-$VERSION" clang-format; do
    command -v "$program" >/dev/null || continue
    [[ $("$program" --version) != *"version $VERSION."* ]] || { printf '%s\n' "$program"; return; }
  done
  return 1
}

formatter=$(find_formatter) || {
  printf 'skipped: clang-format %s is not installed\n' "$VERSION"
  exit 77
}
git rev-parse --is-inside-work-tree >/dev/null 2>&1 || {
  printf 'skipped: no git work tree says which files are ours\n'
  exit 77
}
mapfile -t files < <(git ls-files '*.cpp' '*.hpp')
if ((${#files[@]} == 0)); then
  printf 'no C++ files: is this a git work tree?\n' >&2
  exit 1
fi
if [[ ${1:-} == --fix ]]; then
  exec "$formatter" -i "${files[@]}"
fi
"$formatter" --dry-run -Werror --ferror-limit=5 "${files[@]}" || {
  printf 'Run tests/check_format.sh --fix\n' >&2
  exit 1
}
printf '%s files are formatted.\n' "${#files[@]}"
