#!/usr/bin/env bash
# Builds Telegraf with the few plugins that benchmarks and tests set beside ingest, and moves it in whole.
# Usage: build.sh FOLDER-VERSION. The last line on stderr says why it failed.
#
# Telegraf's own go.mod and go.sum name every dependency; a module that begins as a copy of them builds exactly these.
# The two sums below pin Telegraf itself: Go refuses anything else under that version.
set -euo pipefail

target=$1
version=v${target##*-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(dirname "$target")
module=github.com/influxdata/telegraf
sum=h1:mYr0I/suEw9+UM4KrCFuYuzJuq/e99cINniIwqO6ykw=
mod_sum=h1:dq+24HZKWxGo5ttW03SZug03UlFfpxh9vsXQgdZ9RPw=
tags=custom,inputs.mqtt_consumer,outputs.influxdb_v2,parsers.json_v2,parsers.json,parsers.influx

. "$here/../go.sh"
need_go 1.25.5 "$cache"

rm -rf "$cache"/telegraf-build.* # of builds that were killed; the caller's lock keeps all others out
work=$(mktemp -d "$cache/telegraf-build.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

export GOTOOLCHAIN=local
export GOFLAGS="-buildvcs=false"
told=$(go mod download -json "$module@$version") || fail "could not fetch $module $version"
own() { sed -n "s/^\t\"$1\": \"\(.*\)\",\?$/\1/p" <<<"$told"; }
[ "$(own Sum)" = "$sum" ] || fail "$module $version is not what it was: $(own Sum)"
source=$(own Dir)
{
    sed "s|^module .*|module forewarn.local/telegraf|" "$source/go.mod"
    echo "require $module $version"
    echo "tool $module/cmd/telegraf"
} >go.mod
{
    cat "$source/go.sum"
    echo "$module $version $sum"
    echo "$module $version/go.mod $mod_sum"
} >go.sum
go build -mod=mod -trimpath -tags "$tags" -ldflags "-s -w -X $module/internal.Version=${version#v}" \
    -o out/telegraf "$module/cmd/telegraf" || fail "go build of Telegraf failed"
out/telegraf --version >&2 || fail "the Telegraf that was built does not run"
rm -rf "$target"
mv out "$target"
