#!/usr/bin/env bash
# Exit code 0 when the agent in this container says that it is ready; otherwise its reason is on standard output, where
# `docker inspect` shows it. Needs no program beyond bash: the image has no HTTP client.
set -u
readonly PORT="${HBAGENT_HTTP_PORT:-9464}"

exec 3<>"/dev/tcp/127.0.0.1/$PORT" || {
  printf 'nothing listens on port %s: [http] listen = "0.0.0.0:%s" is missing, or the agent is not up\n' "$PORT" "$PORT"
  exit 1
}
printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
answer=$(cat <&3)
read -r _ code _ <<<"$answer"
[[ $code == 200 ]] && exit
printf '%s\n' "${answer#*$'\r\n\r\n'}"
exit 1
