#!/usr/bin/env bash
# Installs what is missing of the Debian packages that hbagent needs, and nothing else.
set -u
DEPLOY="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
readonly DEPLOY
source "$DEPLOY/lib/common.sh"
source "$DEPLOY/lib/kafka.sh"
source "$DEPLOY/lib/postgres.sh"

usage() {
  cat <<'END'
usage: deploy/install-deps.sh [--list] GROUP...

Groups:
  build   compiler, CMake, Ninja and the libraries
  stack   what deploy/stack.sh runs: Java, Maven, PostgreSQL, Mosquitto and their clients
  test    stack, and what tests/run.sh needs besides the build

--list prints the missing packages and installs nothing. Works as root or with sudo, on Debian 12 and 13.
END
}

readonly BUILD=(
  g++ cmake ninja-build pkg-config librdkafka-dev libpaho-mqttpp-dev libpaho-mqtt-dev libssl-dev libpqxx-dev libpq-dev
  libboost-dev libtomlplusplus-dev libsimdjson-dev libspdlog-dev libfmt-dev libcli11-dev nlohmann-json3-dev
  libcpp-httplib-dev libsqlite3-dev
)
readonly STACK=(mosquitto mosquitto-clients kcat iproute2 ca-certificates)
# `prometheus` brings promtool, which checks the format of the metrics. Node.js builds the live page's assets and drives
# Chromium in its tests; it may come from elsewhere.
readonly TEST=(
  catch2 python3 python3-pytest python3-psycopg2 python3-confluent-kafka python3-yaml prometheus clang shellcheck jq git
  sqlite3 chromium
)

debian_release() {
  local ID='' VERSION_ID=''
  # shellcheck source=/dev/null
  [[ -r /etc/os-release ]] && source /etc/os-release
  [[ $ID == debian ]] || return 1
  printf '%s\n' "${VERSION_ID:-13}" # testing and unstable have no number
}

# Prints the packages of a group that this machine may do without, because it has the thing from elsewhere.
stack_alternatives() {
  find_java >/dev/null || printf 'default-jre-headless\n'
  command -v mvn >/dev/null || printf 'maven\n'
  (postgres_bin "$DEPLOY" >/dev/null 2>&1) || printf 'postgresql\n'
}

wanted_packages() {
  local release=$1 group
  shift
  for group in "$@"; do
    case $group in
      build) printf '%s\n' "${BUILD[@]}" ;;
      stack) printf '%s\n' "${STACK[@]}" && stack_alternatives ;;
      test)
        wanted_packages "$release" stack
        printf '%s\n' "${TEST[@]}"
        command -v npm >/dev/null || printf 'nodejs\nnpm\n'
        # clang's sanitizers and libFuzzer, of the version that the package clang stands for. The sources are formatted
        # by version 14, which Debian 13 no longer has.
        if [[ $release == 12 ]]; then
          printf 'libclang-rt-14-dev\nclang-format-14\n'
        else
          printf 'libclang-rt-19-dev\n'
        fi
        ;;
      *) fail "no group \"$group\": build stack test" ;;
    esac
  done
}

missing_of() {
  local installed
  installed=$(dpkg-query --show --showformat '${Package} ${db:Status-Status}\n' "$@" 2>/dev/null |
    sed -n 's/ installed$//p')
  printf '%s\n' "$@" | sort -u | grep -vxF "${installed:-none}"
}

main() {
  local list=0 release wanted missing as_root=()
  if [[ ${1:-} == --list ]]; then
    list=1
    shift
  fi
  case ${1:-} in
    '') usage >&2 && exit 2 ;;
    -h | --help) usage && exit ;;
  esac
  release=$(debian_release) || fail "this is not Debian. Install the like of these by other means:" \
    "$(wanted_packages 13 "$@" | sort -u | tr '\n' ' ')"
  ((${release%%.*} >= 12)) || fail "Debian $release is too old: 12 or newer is needed"
  wanted=$(wanted_packages "${release%%.*}" "$@") || exit
  mapfile -t wanted <<<"$wanted"
  mapfile -t missing < <(missing_of "${wanted[@]}")
  if ((${#missing[@]} == 0)); then
    say "All packages for $* are installed."
    return
  fi
  if ((list)); then
    printf '%s\n' "${missing[@]}"
    return
  fi
  if ((EUID != 0)); then
    command -v sudo >/dev/null ||
      fail "neither root nor sudo. As root, run: apt-get install --no-install-recommends ${missing[*]}"
    as_root=(sudo)
  fi
  say "Installing ${#missing[@]} Debian packages${as_root[0]:+ with sudo}: ${missing[*]}"
  "${as_root[@]}" "$DEPLOY/lib/apt_install.sh" "${missing[@]}"
}
main "$@"
