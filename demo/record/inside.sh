#!/usr/bin/env bash
# Runs inside the private namespaces made by record.sh: builds the network,
# starts the servers, plays the scenario and writes the recording.
set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
OUT=$1
WORK=/run/recording
SERVER=198.51.100.10
URL=http://$SERVER
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# This script may only be started by record.sh: as process 1 it cannot be on
# the machine's own network or among its processes.
[[ $$ == 1 ]] || { echo "inside.sh: start record.sh instead" >&2; exit 1; }

# shellcheck source=/dev/null
for part in network servers visitors attacks notes; do . "$HERE/$part.sh"; done

pids=()         # servers
visitor_pids=() # ordinary traffic

cleanup() {
    local p
    for p in "${visitor_pids[@]}" "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
}
trap cleanup EXIT
trap 'exit 130' INT TERM

say() { echo "$(date -u +%T) $*" >&2; }
utc() { date -u +%Y-%m-%dT%H:%M:%SZ; }

running() { [[ ! -e $WORK/stop ]]; }

# Sleeps between $1 and $2 seconds, less when the recording ends.
pause() {
    local until=$((SECONDS + $1 + RANDOM % ($2 - $1 + 1)))
    while running && ((SECONDS < until)); do sleep 1; done
}

# phase ID ADDRESS COMMAND...: runs the command and notes when it ran.
phase() {
    local id=$1 address=$2 start
    shift 2
    say "$id from $address"
    start=$(utc)
    "$@" >"$WORK/out/$id" 2>&1 || say "$id: the tool ended with status $?"
    printf '%s\t%s\t%s\t%s\n' "$start" "$(utc)" "$address" "$id" >>"$WORK/phases"
}

# The slow password spray runs behind the other attacks, as it would in life.
play() {
    phase quiet-start - sleep 45
    phase nmap 203.0.113.77 attack_nmap
    phase spray 203.0.113.67 attack_spray & local spray=$!
    sleep 15
    phase ssh-brute-force 203.0.113.66 attack_ssh
    sleep 20
    phase ssh-intruder 203.0.113.66 attack_ssh_login
    sleep 15
    phase api-guessing 203.0.113.88 attack_api_slowly
    phase api-stuffing 203.0.113.88 attack_api
    sleep 20
    phase path-search 203.0.113.77 attack_paths
    sleep 15
    phase sql-injection 203.0.113.78 attack_sql
    sleep 15
    phase flood 203.0.113.90 attack_flood
    wait "$spray"
    phase quiet-end - sleep 40
}

stop_visitors() {
    touch "$WORK/stop"
    wait "${visitor_pids[@]}" || true
    visitor_pids=()
}

save() {
    local as_of=$1
    gzip -9 -n -c "$WORK/log/auth.log" >"$OUT/auth.log.gz"
    gzip -9 -n -c "$WORK/log/access.log" >"$OUT/access.log.gz"
    echo "$as_of" >"$OUT/as_of"
    write_notes "$as_of" >"$OUT/NOTES.md"
}

main() {
    private_directories
    build_network
    start_servers
    start_visitors
    play
    stop_visitors
    stop_servers
    sleep 1 # so that the as-of time is later than the last event
    local as_of
    as_of=$(utc)
    check_recording
    save "$as_of"
    say "done: $(wc -l <"$WORK/log/auth.log") and $(wc -l <"$WORK/log/access.log") lines"
}
main
