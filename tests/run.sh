#!/usr/bin/env bash
# Installs what is missing, builds, and runs every test. Ends with the test runner's summary.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
source deploy/lib/common.sh

usage() {
  cat <<'END'
usage: tests/run.sh [--quick] [--sanitizers] [--no-install]

  --quick        the unit tests only: no server, no Java
  --sanitizers   also build and run the unit tests with ASan + UBSan and with TSan
  --no-install   do not look for missing Debian packages

HBAGENT_JOBS (default: the number of cores) bounds parallel compilation and unit tests.
END
}

readonly JOBS="${HBAGENT_JOBS:-$(nproc)}"

build() {
  local preset=$1
  say "== Building ($preset) =="
  cmake --preset "$preset" -DBUILD_TESTING=ON >"build/$preset.configure.log" 2>&1 || {
    cat "build/$preset.configure.log" >&2
    fail "CMake could not configure the preset $preset"
  }
  cmake --build --preset "$preset" --parallel "$JOBS" || fail "the build of the preset $preset failed"
}

# run_tests PRESET CTEST_OPTION...
run_tests() {
  local preset=$1
  shift
  say "== Testing ($preset) =="
  ctest --preset "$preset" --output-on-failure --no-tests=error --parallel "$JOBS" "$@"
}

main() {
  local quick=0 sanitizers=0 install=1 argument preset presets=(release) only=() failed=0
  for argument; do
    case $argument in
      --quick) quick=1 ;;
      --sanitizers) sanitizers=1 ;;
      --no-install) install=0 ;;
      -h | --help) usage && exit ;;
      *) usage >&2 && exit 2 ;;
    esac
  done
  ((install == 0)) || deploy/install-deps.sh build test || exit
  mkdir -p build
  ((quick == 0)) || only=(--label-regex unit)
  ((sanitizers == 0)) || presets=(asan-ubsan tsan release)
  for preset in "${presets[@]}"; do build "$preset"; done
  for preset in "${presets[@]}"; do
    if [[ $preset == release ]]; then
      run_tests "$preset" "${only[@]}" || failed=1
    else
      run_tests "$preset" --label-regex unit || failed=1
    fi
  done
  exit "$failed"
}
main "$@"
