#!/bin/sh
# Makes ./secrets for docker-compose.yml: random, kept if they are there. The folder is the owner's alone; the files in it are
# readable, since each is mounted into a container that runs as another user.
set -eu
folder=${1:-secrets}
mkdir -p "$folder"
chmod 700 "$folder"

random() { od -An -tx1 -N32 /dev/urandom | tr -d ' \n'; }
make() {
    [ -s "$folder/$1" ] || printf '%s' "$2" > "$folder/$1"
    chmod 644 "$folder/$1"
}

make influx_token "$(random)"
make influx_password "$(random)"
make postgres_password "$(random)"
make database_url "postgresql+psycopg://forewarn:$(cat "$folder/postgres_password")@postgresql:5432/forewarn"
make mqtt_url "mqtt://ingest:$(random)@mosquitto:1883"
echo "Secrets are in $folder. Keep this folder out of backups that others can read."
