#!/bin/sh
# Runs Mosquitto in the foreground and has it read its accounts again whenever ingest writes them anew: ingest lives in
# another container and can't signal it. Usage: broker.sh ACCOUNTS_FOLDER [CONFIG]
set -eu
accounts=$1
config=${2:-/etc/forewarn/mosquitto.conf}

until [ -s "$accounts/passwd" ] && [ -s "$accounts/acl" ]; do
    echo "broker: waiting for ingest to write $accounts/passwd and acl"
    sleep 1
done

mosquitto -c "$config" &
broker=$!
trap 'kill -TERM "$broker" 2>/dev/null; wait "$broker"; exit 0' TERM INT

stamp() { stat -c '%Y %i %s' "$accounts/passwd" "$accounts/acl" 2>/dev/null || true; }
seen=$(stamp)
while kill -0 "$broker" 2>/dev/null; do
    sleep 1
    now=$(stamp)
    if [ "$now" != "$seen" ]; then
        seen=$now
        kill -HUP "$broker"
        echo "broker: accounts read again"
    fi
done
wait "$broker"
