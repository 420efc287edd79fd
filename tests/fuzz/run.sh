#!/usr/bin/env bash
# Builds the fuzz targets with clang's libFuzzer, ASan and UBSan in a build folder of their own, and runs each for a
# while. What it finds stays in build/fuzz/findings; the message says how to repeat it.
#
#   tests/fuzz/run.sh [SECONDS_FOR_THE_JOURNAL [SECONDS_FOR_EACH_DECODER]]     60 and 6 by default
#
# HBAGENT_FUZZ_ONLY=NAME fuzzes that decoder alone. HBAGENT_FUZZ_SEED=N takes another way through the inputs than the
# usual one.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source deploy/lib/common.sh

readonly BUILD=build/fuzz
readonly FINDINGS=$BUILD/findings
readonly DICTIONARY=plugins/common/fuzz/codec.dict
# What fuzz_codec can be told to read, each with a corpus of its own; one after the other they take about a minute.
readonly DECODERS=(wire json csv scalar gatt_hrm gatt_hex senml time pattern topic)
readonly JOURNAL_SECONDS=${1:-60} DECODER_SECONDS=${2:-6}

configure() {
  cmake -S . -B "$BUILD" -G Ninja -DBUILD_TESTING=ON -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O1 -g1" \
    -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_CXX_FLAGS=-fsanitize=fuzzer-no-link \
    -DHBAGENT_SANITIZE=address,undefined >"$BUILD.configure.log" 2>&1 || {
    cat "$BUILD.configure.log" >&2
    fail "CMake could not configure $BUILD"
  }
}

# build TARGET...
build() {
  cmake --build "$BUILD" --parallel "${HBAGENT_JOBS:-$(nproc)}" --target "$@" >"$BUILD/$1.build.log" 2>&1 || {
    cat "$BUILD/$1.build.log" >&2
    fail "the build of $* failed"
  }
}

# fuzz TARGET SECONDS LIBFUZZER_OPTION...; with HBAGENT_FUZZ_ONLY for a part of the target.
fuzz() {
  local target=$1 seconds=$2 name=$1${HBAGENT_FUZZ_ONLY:+-$HBAGENT_FUZZ_ONLY}
  local log=$BUILD/$name.log
  shift 2
  mkdir -p "$BUILD/corpus/$name"
  if "$BUILD/bin/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
    -seed="${HBAGENT_FUZZ_SEED:-1}" -artifact_prefix="$FINDINGS/$name-" "$@" "$BUILD/corpus/$name" >"$log" 2>&1; then
    say "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs in $seconds s, nothing found"
    return
  fi
  tail -n 60 "$log" >&2
  local input
  # What the sanitizers found at the end has no input of its own.
  input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  fail "$name found something. ${input:+Repeat it with: \
${HBAGENT_FUZZ_ONLY:+HBAGENT_FUZZ_ONLY=$HBAGENT_FUZZ_ONLY }$BUILD/bin/$target $input}" "All of its output: $log"
}

fuzz_decoders() {
  local decoder failed=0
  for decoder in ${HBAGENT_FUZZ_ONLY:-"${DECODERS[@]}"}; do
    (HBAGENT_FUZZ_ONLY=$decoder fuzz fuzz_codec "$DECODER_SECONDS" -max_len=4096 -dict="$DICTIONARY") || failed=1
  done
  return "$failed"
}

main() {
  local temporary journal failed=0
  mkdir -p build "$FINDINGS"
  configure
  build fuzz_journal fuzz_journal_seeds
  # In memory where there is such a folder: what is on disk does not matter here.
  temporary=$(TMPDIR=$([[ -w /dev/shm ]] && printf /dev/shm || printf '%s' "${TMPDIR:-/tmp}") mktemp -d)
  # shellcheck disable=SC2064
  trap "rm -rf '$temporary'" EXIT
  "$BUILD/bin/fuzz_journal_seeds" "$BUILD/corpus/fuzz_journal"
  TMPDIR=$temporary HBAGENT_FUZZ_ONLY='' fuzz fuzz_journal "$JOURNAL_SECONDS" -max_len=8192 &
  journal=$!
  # Meanwhile, on another core.
  build fuzz_codec
  fuzz_decoders || failed=1
  wait "$journal" || failed=1
  exit "$failed"
}
main
