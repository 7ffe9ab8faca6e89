#!/usr/bin/env python3
"""Counts the instructions an event costs, by stage and by file, with valgrind's callgrind, and writes it into its part
of the page. Instructions, unlike times, are the same on a busy machine.

usage: profile.py --tocsin PATH --folder DIR --page FILE [--small] [--events N]
"""

import argparse
import datetime
import shutil
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import callgrind
import page
import windows
from peers.lab import AS_OF, Lab, Sizes, cut, lines_in
from profile_stages import stage
from report import ROOT, first_line

FILES_TOLD = 15
TIMEOUT_SECONDS = 1_800

HOW = """Instructions an event, counted by callgrind on one thread, load left out (a run on an empty file is taken off).
Code that the compiler put inside other code counts for the file it was written in, a library for whoever called it.
`without` is how much faster the whole would be if the stage cost nothing: an upper bound of what is left to win there.
A cut file is short: its values repeat less than those of a long one, so that predicates weigh more than in `M1`.
"""


def counted(lab, arguments, name):
    """What the instructions of a scan were spent on."""
    out = lab.folder / f"callgrind.{name}"
    tool = ["valgrind", "--tool=callgrind", "--compress-pos=no", f"--callgrind-out-file={out}"]
    command = [*tool, lab.tocsin, "scan", name, *arguments, *AS_OF, "--threads", "1"]
    done = subprocess.run(
        command,
        cwd=lab.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"bench: callgrind: {done.stderr.strip()[-1_000:]}")
    found = callgrind.read(out)
    out.unlink()
    return found


def one(lab, what, name, arguments):
    """The section about one file."""
    lab.say(f"profile: {what}")
    empty, full = counted(lab, arguments, lab.empty()), counted(lab, arguments, name)
    events = lines_in(lab.folder / name)
    files = {file: cost / events for file, cost in callgrind.by_file(full.less(empty)).items()}
    whole = sum(files.values())
    stages = defaultdict(float)
    for file, cost in files.items():
        stages[stage(file)] += cost
    size = (lab.folder / name).stat().st_size / events
    text = f"### {what}: {page.number(events)} events, {size:,.0f} bytes each\n\n"
    text += page.commands(
        f"valgrind --tool=callgrind {' '.join(['tocsin scan', name, *arguments, *AS_OF, '--threads 1'])}"
    )
    text += f"{page.number(whole)} instructions an event, {whole / size:.2f} a byte.\n\n"
    text += page.table(["stage", "instructions an event", "share", "without"], rows(stages, whole, 3))
    text += "\nThe files that cost most:\n\n"
    most = dict(sorted(files.items(), key=lambda pair: -pair[1])[:FILES_TOLD])
    named = {f"`{file}` ({stage(file)})": cost for file, cost in most.items()}
    return text + page.table(["file", "instructions an event", "share"], rows(named, whole, 2)) + "\n"


def rows(costs, whole, columns):
    """Costs as lines of a table, the highest first."""
    ordered = sorted(costs.items(), key=lambda pair: -pair[1])
    cells = [
        [name, page.number(cost), f"{cost / whole:.1%}", f"{whole / max(whole - cost, 1):.2f} ×"]
        for name, cost in ordered
    ]
    return [line[: columns + 1] for line in cells if line[1] != "0"]


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description="Instructions an event, by stage")
    for name in ("tocsin", "folder", "page"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--events", type=int, help="how many events of each file (default: 30,000)")
    parser.add_argument("--small", action="store_true", help="few events: to see that it works")
    options = parser.parse_args()
    options.events = options.events or (3_000 if options.small else 30_000)
    return options


def main():
    options = arguments()
    if not shutil.which("valgrind"):
        sys.exit("bench: missing: valgrind (Debian: apt-get install valgrind)")
    # A folder for each size: files are made once.
    folder = Path(options.folder).resolve() / str(options.events)
    folder.mkdir(parents=True, exist_ok=True)
    lab = Lab(ROOT, folder, str(Path(options.tocsin).resolve()), "", {}, {}, Sizes(head=options.events, times=1))
    version, commit = first_line([lab.tocsin, "--version"]), first_line(["git", "rev-parse", "--short", "HEAD"])
    text = "## Where the instructions go\n\n"
    text += f"{version}, {commit}, {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}. {HOW}Written by `make profile`.\n\n"
    logins = lab.logins(options.events)
    text += one(lab, "one rule on logins", logins, ["--matches", "--ungated", "-r", lab.copied("failed_login.yml")])
    text += one(lab, "brute force on logins", logins, ["--json", "--ungated", "-r", lab.copied("brute_force.yml")])
    if windows.folder(ROOT):
        rules, *_ = lab.windows_rules()
        for kind in windows.FILES:
            name = f"profile-{kind}.ndjson"
            cut(folder / lab.windows_events(kind), folder / name, options.events)
            text += one(lab, f"Windows rules on `{kind}`", name, ["--matches", "--ungated", "-r", rules])
    else:
        text += "Windows rules: left out, the recordings do not lie beside this checkout.\n"
    target = Path(options.page)
    old = target.read_text(encoding="utf-8") if target.exists() else "# How fast Tocsin is\n"
    target.write_text(page.with_part(old, "profile", text), encoding="utf-8")
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
