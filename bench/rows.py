"""The rows of the report: what is run, what it is held against, what is said about it."""
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import matchsets
import page
import windows
from measure import alternate, median, run
from page import Figure, Side

AS_OF = ["--as-of", "2026-01-16T00:00:00Z"]
LIMIT_PASSES = 3
MEMORY_TIMES = 8
MEMORY_MAX = 100e6
LINES_GOAL = 500_000
EXAMPLES = 3
UNEXPLAINED = " (unexplained differences: the ratio does not count)"


@dataclass
class Bench:
    """Programs, sizes and the folder everything happens in."""

    root: Path
    folder: Path
    tocsin: str
    rsigma: str
    limits: str
    pairs: int
    auth: int
    lines: int
    times: int
    head: int | None

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

    def eval(self, arguments, output=os.devnull):
        """Runs `rsigma engine eval`; it has one thread."""
        return run([self.rsigma, "engine", "eval", "-q", *arguments], self.folder, True, output)

    def limit(self, name):
        """Runs the limits on a file."""
        output = self.folder / "limits.json"
        done = run([self.limits, name, str(LIMIT_PASSES)], self.folder, True, output)
        done.summary = json.loads(output.read_text())
        return done


def scan_line(*arguments):
    """A command for the reader."""
    return " ".join(["tocsin scan", *arguments, *AS_OF])


def one_rule(bench):
    """M3: one rule on logins."""
    name, rules = bench.input("auth", bench.auth), "failed_login.yml"
    scan, evaluate = [name, "--matches", "--ungated", "-r", rules], ["-r", rules, "-e", f"@{name}"]
    same, text = compared(bench, name, scan, evaluate, {})
    jobs = {
        "tocsin": lambda: bench.scan(scan),
        "rsigma": lambda: bench.eval(evaluate),
        "limits": lambda: bench.limit(name),
    }
    runs = alternate(bench.pairs, jobs)
    ours, theirs = Side.of("tocsin", runs["tocsin"]), Side.of("rsigma", runs["rsigma"])
    limits = [limit_side(runs["limits"], index) for index in range(3)]
    faster, by_rsigma = page.ratio(theirs, ours)
    _, by_sonic = page.ratio(limits[2], ours)
    share = median(limits[2].cpu) / median(ours.cpu)
    text = (
        page.commands(scan_line(*scan, "--threads 1"), f"rsigma engine eval -q {' '.join(evaluate)}", f"limits {name} 3")
        + text
        + page.table(page.SIDE_HEADS, [side.row(bench.auth) for side in (ours, theirs, *limits)])
        + f"\n{by_rsigma}\n\n{by_sonic}\n\nThe limits work on the file in memory, one thread, nothing written; "
        "the programs read the file and write their matches, start and load included.\n"
    )
    figures = [
        Figure("M3", "one rule on logins, one core, against rsigma", f"{faster:.2f} ×", "12 ×", "6 ×", judged(same, faster, 12, 6)),
        Figure("M3", "the same against sonic-rs `get_many`", f"{share:.0%}", "100 %", "60 %", page.judged(share, 1, 0.6)),
    ]
    return figures, "## M3: one rule on logins, one core\n\n" + text


def limit_side(runs, index):
    """One of the limits as a side."""
    limits = [done.summary["limits"][index] for done in runs]
    return Side(limits[0]["name"], [one["cpu_seconds"] for one in limits], [one["wall_seconds"] for one in limits])


def brute_force(bench):
    """M4: more than ten failed logins in five minutes, by address."""
    name, rules = bench.input("auth", bench.auth), "brute_force.yml"
    scan = [name, "--json", "--ungated", "-r", rules]
    evaluate = ["-r", rules, "-e", f"@{name}", "--no-detections", "--suppress", "5m"]
    bench.scan(scan, output=bench.folder / "alerts.tocsin")
    bench.eval(evaluate, output=bench.folder / "alerts.rsigma")
    ours = matchsets.alerts_of_tocsin(bench.folder / "alerts.tocsin")
    theirs = matchsets.alerts_of_rsigma(bench.folder / "alerts.rsigma")
    only = [sorted(ours - theirs), sorted(theirs - ours)]
    runs = alternate(bench.pairs, {"tocsin": lambda: bench.scan(scan), "rsigma": lambda: bench.eval(evaluate)})
    mine, other = Side.of("tocsin", runs["tocsin"]), Side.of("rsigma", runs["rsigma"])
    faster, by_rsigma = page.ratio(other, mine)
    told = f"(rule, key) that fired: tocsin {len(ours)}, rsigma {len(theirs)}, in common {len(ours & theirs)}.\n"
    for side, keys in zip(("tocsin", "rsigma"), only):
        if keys:
            told += f"Only {side}, unexplained: {keys[:EXAMPLES]}\n"
    text = (
        page.commands(scan_line(*scan, "--threads 1"), f"rsigma engine eval -q {' '.join(evaluate)}")
        + told
        + "\n"
        + page.table(page.SIDE_HEADS, [mine.row(bench.auth), other.row(bench.auth)])
        + f"\n{by_rsigma} rsigma is asked for correlations only, once per key and window, which spares it most of its "
        "output; Tocsin writes whole alerts with their evidence.\n"
    )
    verdict = judged(not any(only), faster, 8, 4)
    figure = Figure("M4", "brute force by address, per core, against rsigma", f"{faster:.2f} ×", "8 ×", "4 ×", verdict)
    return [figure], "## M4: brute force (5 min, more than 10, by address), one core\n\n" + text


def judged(same, value, goal, floor):
    """The verdict on a ratio, which counts only when the match sets are explained."""
    return page.judged(value, goal, floor) + ("" if same else UNEXPLAINED)


def windows_rules(bench):
    """M1 and M9: the Windows rules on recorded events."""
    shared = windows.folder(bench.root)
    title = "## M1: Windows rules on recorded events, one core, load left out\n\n"
    if shared is None:
        return [], title + "Left out: the recordings and rules do not lie beside this checkout.\n"
    rules = bench.folder / "rules_windows"
    count, left_out = windows.write_rules(shared, rules, bench.tocsin)
    windows_events(bench, shared)
    texts = {rule_id(path): path.read_text(encoding="utf-8") for path in rules.iterdir()}
    keywords = sum(1 for _, reason in left_out if reason == "keywords")
    text = f"{count} rules. Left out on both sides: {keywords} rules with keywords, which rsigma compares with whole values"
    text += " and the specification with the whole event"
    text += "".join(f"; `{name}` ({reason})" for name, reason in left_out if reason != "keywords") + ".\n"
    text += "Neither program looks at log sources (`--ungated`). Load is left out: of CPU time, that of a run on an empty"
    text += " file; of wall time, Tocsin's own `load_seconds` and rsigma's run on an empty file.\n\n"
    figures = []
    empty = bench.folder / "empty.ndjson"
    empty.touch()
    loads = alternate(bench.pairs, {"tocsin": lambda: windows_scan(bench, empty.name), "rsigma": lambda: windows_eval(bench, empty.name)})
    for name, goal, floor in (("win1k", 10, 7), ("win", 7, 5), ("procu", 5, 4)):
        figure, section = windows_file(bench, name, (goal, floor), loads, texts)
        figures.append(figure)
        text += section
    figures.append(windows_load(loads))
    return figures, title + text


def windows_events(bench, shared):
    """Makes the event files; cuts them for a quick run."""
    if not (bench.folder / "procu.ndjson").exists():
        windows.write_events(shared, bench.folder, bench.times)
        for name in windows.FILES if bench.head else ():
            path = bench.folder / f"{name}.ndjson"
            with open(path, encoding="utf-8") as file:
                lines = [line for _, line in zip(range(bench.head), file)]
            path.write_text("".join(lines), encoding="utf-8")


def windows_scan(bench, name):
    """Tocsin with the Windows rules."""
    return bench.scan([name, "--matches", "--ungated", "-r", "rules_windows"])


def windows_eval(bench, name):
    """rsigma with the Windows rules."""
    return bench.eval(["-r", "rules_windows", "-e", f"@{name}"])


def windows_file(bench, kind, bounds, loads, texts):
    """One of the files of M1."""
    name = f"{kind}.ndjson"
    scan, evaluate = [name, "--matches", "--ungated", "-r", "rules_windows"], ["-r", "rules_windows", "-e", f"@{name}"]
    same, told = compared(bench, name, scan, evaluate, texts)
    runs = alternate(bench.pairs, {"tocsin": lambda: windows_scan(bench, name), "rsigma": lambda: windows_eval(bench, name)})
    events = runs["tocsin"][0].summary["events"]
    load = {side: median([done.cpu for done in runs_]) for side, runs_ in loads.items()}
    their_wall = median([done.wall for done in loads["rsigma"]])
    ours = Side.of("tocsin", runs["tocsin"], load["tocsin"], lambda done: done.summary["load_seconds"])
    theirs = Side.of("rsigma", runs["rsigma"], load["rsigma"], lambda _: their_wall)
    faster, by_rsigma = page.ratio(theirs, ours)
    size = (bench.folder / name).stat().st_size
    section = f"### `{kind}`: {page.number(events)} events, {size / events:,.0f} bytes each\n\n"
    section += page.commands(scan_line(*scan, "--threads 1"), f"rsigma engine eval -q {' '.join(evaluate)}") + told
    section += page.table(page.SIDE_HEADS, [ours.row(events), theirs.row(events)]) + f"\n{by_rsigma}\n\n"
    goal, floor = bounds
    what = f"Windows rules on `{kind}`, one core, load left out"
    return Figure("M1", what, f"{faster:.2f} ×", f"{goal} ×", f"{floor} ×", judged(same, faster, goal, floor)), section


def windows_load(loads):
    """M9: time to load the Windows rules."""
    ours, theirs = (median([done.cpu for done in loads[side]]) for side in ("tocsin", "rsigma"))
    share = ours / theirs
    verdict = page.judged(-share, -1 / 3, -1 / 2)
    value = f"{ours:.2f} s against {theirs:.2f} s: {share:.0%}"
    return Figure("M9", "load of the Windows rules, CPU time of rsigma's", value, "33 %", "50 %", verdict)


def rule_id(path):
    """The id a rule file states."""
    found = re.search(r"^id:\s*['\"]?([0-9a-fA-F-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else path.name


def compared(bench, name, scan, evaluate, texts):
    """Compares what both find; whether every difference is explained, and the differences in words."""
    output = bench.folder / "matches"
    bench.scan(scan, output=f"{output}.tocsin")
    bench.eval([*evaluate, "--include-event"], output=f"{output}.rsigma")
    lines = matchsets.Lines(bench.folder / name)
    ours, theirs = lines.of_tocsin(f"{output}.tocsin"), lines.of_rsigma(f"{output}.rsigma")
    told = f"Matches as (rule, line): tocsin {page.number(len(ours))}, rsigma {page.number(len(theirs))},"
    told += f" in common {page.number(len(ours & theirs))}.\n\n"
    found = matchsets.differences(ours, theirs)
    if not found:
        return True, told
    causes = matchsets.explain(found, ours, texts, lambda some, mapping: again(bench, lines, name, some, mapping))
    rows = []
    for rule, sides in found.items():
        for side in ("tocsin", "rsigma"):
            if sides[side]:
                some = ", ".join(map(str, sides[side][:EXAMPLES]))
                rows.append([f"`{rule}`", side, len(sides[side]), some, causes[rule]])
    told += page.table(["rule", "only", "matches", "lines, the first", "cause"], rows) + "\n"
    told += "".join(f"* {cause}: {matchsets.CAUSES[cause]}.\n" for cause in sorted(set(causes.values()))) + "\n"
    return matchsets.UNEXPLAINED not in causes.values(), told


def again(bench, lines, name, texts, mapping):
    """rsigma's matches for some rules, with or without a pipeline of field names."""
    rules, output, pipeline = (bench.folder / part for part in ("rules_again", "matches.again", "mapping.yml"))
    rules.mkdir(exist_ok=True)
    for old in rules.iterdir():
        old.unlink()
    for rule, text in texts.items():
        (rules / f"{rule}.yml").write_text(text, encoding="utf-8")
    extra = []
    if mapping:
        pipeline.write_text(mapping, encoding="utf-8")
        extra = ["-p", pipeline.name]
    if not texts:
        return set()
    bench.eval(["-r", rules.name, "-e", f"@{name}", "--include-event", *extra], output=output)
    return lines.of_rsigma(output)


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
            runs = alternate(min(bench.pairs, 5), jobs)
            told.append(scan_line(name, "--json", *arguments, "[--threads 1]"))
            every = Side.of(f"{kind}, {rules}, all cores", runs["all"])
            rows += [every.row(bench.lines), Side.of(f"{kind}, {rules}, one core", runs["one"]).row(bench.lines)]
            rate = bench.lines / median(every.wall)
            verdict = page.judged(rate, LINES_GOAL, None)
            what = f"{kind} lines with the {rules}, all cores, wall time"
            figures.append(Figure("lines", what, f"{page.number(rate)}/s", f"{page.number(LINES_GOAL)}/s", "", verdict))
    heads = [head.replace("events", "lines") for head in page.SIDE_HEADS]
    return figures, "## Log lines\n\n" + page.commands(*told) + page.table(heads, rows) + "\nAlerts are written; load included.\n"


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
            rows.append([kind, page.number(lines), f"{size / 1e6:,.0f} MB", f"{every / 1e6:.1f} MB", f"{one / 1e6:.1f} MB"])
    (bench.folder / bench.input("auth", whole["auth"])).unlink()
    verdict = page.judged(-max(peaks), -MEMORY_MAX, None)
    figure = Figure("memory", "highest peak of a scan with the shipped rules", f"{max(peaks) / 1e6:.1f} MB", "100 MB", "", verdict)
    text = page.commands(scan_line("FILE", "--json", "[--threads 1]"))
    text += page.table(["input", "lines", "size", "peak, all cores", "peak, one core"], rows)
    return [figure], "## Memory\n\n" + text


ROWS = (one_rule, brute_force, windows_rules, log_lines, memory)
