# Sourced: Debian packages, installed only where missing, with no service of theirs left running.
# shellcheck shell=bash

# Sets the array `root` to what gains root rights; fails where nothing does.
gain_root() {
    if [ "$(id -u)" = 0 ]; then
        root=(env)
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        root=(sudo -n env)
    else
        return 1
    fi
}

missing_packages() {
    local package
    for package in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

# apt_install PACKAGE...: installs what is missing; on failure sets `reason` to one line for a person.
apt_install() {
    if ! command -v apt-get >/dev/null; then
        reason="this machine has no apt-get; install $* by its own package manager"
        return 1
    fi
    local wanted
    mapfile -t wanted < <(missing_packages "$@")
    [ "${#wanted[@]}" -gt 0 ] || return 0
    local root
    if ! gain_root; then
        reason="needs root or a sudo without password: apt-get install ${wanted[*]}"
        return 1
    fi
    local log="$cache/apt.log"
    (
        flock 9
        mapfile -t wanted < <(missing_packages "$@")
        [ "${#wanted[@]}" -gt 0 ] || exit 0
        local policy=/usr/sbin/policy-rc.d placed=
        if [ ! -e "$policy" ]; then
            # Debian's own way to say that no package may start its service while it is installed.
            printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee "$policy" >/dev/null
            "${root[@]}" chmod 755 "$policy"
            placed=yes
        fi
        install_missing "$log" "${wanted[@]}" 9>&-
        local status=$?
        [ -z "$placed" ] || "${root[@]}" rm -f "$policy"
        exit "$status"
    ) 9>"$cache/apt.lock"
    if [ $? != 0 ]; then
        reason="apt-get install ${wanted[*]} failed: $(grep -E '^(E|Err):' "$log" | head -n 1) (log: $log)"
        return 1
    fi
}

install_missing() {
    local log=$1
    shift
    local apt=("${root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    : >"$log"
    # Old package lists name versions that are gone; none at all know no package.
    if ! apt_lists_are_fresh; then
        "${apt[@]}" update </dev/null >>"$log" 2>&1
    fi
    "${apt[@]}" install --no-install-recommends "$@" </dev/null >>"$log" 2>&1 || return 1
    # Nor may one start at the next boot and take port 1883 or 5432.
    local package unit
    for package in "$@"; do
        unit=$package.service
        case $package in
            mosquitto | postgresql)
                if command -v systemctl >/dev/null; then
                    "${root[@]}" systemctl disable "$unit" </dev/null >>"$log" 2>&1
                fi
                ;;
        esac
    done
    return 0
}

apt_lists_are_fresh() {
    [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 -print -quit 2>/dev/null)" ]
}
