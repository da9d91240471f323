# Sourced: which servers there are, the versions of what is built here, and where it is kept.
# shellcheck shell=bash disable=SC2034

all_servers=(mosquitto postgresql chromium faketime influxdb telegraf)
influxdb_version=2.7.12 # the same as in influxd/go.mod
telegraf_version=1.37.2 # its sums are in telegraf/build.sh

if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
fi
cache=${XDG_CACHE_HOME:-$HOME/.cache}/forewarn-servers
influxdb_folder=$cache/influxdb-$influxdb_version
telegraf_folder=$cache/telegraf-$telegraf_version
