# shellcheck shell=bash
# How Grafana is found, configured and asked whether it is ready. To be sourced after common.sh. It comes from grafana.com
# and not from Debian, so deploy/install-deps.sh does not bring it, and it is the one server that may be missing.

GRAFANA_FILES="$(cd "$(dirname "${BASH_SOURCE[0]}")/../grafana" && pwd)"

# grafana_find: prints the executable and, on a second line, its home folder; 1 when there is no Grafana.
# HBAGENT_GRAFANA, the home folder, goes before the PATH.
grafana_find() {
  local program home
  if [[ -n ${HBAGENT_GRAFANA:-} ]]; then
    home=$(realpath -m "$HBAGENT_GRAFANA")
    for program in "$home/bin/grafana" "$home/bin/grafana-server"; do
      [[ -x $program ]] && printf '%s\n%s\n' "$program" "$home" && return
    done
    return 1
  fi
  program=$(type -P grafana || type -P grafana-server) || return 1
  home=$(realpath "$program")
  home=${home%/*/*}
  # The packages put the program below /usr/sbin and everything else elsewhere.
  [[ -d $home/conf ]] || home=/usr/share/grafana
  printf '%s\n%s\n' "$program" "$home"
}

grafana_hint() {
  cat <<'END'
grafana    not found, so not started. The dashboards are in deploy/grafana; to see them:
             get Grafana 12.4 or 13.1 (https://grafana.com/grafana/download, the archive for Linux), unpack it, and
             HBAGENT_GRAFANA=FOLDER deploy/stack.sh up postgres grafana     (FOLDER is the one with bin/ and conf/)
END
}

# grafana_role PORT: makes the role with which Grafana reads the database on that port, or brings it up to date.
grafana_role() {
  GRAFANA_DB_PASSWORD=grafana PGPASSWORD=postgres PGCONNECT_TIMEOUT=5 \
    psql -X -q -h 127.0.0.1 -p "$1" -U postgres -d heartbeat_db -f "$GRAFANA_FILES/role.sql"
}

# grafana_run FOLDER PORT: replaces the shell by the server. HBAGENT_GRAFANA_DB: host:port of the database.
grafana_run() {
  local folder=$1 port=$2 found start
  mapfile -t found < <(grafana_find)
  ((${#found[@]} == 2)) || fail "Grafana is missing: name its folder by HBAGENT_GRAFANA"
  start=("${found[0]}")
  [[ ${found[0]##*/} != grafana ]] || start+=(server)
  mkdir -p "$folder/data" && chmod 700 "$folder" || exit
  ln -sfn "$GRAFANA_FILES/dashboards" "$folder/data/dashboards" || exit
  set -a
  # shellcheck source=../grafana/grafana.env
  source "$GRAFANA_FILES/grafana.env"
  set +a
  cd "$folder" || exit
  exec env \
    GF_SERVER_HTTP_ADDR=127.0.0.1 \
    GF_SERVER_HTTP_PORT="$port" \
    GF_PATHS_DATA="$folder/data" \
    GF_PATHS_LOGS="$folder/log" \
    GF_PATHS_PLUGINS="$folder/plugins" \
    GF_PATHS_PROVISIONING="$GRAFANA_FILES/provisioning" \
    GF_LOG_MODE=console \
    GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH="$GRAFANA_FILES/dashboards/heart-rates.json" \
    HBAGENT_GRAFANA_DB="${HBAGENT_GRAFANA_DB:-127.0.0.1:5435}" \
    GRAFANA_DB_PASSWORD=grafana \
    setpriv --pdeathsig "${HBAGENT_PARENT_DEATH_SIGNAL:-clear}" -- \
    "${start[@]}" --homepath "${found[1]}"
}

# /api/health is answered once the provisioning is over.
grafana_ready() {
  local port=$1 answer
  # shellcheck disable=SC2016 # $1 is the inner shell's
  answer=$(timeout 2 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "GET /api/health HTTP/1.0\r\n\r\n" >&3 &&
    head -n 1 <&3' bash "$port" 2>/dev/null)
  [[ $answer == "HTTP/1."?" 200"* ]]
}

grafana_stop_signal() { printf 'TERM\n'; }

grafana_describe() { printf 'http://127.0.0.1:%s/d/hbagent-heart-rates\n' "$1"; }
