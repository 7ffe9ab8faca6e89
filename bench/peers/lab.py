"""What every row works with: the programs, the sizes, the folder everything happens in."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import windows
from measure import Failed, median, run
from page import Side

AS_OF = ["--as-of", "2026-01-16T00:00:00Z"]
TRIED_LINES = 20_000
SCAN = "every record skipped over (sonic-rs LazyValue)"
FIELDS = "every field (sonic-rs to_object_iter)"
PICKED = "six fields (sonic-rs get_many)"
UNEXPLAINED = " (unexplained differences: the ratio does not count)"


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    pairs: int = 5
    auth: int = 500_000
    flink: int = 2_000_000
    times: int = 3
    head: int | None = None
    keys: int = 1_000_000
    distinct: int = 100_000
    slow: int = 2_000
    seconds: int = 5


SMALL = Sizes(auth=50_000, flink=100_000, times=1, head=10_000, keys=20_000, distinct=2_000, slow=200, seconds=1)


@dataclass
class Lab:
    """The programs under test. `peers` maps names to paths, `missing` names to reasons."""

    root: Path
    folder: Path
    tocsin: str
    limits: str
    peers: dict
    missing: dict
    sizes: Sizes
    kept: dict = field(default_factory=dict)

    @property
    def pairs(self):
        """How many times programs take turns."""
        return self.sizes.pairs

    def say(self, words):
        """A line about how far it is."""
        print(f"bench: {words}", file=sys.stderr, flush=True)

    def peer(self, name):
        """The path of a peer."""
        if name not in self.peers:
            raise Failed(f"{name} is not here: {self.missing.get(name, 'not installed')}")
        return self.peers[name]

    def scan(self, arguments, threads=1, output=os.devnull):
        """Runs `tocsin scan`; with one thread on one core."""
        command = [self.tocsin, "scan", *arguments, *AS_OF, "--threads", str(threads)]
        return run(command, self.folder, threads == 1, output)

    def eval(self, arguments, output=os.devnull):
        """Runs `rsigma engine eval`, which has one thread, on one core."""
        return run([self.peer("rsigma"), "engine", "eval", "-q", *arguments], self.folder, True, output)

    def limit(self, name, passes=1):
        """Runs the limits of the machine on a file; its `summary` maps names to seconds."""
        output = self.folder / "limits.json"
        done = run([self.limits, name, str(passes)], self.folder, True, output)
        done.summary = {one["name"]: one for one in json.loads(output.read_text())["limits"]}
        return done

    def copied(self, rule, **changes):
        """A rule of the benches in the folder, with parts of its text replaced; its name."""
        text = (self.root / "bench" / "rules" / rule).read_text(encoding="utf-8")
        name = rule
        for old, new in changes.items():
            mark = {"group": "source_ip", "least": "gte: 100000"}[old]
            text, name = text.replace(mark, new), f"{old}_{name}"
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def logins(self, lines):
        """A file of logins; made once."""
        return self.made(f"auth-{lines}.log", ["gen.py", "auth", str(lines)])

    def made(self, name, generator):
        """A generated file; made once."""
        path = self.folder / name
        if not path.exists():
            draft = path.with_suffix(".draft")
            script, *arguments = generator
            command = [sys.executable, str(self.root / "bench" / script), *arguments, str(draft)]
            subprocess.run(command, check=True, timeout=900)
            draft.rename(path)
        return name

    def shared(self):
        """Where recordings and rules of others lie."""
        found = windows.folder(self.root)
        if found is None:
            raise Failed("left out: the recordings and rules do not lie beside this checkout")
        return found

    def windows_rules(self):
        """The Windows rules both programs run, without keywords: (their folder, text by id, what was left out)."""
        if "rules" not in self.kept:
            into = self.folder / "rules_windows"
            _, left_out = windows.write_rules(self.shared(), into, self.tocsin)
            texts = {windows.rule_id(path): path.read_text(encoding="utf-8") for path in sorted(into.iterdir())}
            self.kept["rules"] = (into.name, texts, left_out)
        return self.kept["rules"]

    def windows_events(self, kind):
        """One of the recorded event files; made once, cut for a small run."""
        if not (self.folder / "procu.ndjson").exists():
            windows.write_events(self.shared(), self.folder, self.sizes.times)
            for name in windows.FILES if self.sizes.head else ():
                cut(self.folder / f"{name}.ndjson", self.folder / f"{name}.ndjson", self.sizes.head)
        return f"{kind}.ndjson"

    def head_of(self, name, lines=TRIED_LINES):
        """The beginning of a file as a file, to try options on."""
        if not (self.folder / f"head-{name}").exists():
            cut(self.folder / name, self.folder / f"head-{name}", lines)
        return f"head-{name}"

    def empty(self):
        """A file of nothing, to see what starting costs."""
        (self.folder / "empty.ndjson").touch()
        return "empty.ndjson"

    def stats(self, arguments):
        """What `scan --stats` says of a run, where Tocsin has it."""
        if "stats" not in self.kept:
            helped = subprocess.run([self.tocsin, "scan", "--help"], capture_output=True, text=True, check=False)
            self.kept["stats"] = "--stats" in helped.stdout
        if not self.kept["stats"]:
            return ""
        told = self.scan([*arguments, "--stats"]).errors.strip()
        return f"`scan --stats`:\n\n```\n{told}\n```\n\n"


def cut(source, target, lines):
    """The first lines of a file as a file."""
    with open(source, encoding="utf-8") as file:
        head = [line for _, line in zip(range(lines), file)]
    Path(target).write_text("".join(head), encoding="utf-8")


def lines_in(path):
    """How many lines a file has."""
    with open(path, "rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))


def limit_side(runs, name):
    """One of the limits of some runs as a side."""
    limits = [done.summary[name] for done in runs]
    return Side(name, [one["cpu_seconds"] for one in limits], [one["wall_seconds"] for one in limits])


def shares(limits, ours):
    """How near a side comes to what sonic-rs alone does on the same bytes, in words."""
    mine = median(ours.cpu)
    scan, fields = (median(limit_side(limits, name).cpu) / mine for name in (SCAN, FIELDS))
    return (
        f"Share of sonic-rs on the same bytes, by CPU time, nothing but the reading on its side: {scan:.0%} of skipping over"
        f" each record, {fields:.0%} of stopping at every field.\n\n"
    )


def scan_line(*arguments):
    """A command of Tocsin for the reader."""
    return " ".join(["tocsin scan", *arguments, *AS_OF])


def eval_line(*arguments):
    """A command of rsigma for the reader."""
    return " ".join(["rsigma engine eval -q", *arguments])


def space(folder):
    """Bytes free where the files go."""
    return shutil.disk_usage(folder).free
