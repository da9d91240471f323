#!/usr/bin/env bash
# Builds influxd from the Go module that go.mod and go.sum beside this file pin, and moves it in whole.
# Usage: build.sh FOLDER-VERSION. Prints nothing of note; the last line on stderr says why it failed.
#
# influxd is Go with one Rust library, libflux, which InfluxData's pkg-config finds and builds with cargo.
set -euo pipefail

target=$1
version=${target##*-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=$(dirname "$target")
pkg_config_version=v0.2.14
export CARGO_TERM_COLOR=never

. "$here/../go.sh"
need_go 1.24 "$cache"

command -v cargo >/dev/null || fail "needs cargo 1.80 or newer, best from rustup"
cargo_home=$(dirname "$(dirname "$(command -v cargo)")")
if command -v rustup >/dev/null; then
    # rustup looks below HOME; in a run with an empty home its toolchains are beside the .cargo that cargo is in.
    if [ -z "${RUSTUP_HOME:-}" ] && ! compgen -G "$HOME/.rustup/toolchains/*" >/dev/null &&
        [ -d "$cargo_home/../.rustup" ]; then
        RUSTUP_HOME=$(cd "$cargo_home/../.rustup" && pwd)
        export RUSTUP_HOME
    fi
    # libflux asks for an old toolchain by name, which few machines have; any stable one will do.
    export RUSTUP_TOOLCHAIN="${RUSTUP_TOOLCHAIN:-stable}"
fi
cargo --version >/dev/null || fail "cargo does not run here (rustup toolchain ${RUSTUP_TOOLCHAIN:-none})"

rm -rf "$cache"/influxd-build.* # of builds that were killed; the caller's lock keeps all others out
work=$(mktemp -d "$cache/influxd-build.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bin"

# libflux makes warnings errors, and newer compilers warn more; RUSTFLAGS does not reach its build script's crates.
cat >"$work/bin/rustc-wrapper" <<'WRAPPER'
#!/bin/sh
case " $* " in *" --cap-lints"*) exec "$@" ;; esac
exec "$@" --cap-lints warn
WRAPPER
chmod 755 "$work/bin/rustc-wrapper"

cd "$here"
export GOTOOLCHAIN=local
export GOFLAGS="-mod=readonly -buildvcs=false"
GOBIN="$work/bin" go install "github.com/influxdata/pkg-config@$pkg_config_version" ||
    fail "could not build InfluxData's pkg-config"
PKG_CONFIG="$work/bin/pkg-config" RUSTC_WRAPPER="$work/bin/rustc-wrapper" CGO_ENABLED=1 \
    go build -trimpath -tags noassets,sqlite_foreign_keys,sqlite_json \
    -ldflags "-s -w -X main.version=v$version -X main.commit=" -o "$work/out/influxd" \
    github.com/influxdata/influxdb/v2/cmd/influxd || fail "go build of influxd failed"
"$work/out/influxd" version >&2 || fail "the influxd that was built does not run"
rm -rf "$target"
mv "$work/out" "$target"
