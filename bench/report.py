#!/usr/bin/env python3
"""Runs Tocsin beside rsigma and the limits of the machine, and writes what came out as a page.

usage: report.py --tocsin PATH --limits PATH --rsigma PATH --folder DIR --page FILE [--quick] [--pairs N]
"""
import argparse
import datetime
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

import page
from measure import Failed
from rows import ROWS, Bench

ROOT = Path(__file__).resolve().parent.parent


def first_line(command):
    """The first line a program prints, or a dash."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return "-"
    return (done.stdout.strip().splitlines() or ["-"])[0]


def entry(path, key):
    """The value of `key` in a file of `key : value` lines."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(key):
            return line.split(":", 1)[1].strip()
    return "-"


def machine(options):
    """What it ran on."""
    memory = int(entry("/proc/meminfo", "MemTotal").split()[0]) * 1024
    changed = " with changes" if first_line(["git", "status", "--porcelain", "-uno"]) != "-" else ""
    rows = [
        ["processor", f"{entry('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores"],
        ["memory", f"{memory / 2**30:.1f} GiB"],
        ["kernel", f"{platform.system()} {platform.release()}"],
        ["rustc", first_line(["rustc", "--version"])],
        ["RUSTFLAGS", os.environ.get("RUSTFLAGS", "") or "none"],
        ["tocsin", f"{first_line([options.tocsin, '--version'])}, {first_line(['git', 'rev-parse', '--short', 'HEAD'])}{changed}"],
        ["peer", first_line([options.rsigma, "--version"])],
        ["load before", " ".join(f"{load:.2f}" for load in os.getloadavg())],
        ["date", f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"],
    ]
    return page.table(["", ""], rows)


HOW = """Every row runs its programs in turn on the same file (A B A B), {pairs} times, in one session. A figure is the
ratio of the medians by CPU time; wall time stands beside it. Machines differ and so do their quiet hours: quote
ratios, never single times. One core means pinned to one core and one thread. Match sets are compared before anything
is timed. Peaks below some 14 MB cannot be told apart (the process that measures is that large). Written by `make bench`; the input comes from `bench/gen.py`.
"""


def assemble(bench, options):
    """Runs every row and puts the page together."""
    figures, sections = [], []
    for row in ROWS:
        began = time.monotonic()
        try:
            some, text = row(bench)
        except Failed as failed:
            some, text = [page.Figure("-", row.__doc__, "-", "", "", "failed")], f"## {row.__doc__}\n\nFailed: {failed}\n"
        print(f"bench: {row.__doc__} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
        figures += some
        sections.append(text)
    warning = "**A quick run: small inputs, few pairs. Nothing here may be quoted.**\n\n" if options.quick else ""
    head = "# How fast Tocsin is\n\n" + warning + machine(options) + "\n" + HOW.format(pairs=bench.pairs)
    return head + "\n## Summary\n\n" + page.summary(figures) + "\n" + "\n".join(sections)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Tocsin beside rsigma and the limits of the machine")
    for name in ("tocsin", "limits", "rsigma", "folder", "page"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--pairs", type=int)
    return parser.parse_args()


def main():
    options = arguments()
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("failed_login.yml", "brute_force.yml"):
        shutil.copy(ROOT / "bench" / "rules" / name, folder / name)
    shutil.copytree(ROOT / "rules", folder / "rules", dirs_exist_ok=True)
    sizes = {"auth": 20_000, "lines": 20_000, "times": 1, "head": 10_000, "pairs": 2}
    if not options.quick:
        sizes = {"auth": 500_000, "lines": 1_000_000, "times": 3, "head": None, "pairs": 7}
    if options.pairs:
        sizes["pairs"] = options.pairs
    programs = {name: str(Path(getattr(options, name)).resolve()) for name in ("tocsin", "rsigma", "limits")}
    text = assemble(Bench(root=ROOT, folder=folder, **programs, **sizes), options)
    target = Path(options.page)
    served = page.server_part(target.read_text(encoding="utf-8")) if target.exists() else ""
    target.write_text(page.with_server(text, served) if served else text, encoding="utf-8")
    print(text.split("\n## Summary\n")[1].split("\n## ")[0], file=sys.stderr)


if __name__ == "__main__":
    main()
