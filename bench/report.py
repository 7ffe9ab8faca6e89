#!/usr/bin/env python3
"""Runs Tocsin alone and writes what came out as a page, in which the parts about its peers and its server stay.

usage: report.py --tocsin PATH --folder DIR --page FILE [--small] [--pairs N]
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


def machine(tocsin, more=()):
    """What it ran on; `more` are lines of the caller's."""
    memory = int(entry("/proc/meminfo", "MemTotal").split()[0]) * 1024
    changed = " with changes" if first_line(["git", "status", "--porcelain", "-uno"]) != "-" else ""
    rows = [
        ["processor", f"{entry('/proc/cpuinfo', 'model name')}, {len(os.sched_getaffinity(0))} cores"],
        ["memory", f"{memory / 2**30:.1f} GiB"],
        ["kernel", f"{platform.system()} {platform.release()}"],
        ["rustc", first_line(["rustc", "--version"])],
        ["RUSTFLAGS", os.environ.get("RUSTFLAGS", "") or "none"],
        [
            "tocsin",
            f"{first_line([tocsin, '--version'])}, {first_line(['git', 'rev-parse', '--short', 'HEAD'])}{changed}",
        ],
        *more,
        ["date", f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"],
    ]
    return page.table(["", ""], rows)


def load():
    """The load of the machine, in words."""
    return " ".join(f"{one:.2f}" for one in os.getloadavg())


HOW = """Every row runs its programs in turn, {pairs} times, in one session; a figure is a median. Machines differ and
so do their quiet hours: quote ratios, never single times. One core means pinned to one core and one thread. Peaks below
some 14 MB cannot be told apart (the process that measures is that large). Written by `make bench`; the input comes from
`bench/gen.py`.
"""


def assemble(bench, options):
    """Runs every row and puts the page together."""
    figures, sections = [], []
    for row in ROWS:
        began = time.monotonic()
        try:
            some, text = row(bench)
        except Failed as failed:
            some, text = [
                page.Figure("-", row.__doc__, "-", "", "", "failed")
            ], f"## {row.__doc__}\n\nFailed: {failed}\n"
        print(f"bench: {row.__doc__} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
        figures += some
        sections.append(text)
    warning = "**Small inputs: to see that it works. Nothing here may be quoted.**\n\n" if options.small else ""
    head = (
        "# How fast Tocsin is\n\n"
        + warning
        + machine(options.tocsin, [("load before", load())])
        + "\n"
        + HOW.format(pairs=bench.pairs)
    )
    return head + "\n## Summary\n\n" + page.summary(figures) + "\n" + "\n".join(sections)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Tocsin alone")
    for name in ("tocsin", "folder", "page"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--pairs", type=int)
    return parser.parse_args()


def main():
    options = arguments()
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(ROOT / "rules", folder / "rules", dirs_exist_ok=True)
    sizes = (
        {"auth": 20_000, "lines": 20_000, "pairs": 2}
        if options.small
        else {"auth": 500_000, "lines": 1_000_000, "pairs": 5}
    )
    if options.pairs:
        sizes["pairs"] = options.pairs
    text = assemble(Bench(root=ROOT, folder=folder, tocsin=str(Path(options.tocsin).resolve()), **sizes), options)
    target = Path(options.page)
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    page_text = text
    for name in page.PARTS:
        if page.part_of(old, name):
            page_text = page.with_part(page_text, name, page.part_of(old, name))
    target.write_text(page_text, encoding="utf-8")
    print(text.split("\n## Summary\n")[1].split("\n## ")[0], file=sys.stderr)


if __name__ == "__main__":
    main()
