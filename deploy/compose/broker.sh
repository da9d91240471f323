#!/bin/sh
# Runs Mosquitto in the foreground and has it read its accounts again whenever ingest writes them anew: ingest lives in
# another container and can't signal it. Usage: broker.sh FOLDER [CONFIG]; accounts, rights and certificates come into
# FOLDER, and what Mosquitto keeps lies in FOLDER/data, which belongs to the user that runs this. Whose certificates it
# trusts Mosquitto reads at its start alone: it is started anew when clients.crt changes.
set -eu
folder=$1
config=${2:-/etc/forewarn/mosquitto.conf}

# The first process of a container gets no signal that it did not ask for: ask before the first wait.
broker=
stop() {
    if [ -n "$broker" ]; then
        kill -TERM "$broker" 2>/dev/null || true
        wait "$broker" || true
    fi
    exit 0
}
trap stop TERM INT

said=
files="passwd acl acl-certificates server.crt server.key clients.crt revoked.crl"
there() { for file in $files; do [ -s "$folder/$file" ] || return 1; done; }
until there; do
    [ -n "$said" ] || echo "broker: waiting for ingest to write $folder: $files"
    said=yes
    sleep 1
done
mkdir -p "$folder/data"

stamp() { for file in "$@"; do stat -c '%Y %i %s' "$folder/$file" 2>/dev/null || true; done; }
begin() {
    seen=$(stamp $files)
    trusted=$(cat "$folder/clients.crt")
    mosquitto -c "$config" &
    broker=$!
}
begin

while kill -0 "$broker" 2>/dev/null; do
    sleep 1
    now=$(stamp $files)
    if [ "$(cat "$folder/clients.crt")" != "$trusted" ]; then
        echo "broker: another authority of devices: it starts anew"
        kill -TERM "$broker"
        wait "$broker" || true
        begin
    elif [ "$now" != "$seen" ]; then
        seen=$now
        kill -HUP "$broker"
        echo "broker: accounts read again"
    fi
done
wait "$broker"
