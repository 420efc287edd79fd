#!/usr/bin/env bash
# Builds the page's assets into FOLDER (default: dist, which is committed). The same sources give the same bytes.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")"
[[ ${1:-} != -h && ${1:-} != --help ]] || { printf 'usage: %s [FOLDER]\n' "$0" && exit; }
command -v npm >/dev/null || { printf 'npm is not installed: apt-get install nodejs npm\n' >&2 && exit 1; }
# The packages of the lock file, by their hashes; .npmrc forbids their install scripts.
cmp -s package-lock.json node_modules/.built-from 2>/dev/null || {
  npm ci --no-progress
  cp package-lock.json node_modules/.built-from
}
exec node build.mjs "${1:-dist}"
