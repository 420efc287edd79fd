#!/usr/bin/env bash
# Installs what is missing, builds hbagent, and runs it on config/quickstart.toml, which needs no server.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
source deploy/lib/common.sh
source deploy/lib/process.sh

readonly PRESET=release
readonly BINARY=build/$PRESET/bin/hbagent
readonly CONFIG=config/quickstart.toml
# As the configuration has them: of the status first, then of the page.
mapfile -t PORTS < <(sed -n 's/^listen = "127\.0\.0\.1:\([0-9]*\)".*/\1/p' "$CONFIG")
readonly PORTS PAGE=http://127.0.0.1:${PORTS[1]}/

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

check_ports() {
  local port holder
  command -v ss >/dev/null || return 0
  for port in "${PORTS[@]}"; do
    if holder=$(port_holder "$port"); then
      fail "port $port is taken by $holder: stop that, or give another one in $CONFIG"
    fi
  done
}

# In the desktop's browser, once the agent answers; not at all when it does not in 20 s.
show_page() {
  local try
  for ((try = 0; try < 100; ++try)); do
    if (exec 3<>"/dev/tcp/127.0.0.1/${PORTS[1]}") 2>/dev/null; then
      xdg-open "$PAGE" >/dev/null 2>&1
      return
    fi
    sleep 0.2
  done
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
check_ports
say "3/3 Run: 200 customers, one heart rate a second each, checked, watched and stored"
mkdir -p .quickstart
say ""
say "  live page  $PAGE"
say "  readings   .quickstart/heartbeats.db         (sqlite3 .quickstart/heartbeats.db 'SELECT * FROM latest')"
say "  refused    .quickstart/data/dead-letters.jsonl"
say "  status     http://127.0.0.1:${PORTS[0]}/api/v1/status, metrics at http://127.0.0.1:${PORTS[0]}/metrics"
say "  settings   $CONFIG                           (hbagent is $BINARY)"
say ""
say "Every ten seconds a line about the stream follows. Ctrl-C stops it cleanly."
say ""
if [[ -n ${DISPLAY-}${WAYLAND_DISPLAY-} ]] && command -v xdg-open >/dev/null; then
  show_page &
fi
exec "$BINARY" -c "$CONFIG"
