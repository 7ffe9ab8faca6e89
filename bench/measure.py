#!/usr/bin/env python3
"""Runs one program and says what it cost: CPU time, wall time, peak memory.

As a module: `run(command, ...)` returns a `Run`. As a script it is the small process in between:
Linux counts a parent's memory as the child's up to the moment the child's program begins, so the
parent has to be small for the peak to be the child's own.
"""
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

TIMEOUT_SECONDS = 600


class Failed(Exception):
    """A program ended badly or took too long."""


@dataclass
class Run:
    """What one run cost."""

    cpu: float
    wall: float
    rss: int
    errors: str = ""
    summary: dict = field(default_factory=dict)


def last_core():
    """One core to pin to: the last one allowed, which the system bothers least."""
    return max(os.sched_getaffinity(0))


def run(command, folder, one_core=False, output=os.devnull):
    """Runs a command in a folder; its standard output goes to `output`."""
    request = {
        "command": command,
        "folder": str(folder),
        "core": last_core() if one_core else None,
        "output": str(output),
        "timeout": TIMEOUT_SECONDS,
    }
    launcher = [sys.executable, "-S", "-E", __file__]
    done = subprocess.run(launcher, input=json.dumps(request), capture_output=True, text=True, check=False)
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        raise Failed(f"{command[0]}: {done.stderr.strip()}") from None
    if answer["code"] != 0:
        last = (answer["errors"].strip().splitlines() or ["no message"])[-1]
        raise Failed(f"{os.path.basename(command[0])} ended with {answer['code']}: {last}")
    return Run(answer["cpu"], answer["wall"], answer["rss"], answer["errors"], summary(answer["errors"]))


def summary(errors):
    """The JSON object in the last line of a program's messages, if there is one."""
    lines = errors.strip().splitlines()
    if lines and lines[-1].startswith("{"):
        return json.loads(lines[-1])
    return {}


def alternate(pairs, jobs, row=""):
    """Runs jobs in turn, `pairs` times over: A B A B. `jobs` maps names to functions giving a Run.

    With the name of a row it says of every run how long it took.
    """
    runs = {name: [] for name in jobs}
    for turn in range(1, pairs + 1):
        for name, job in jobs.items():
            done = job()
            runs[name].append(done)
            if row:
                print(f"bench: {row}: {name} {turn}/{pairs}: {done.wall:.2f} s", file=sys.stderr, flush=True)
    return runs


def median(values):
    """The median."""
    return statistics.median(values)


def launch():
    """The process in between: reads the request, runs, writes the answer."""
    request = json.load(sys.stdin)
    if request["core"] is not None:
        os.sched_setaffinity(0, {request["core"]})
    with open(request["output"], "wb") as output:
        began = time.monotonic()
        child = subprocess.Popen(
            request["command"], cwd=request["folder"], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.PIPE
        )
        signal.signal(signal.SIGALRM, lambda *_: child.kill())
        signal.alarm(request["timeout"])
        errors = child.stderr.read().decode("utf-8", "replace")
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.monotonic() - began
    child.returncode = os.waitstatus_to_exitcode(status)
    answer = {
        "code": child.returncode,
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": wall,
        "rss": usage.ru_maxrss * 1024,
        "errors": errors[-20_000:],
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    launch()
