#!/usr/bin/env bash
# Tells where each real server is. One line a server: name, path ("-" if there is none), what it is or what is missing;
# separated by tabs. Usage: find.sh [mosquitto|influxdb|postgresql|chromium|faketime|telegraf]...  Exit 0 if all of these are there.
#
# A path of one's own wins: FOREWARN_MOSQUITTO, FOREWARN_INFLUXD, FOREWARN_POSTGRESQL (the folder that holds
# initdb and postgres), FOREWARN_CHROMIUM, FOREWARN_TELEGRAF, FOREWARN_FAKETIME (the library libfaketimeMT.so.1).
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/versions.sh"
status=0
# Debian keeps daemons where the PATH of a plain user does not look.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

found() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }

missing() {
    printf '%s\t-\t%s\n' "$1" "$2"
    status=1
}

first_command() {
    local name
    for name in "$@"; do
        if [ -n "$name" ] && command -v "$name" 2>/dev/null; then
            return 0
        fi
    done
    return 1
}

find_mosquitto() {
    local path
    path=$(first_command "${FOREWARN_MOSQUITTO:-}" mosquitto) || { missing mosquitto "no mosquitto on this machine"; return; }
    if ! first_command mosquitto_pub >/dev/null; then
        missing mosquitto "mosquitto is at $path, but its clients (mosquitto_pub) are missing"
        return
    fi
    found mosquitto "$path" "$("$path" -h 2>/dev/null | head -n 1)"
}

find_influxdb() {
    local path version
    path=$(first_command "${FOREWARN_INFLUXD:-}" "$influxdb_folder/influxd" influxd) ||
        { missing influxdb "no influxd on this machine, nor built in $influxdb_folder"; return; }
    version=$("$path" version 2>/dev/null | head -n 1)
    case $version in
        "InfluxDB v2."* | "InfluxDB dev"*) found influxdb "$path" "$version" ;;
        *) missing influxdb "$path is no InfluxDB 2 (${version:-it tells no version})" ;;
    esac
}

find_postgresql() {
    local folder
    while read -r folder; do
        if [ -x "$folder/initdb" ] && [ -x "$folder/postgres" ]; then
            found postgresql "$folder" "$("$folder/postgres" --version)"
            return
        fi
    done < <(
        printf '%s\n' "${FOREWARN_POSTGRESQL:-}"
        find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -Vr
        dirname "$(readlink -f "$(command -v initdb || echo /none/none)")"
    )
    missing postgresql "no PostgreSQL server (initdb, postgres) on this machine"
}

find_chromium() {
    local path
    path=$(first_command "${FOREWARN_CHROMIUM:-}" chromium chromium-browser google-chrome google-chrome-stable) ||
        { missing chromium "no Chromium on this machine"; return; }
    found chromium "$path" "$("$path" --version 2>/dev/null | tail -n 1)"
}

find_telegraf() {
    local path version
    path=$(first_command "${FOREWARN_TELEGRAF:-}" "$telegraf_folder/telegraf" telegraf) ||
        { missing telegraf "no telegraf on this machine, nor built in $telegraf_folder"; return; }
    version=$("$path" --version 2>/dev/null | head -n 1)
    case $version in
        "Telegraf "*) found telegraf "$path" "$version" ;;
        *) missing telegraf "$path is no Telegraf (${version:-it tells no version})" ;;
    esac
}

find_faketime() {
    local path
    for path in "${FOREWARN_FAKETIME:-}" /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1; do
        if [ -f "$path" ]; then
            found faketime "$path" "libfaketime, for programs with threads"
            return
        fi
    done
    missing faketime "no libfaketimeMT.so.1 on this machine"
}

[ $# -gt 0 ] || set -- "${all_servers[@]}"
for server in "$@"; do
    case $server in
        mosquitto | influxdb | postgresql | chromium | faketime | telegraf) "find_$server" ;;
        *)
            echo "find.sh: no server is called '$server'; known: ${all_servers[*]}" >&2
            exit 2
            ;;
    esac
done
exit "$status"
