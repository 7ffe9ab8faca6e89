#!/usr/bin/env bash
# scripts/capped.sh MEBIBYTES COMMAND...   runs a command whose memory the kernel caps, where it lets us.
set -euo pipefail

cap=$(($1 << 20))
shift

make_group() {
    local root=/sys/fs/cgroup
    if [[ -w $root/memory/cgroup.procs ]]; then
        group=$root/memory/tocsin-$$
        mkdir "$group" && echo "$cap" >"$group/memory.limit_in_bytes"
    elif [[ -w $root/cgroup.subtree_control ]] && echo +memory >$root/cgroup.subtree_control; then
        group=$root/tocsin-$$
        mkdir "$group" && echo "$cap" >"$group/memory.max" && echo 0 >"$group/memory.swap.max"
    else
        return 1
    fi
} 2>/dev/null

if make_group; then
    trap 'rmdir "$group"' EXIT
    echo "memory is capped at $((cap >> 20)) MiB by the kernel"
    (echo "$BASHPID" >"$group/cgroup.procs" && exec "$@")
else
    echo "the kernel lets nobody cap memory here; the test measures its peak itself"
    "$@"
fi
