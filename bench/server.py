#!/usr/bin/env python3
"""Runs the server beside rsigma's daemon and a server that does nothing, and writes what came out into its part of
the page; the other parts stay as they are.

usage: server.py --tocsin PATH --rsigma PATH --bare PATH --latency PATH --folder DIR --page FILE [--small] [--pairs N]
                 [--only ROW]...
"""
import argparse
import sys
import time
from pathlib import Path

import page
from measure import Failed
from report import ROOT, first_line, load, machine
from server_rows import ROWS, Bench

HOW = """Each program is started on a fresh folder, pressed with wrk (eight connections and one thread unless said; two threads from 64 connections on) after a
second of warm-up, and stopped; programs take turns (A B A B), {pairs} times, in one session. wrk, the server and the disk share
the machine, so wall time, by which ratios are judged here, is what is left beside wrk. Written by `bench/run.sh --server`.
"""


def assemble(bench, options):
    """Runs the rows and puts their part of the page together."""
    figures, sections = [], []
    for row in ROWS:
        if options.only and row.__name__ not in options.only:
            continue
        began = time.monotonic()
        try:
            some, text = row(bench)
        except Failed as failed:
            some = [page.Figure("-", row.__doc__, "-", "", "", "failed")]
            text = f"### {row.__doc__}\n\nFailed: {failed}\n"
        print(f"bench: {row.__doc__} ({time.monotonic() - began:.0f} s)", file=sys.stderr)
        figures += some
        sections.append(text)
    warning = "**Small inputs: to see that it works. Nothing here may be quoted.**\n\n" if options.small else ""
    more = [("peer", first_line([options.rsigma, "--version"])), ("load before", load())]
    head = "## The server\n\n" + warning + machine(options.tocsin, more) + "\n" + HOW.format(pairs=bench.pairs)
    return head + "\n" + page.summary(figures) + "\n" + "\n".join(sections)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Tocsin's server beside rsigma's and one that does nothing")
    for name in ("tocsin", "rsigma", "bare", "latency", "folder", "page"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--only", action="append", choices=[row.__name__ for row in ROWS])
    return parser.parse_args()


def main():
    options = arguments()
    folder = Path(options.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"pairs": 2, "seconds": 1, "latency_seconds": 3, "journal": 64 << 20, "rates": (10_000,)}
    if not options.small:
        sizes = {"pairs": 7, "seconds": 5, "latency_seconds": 30, "journal": 1 << 30, "rates": (50_000, 100_000)}
    if options.pairs:
        sizes["pairs"] = options.pairs
    programs = {name: str(Path(getattr(options, name)).resolve()) for name in ("tocsin", "rsigma", "bare", "latency")}
    text = assemble(Bench(root=ROOT, folder=folder, **programs, **sizes), options)
    target = Path(options.page)
    before = target.read_text(encoding="utf-8") if target.exists() else "# How fast Tocsin is\n"
    target.write_text(page.with_part(before, "server", text), encoding="utf-8")
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
