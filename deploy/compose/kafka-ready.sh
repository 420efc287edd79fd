#!/usr/bin/env bash
# Exit code 0 when the Kafka broker on HOST:PORT answers a request. Asked every few seconds, so not with Kafka's own
# tools: each of those starts a Java machine.
#
#   kafka-ready.sh HOST PORT
set -u

exec 3<>"/dev/tcp/$1/$2" || exit 1
# ApiVersions, version 0 (https://kafka.apache.org/protocol): the length that follows, key 18, version 0, correlation id
# 1, no client id. The answer begins with its length and the same correlation id.
printf '\0\0\0\x0a\0\x12\0\0\0\0\0\x01\xff\xff' >&3
[[ $(head -c 8 <&3 | tail -c 4 | od -An -tx1) == ' 00 00 00 01' ]]
