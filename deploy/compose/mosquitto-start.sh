#!/bin/sh
# Starts Mosquitto with the passwords of .env. Runs in the container of the service mosquitto.
set -eu
umask 077

# Hashed in place: on a command line others could read them.
printf 'hbagent:%s\nwearable:%s\n' "$MQTT_AGENT_PASSWORD" "$MQTT_WEARABLE_PASSWORD" >/tmp/passwords
mosquitto_passwd -U /tmp/passwords
# Mosquitto wants its own files to be nobody else's.
cp /mosquitto/config/acl /tmp/acl
unset MQTT_AGENT_PASSWORD MQTT_WEARABLE_PASSWORD
exec mosquitto -c /mosquitto/config/mosquitto.conf
