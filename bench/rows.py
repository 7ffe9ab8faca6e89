"""The rows about Tocsin alone: what is run, what is said about it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import page
from measure import alternate, median, run
from page import Figure, Side

AS_OF = ["--as-of", "2026-01-16T00:00:00Z"]
MEMORY_TIMES = 8
MEMORY_MAX = 100e6
LINES_GOAL = 500_000


@dataclass
class Bench:
    """The program, sizes and the folder everything happens in."""

    root: Path
    folder: Path
    tocsin: str
    pairs: int
    auth: int
    lines: int

    def input(self, kind, lines, name=None):
        """A generated file; made once."""
        path = self.folder / (name or f"{kind}-{lines}.log")
        if not path.exists():
            draft = path.with_suffix(".draft")
            generator = [sys.executable, str(self.root / "bench" / "gen.py"), kind, str(lines), str(draft)]
            subprocess.run(generator, check=True, timeout=900)
            draft.rename(path)
        return path.name

    def scan(self, arguments, one_core=True, output=os.devnull):
        """Runs `tocsin scan`."""
        threads = ["--threads", "1"] if one_core else []
        return run([self.tocsin, "scan", *arguments, *AS_OF, *threads], self.folder, one_core, output)


def scan_line(*arguments):
    """A command for the reader."""
    return " ".join(["tocsin scan", *arguments, *AS_OF])


def log_lines(bench):
    """sshd and access logs: lines a second."""
    sets = {"shipped rules": [], "authentication rules": ["-r", "rules/base", "-r", "rules/authentication"]}
    figures, rows, told = [], [], []
    for kind in ("sshd", "access"):
        name = bench.input(kind, bench.lines)
        for rules, arguments in sets.items():
            jobs = {
                "all": lambda: bench.scan([name, "--json", *arguments], one_core=False),
                "one": lambda: bench.scan([name, "--json", *arguments]),
            }
            runs = alternate(bench.pairs, jobs, f"{kind}, {rules}")
            told.append(scan_line(name, "--json", *arguments, "[--threads 1]"))
            every = Side.of(f"{kind}, {rules}, all cores", runs["all"])
            rows += [every.row(bench.lines), Side.of(f"{kind}, {rules}, one core", runs["one"]).row(bench.lines)]
            rate = bench.lines / median(every.wall)
            verdict = page.judged(rate, LINES_GOAL, None)
            what = f"{kind} lines with the {rules}, all cores, wall time"
            figures.append(Figure("lines", what, f"{page.number(rate)}/s", f"{page.number(LINES_GOAL)}/s", "", verdict))
    heads = [head.replace("events", "lines") for head in page.SIDE_HEADS]
    return (
        figures,
        "## Log lines\n\n" + page.commands(*told) + page.table(heads, rows) + "\nAlerts are written; load included.\n",
    )


def memory(bench):
    """Peak memory of a scan, whatever the file's size."""
    peaks, rows = [], []
    whole = {"auth": bench.auth * MEMORY_TIMES, "sshd": bench.lines, "access": bench.lines}
    for kind, most in whole.items():
        for lines in (most // MEMORY_TIMES, most):
            name = bench.input(kind, lines)
            size = (bench.folder / name).stat().st_size
            every, one = (bench.scan([name, "--json"], one_core=one_core).rss for one_core in (False, True))
            peaks += [every, one]
            rows.append(
                [kind, page.number(lines), f"{size / 1e6:,.0f} MB", f"{every / 1e6:.1f} MB", f"{one / 1e6:.1f} MB"]
            )
    (bench.folder / bench.input("auth", whole["auth"])).unlink()
    verdict = page.judged(-max(peaks), -MEMORY_MAX, None)
    figure = Figure(
        "memory", "highest peak of a scan with the shipped rules", f"{max(peaks) / 1e6:.1f} MB", "100 MB", "", verdict
    )
    text = page.commands(scan_line("FILE", "--json", "[--threads 1]"))
    text += page.table(["input", "lines", "size", "peak, all cores", "peak, one core"], rows)
    return [figure], "## Memory\n\n" + text


ROWS = (log_lines, memory)
