#!/usr/bin/env bash
# Installs what is missing, builds hbagent, and runs it on config/quickstart.toml, which needs no server.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
source deploy/lib/common.sh

readonly PRESET=release
readonly BINARY=build/$PRESET/bin/hbagent
readonly CONFIG=config/quickstart.toml

build() {
  local log=build/quickstart.log
  mkdir -p build
  say "Building hbagent (release; a few minutes the first time, seconds later; details in $log) ..."
  {
    cmake --preset "$PRESET" -DBUILD_TESTING=OFF &&
      cmake --build --preset "$PRESET" --parallel "$(nproc)"
  } >"$log" 2>&1 || {
    tail -n 30 "$log" >&2
    fail "the build failed; the whole output is in $log"
  }
}

case ${1-} in
  "") ;;
  -h | --help)
    say "usage: deploy/quickstart.sh    (no options; Ctrl-C stops it)"
    exit
    ;;
  *) fail "unknown argument \"$1\"; there are none" ;;
esac

say "1/3 Packages"
deploy/install-deps.sh build || exit
say "2/3 Build"
build
say "3/3 Run: 200 customers, one heart rate a second each, checked and written to a file"
mkdir -p .quickstart
say ""
say "  readings   .quickstart/readings.jsonl        (tail -f it in another terminal)"
say "  refused    .quickstart/data/dead-letters.jsonl"
say "  status     http://127.0.0.1:9464/api/v1/status, metrics at http://127.0.0.1:9464/metrics"
say "  settings   $CONFIG                           (hbagent is $BINARY)"
say ""
say "Every second a line about the stream follows. Ctrl-C stops it cleanly."
say ""
exec "$BINARY" -c "$CONFIG"
