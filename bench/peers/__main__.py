"""Runs the rows and writes what came out into their part of the page; the other parts stay as they are.

usage: python3 -m peers --tocsin PATH --limits PATH --engines FILE --folder DIR --page FILE
                        [--pairs N] [--small] [--only ROW]...

FILE is what `install.sh` prints.
"""

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import page
from measure import Failed
from peers import rows_http, rows_keys, rows_single, rows_state, rows_windows
from peers.lab import SMALL, Lab, Sizes, space
from report import ROOT, first_line, load, machine

# In the order they run; gates are told apart by what was found without them.
ROWS = (*rows_windows.ROWS, *rows_single.ROWS, *rows_state.ROWS, *rows_keys.ROWS, *rows_http.ROWS)
SPACE_MIN_BYTES = 8 << 30

HOW = """Every row runs its programs in turn on the same file (A B A B), {pairs} times unless it says otherwise, in one
session. A figure is the ratio of the medians, by CPU time on one core and by wall time on two; both stand in the row.
One core means pinned to one core and one thread. Every program is built for the plain x86-64 and writes its results to
nowhere. Match sets are compared before anything is timed, as sets of (rule, line), or (rule, key) for correlations; a
ratio with an unexplained difference says so and does not count. Peaks below some 14 MB cannot be told apart. Machines
differ and so do their quiet hours: quote ratios, never single times. Written by `make bench-peers`.
"""


def engines(path):
    """Paths by name and reasons by name, from what `install.sh` prints."""
    found, missing = {}, {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        name, where, *reason = line.split("\t")
        if where == "-":
            missing[name] = reason[0]
        else:
            found[name] = where
    return found, missing


def title(row):
    """What a row is called."""
    return row.__doc__.splitlines()[0].rstrip(".")


def assemble(lab, only):
    """Runs the rows; their part of the page."""
    figures, sections, before = [], [], load()
    for row in ROWS:
        if only and row.__name__ not in only:
            continue
        began, busy = time.monotonic(), load()
        lab.say(f"{row.__name__}: begun")
        try:
            some, text = row(lab)
        except (Failed, OSError) as failed:
            some = [page.Figure(row.__name__, title(row), "-", "", "", "failed")]
            text = f"### {title(row)}\n\nFailed: {failed}\n"
        took = time.monotonic() - began
        lab.say(f"{row.__name__}: done in {took:.0f} s")
        figures += some
        sections.append(
            f"{text.rstrip()}\n\n`--only {row.__name__}`; {took:.0f} s; load before {busy}, after {load()}.\n"
        )
    return figures, sections, before


def programs(lab):
    """What ran, and what did not."""
    versions = {
        "rsigma": lambda path: first_line([path, "--version"]),
        "sigma-rust": lambda _: "sigma-rust 0.7.0, by a runner of ours (`bench/peers/sigma-rust`)",
        "flink": lambda path: f"{Path(path).name}, PyPI `apache-flink-libraries`; {first_line(['java', '--version'])}",
    }
    rows = [[name, versions[name](path)] for name, path in lab.peers.items()]
    return page.table(["engine", ""], [*rows, *([name, f"not here: {reason}"] for name, reason in lab.missing.items())])


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="peers", description="Tocsin beside other engines")
    for name in ("tocsin", "limits", "engines", "folder", "page"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--small", action="store_true", help="small inputs: to see that it works")
    parser.add_argument("--pairs", type=int, help="how often programs take turns (default: 5)")
    parser.add_argument("--only", action="append", choices=[row.__name__ for row in ROWS])
    return parser.parse_args()


def main():
    chosen = arguments()
    folder = Path(chosen.folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if space(folder) < SPACE_MIN_BYTES:
        sys.exit(f"bench: {folder} needs {SPACE_MIN_BYTES >> 30} GiB of free disk")
    sizes = SMALL if chosen.small else Sizes()
    if chosen.pairs:
        sizes = dataclasses.replace(sizes, pairs=chosen.pairs)
    found, missing = engines(chosen.engines)
    tocsin, limits = (str(Path(path).resolve()) for path in (chosen.tocsin, chosen.limits))
    lab = Lab(ROOT, folder, tocsin, limits, found, missing, sizes)
    figures, sections, before = assemble(lab, chosen.only)
    small = "**Small inputs: to see that it works. Nothing here may be quoted.**\n\n" if chosen.small else ""
    some = f"Only some rows were run: {', '.join(chosen.only)}.\n\n" if chosen.only else ""
    told = (
        "## Beside other engines\n\n"
        + small
        + some
        + machine(tocsin, [("load before", before), ("load after", load())])
    )
    told += "\n" + programs(lab) + "\n" + HOW.format(pairs=lab.pairs) + "\n" + page.summary(figures)
    told += "\n" + "\n".join(sections)
    target = Path(chosen.page)
    text = target.read_text(encoding="utf-8") if target.exists() else "# How fast Tocsin is\n"
    target.write_text(page.with_part(text, "peers", told), encoding="utf-8")
    print(page.summary(figures), file=sys.stderr)


if __name__ == "__main__":
    main()
