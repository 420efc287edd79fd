#!/usr/bin/env bash
# Builds release and measures how fast hbagent is beside the least that its libraries need. See README.md.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

case " $* " in
  *" --help "* | *" -h "*) ;;
  *)
    cmake --preset release >/dev/null
    cmake --build --preset release --parallel "${HBAGENT_JOBS:-$(nproc)}" --target all bench_parts
    ;;
esac
exec /usr/bin/python3 tests/bench/bench.py "$@"
