#!/usr/bin/env bash
# Installs the real servers that tests, benchmarks and fault drills use; what is there already stays as it is.
# Usage: install.sh [mosquitto|influxdb|postgresql|chromium|faketime|telegraf|all]...   (default: all)
# Prints a line a server: where it is, or why it could not be installed. Exit 1 if one of those asked for is missing.
#
# Debian packages need root or a sudo without password. InfluxDB 2 and Telegraf are in no Debian archive: they are built
# from their Go modules, which takes about ten minutes (Telegraf: one) once and is kept in ${XDG_CACHE_HOME:-~/.cache}/forewarn-servers.
set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/versions.sh"
. "$here/apt.sh"
reason=

install_mosquitto() { apt_install mosquitto mosquitto-clients; }
install_postgresql() { apt_install postgresql; }
install_chromium() { apt_install chromium fonts-dejavu-core; }
install_faketime() { apt_install faketime; }

# built SERVER PROGRAM VERSION FOLDER: run its build.sh, unless another run has done so while this one waited.
built() {
    local log="$cache/$1-$3.log"
    (
        flock 9
        if "$here/find.sh" "$1" >/dev/null; then
            exit 0
        fi
        exec nice -n 5 "$here/$2/build.sh" "$4" </dev/null >"$log" 2>&1 9>&-
    ) 9>"$cache/$1.lock"
    if [ $? != 0 ]; then
        reason="$(tail -n 1 "$log") (log: $log)"
        return 1
    fi
}

install_influxdb() { built influxdb influxd "$influxdb_version" "$influxdb_folder"; }

install_telegraf() {
    echo "telegraf: building $telegraf_version from source, once, for a minute or two" >&2
    built telegraf telegraf "$telegraf_version" "$telegraf_folder"
}

needs_of_influxdb() {
    local tool wanted=()
    for tool in clang pkg-config protoc; do
        command -v "$tool" >/dev/null || wanted+=("$tool")
    done
    ls /usr/lib/llvm-*/lib/libclang*.so* /usr/lib/*/libclang*.so* /usr/lib64/libclang*.so* >/dev/null 2>&1 ||
        wanted+=(libclang)
    [ "${#wanted[@]}" = 0 ] || apt_install clang libclang-dev pkg-config protobuf-compiler
}

ensure() {
    local server=$1 line
    reason=
    if ! line=$("$here/find.sh" "$server"); then
        case $server in
            influxdb)
                echo "influxdb: building $influxdb_version from source, once, for some minutes" >&2
                needs_of_influxdb && install_influxdb
                ;;
            *) "install_$server" ;;
        esac
        line=$("$here/find.sh" "$server")
    fi
    local path what
    IFS=$'\t' read -r _ path what <<<"$line"
    if [ "$path" = - ]; then
        echo "$server: MISSING: ${reason:-$what}"
        return 1
    fi
    echo "$server: $path ($what)"
}

[ $# -gt 0 ] || set -- all
asked=()
for server in "$@"; do
    case $server in
        all) asked+=("${all_servers[@]}") ;;
        mosquitto | influxdb | postgresql | chromium | faketime | telegraf) asked+=("$server") ;;
        *)
            echo "usage: install.sh [mosquitto|influxdb|postgresql|chromium|faketime|telegraf|all]..." >&2
            exit 2
            ;;
    esac
done
mkdir -p "$cache" || exit 1

status=0
for server in "${asked[@]}"; do
    ensure "$server" || status=1
done
exit "$status"
