#!/usr/bin/env bash
# Records the logs of a real sshd and a real nginx while real tools attack them.
#
#   sudo ./record.sh [OUTPUT_DIR]      (default: ../recording)
#
# Takes about eleven minutes on Debian 12. Everything runs in private network,
# process, mount and host name namespaces. There is no link from them to any
# other network, and all of it disappears when the script ends.
#
# The packages stay installed afterwards, so use a throw-away machine.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=${1:-$HERE/../recording}

PACKAGES=(openssh-server openssh-client nginx-light rsyslog python3 openssl
          curl iproute2 hydra nmap gobuster dirb sqlmap)
COMMANDS=(/usr/sbin/sshd ssh nginx rsyslogd /usr/bin/python3 openssl
          curl ip hydra nmap gobuster sqlmap)

# No run may last longer than this, whatever happens.
LIMIT_SECONDS=1500

POLICY=/usr/sbin/policy-rc.d
made_policy=no
inside=

die() { echo "record.sh: $*" >&2; exit 1; }

everything_installed() {
    local c
    for c in "${COMMANDS[@]}"; do
        command -v "$c" >/dev/null || return 1
    done
    [[ -r /usr/share/dirb/wordlists/common.txt ]]
}

# Installing sshd and nginx would normally start them on this machine. A policy
# file that answers 101 prevents that; one that is already there is left alone.
forbid_service_start() {
    [[ -e $POLICY ]] && return
    printf '#!/bin/sh\nexit 101\n' >"$POLICY"
    chmod 755 "$POLICY"
    made_policy=yes
}

allow_service_start() {
    [[ $made_policy == no ]] || rm -f "$POLICY"
    made_policy=no
}

cleanup() {
    allow_service_start
    [[ -z $inside ]] && return
    kill "$inside" 2>/dev/null || true
    wait "$inside" || true
}

install_packages() {
    everything_installed && return
    forbid_service_start
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${PACKAGES[@]}"
    allow_service_start
    everything_installed || die "some commands are still missing"
}

# --kill-child with a process namespace: once the first process in it is gone,
# the kernel ends every process that was started there, and no other. It runs in
# the background because the shell acts on signals only while it waits.
run_inside() {
    TZ=UTC LC_ALL=C.UTF-8 timeout --foreground -k 3 "$LIMIT_SECONDS" \
        unshare --net --uts --ipc --mount --pid --fork --kill-child --mount-proc \
        bash "$HERE/inside.sh" "$OUT" &
    inside=$!
    wait "$inside"
    inside=
}

trap cleanup EXIT
trap 'exit 130' INT TERM
[[ $(id -u) == 0 ]] || die "must run as root"
mkdir -p "$OUT"
OUT=$(cd "$OUT" && pwd)
install_packages
run_inside
