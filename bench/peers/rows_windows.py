"""M1, M2 and M9: SigmaHQ's Windows rules on recorded events, on one core and on both, without gates and with."""

import page
from measure import alternate, median
from page import Figure, Side
from peers import compare, options
from peers.lab import UNEXPLAINED, eval_line, lines_in, scan_line, shares

# By file: goal and floor on one core, goal and floor on both.
BOUNDS = {"win1k": ((10, 7), (18, 12)), "win": ((7, 5), (12, 8)), "procu": ((5, 4), (10, 7))}
WHOLE = (8, 5)
GATED = ("-p", "sysmon")


def windows_ungated(lab):
    """Windows rules, neither looks at log sources"""
    figures, text = family(lab, "ungated", ["--ungated"], [])
    return figures, "### M1, M2: Windows rules, neither looks at log sources\n\n" + text


def windows_gated(lab):
    """Windows rules, both look at log sources"""
    for kind in BOUNDS:
        if ("found", "ungated", kind) not in lab.kept:
            lab.kept["found", "ungated", kind] = matched(lab, kind, ["--ungated"], [])
    figures, text = family(lab, "gated", [], list(GATED))
    return figures, "### M1, M2: Windows rules, both look at log sources\n\n" + text


def family(lab, gate, ours, theirs):
    """All files under one gate."""
    text = what_runs(lab)
    base = ["-r", "rules_windows", *theirs]
    name = lab.windows_events("win1k")
    chosen, tried = options.fastest(lab, f"Windows rules, {gate}", [*base, "-e", f"@{lab.head_of(name)}"])
    theirs, figures = [*theirs, *chosen], []
    empty = lab.empty()
    loads = {
        "tocsin": lambda: scan(lab, empty, ours),
        "tocsin, 2 threads": lambda: scan(lab, empty, ours, 2),
        "rsigma": lambda: evaluate(lab, empty, theirs),
    }
    loads = alternate(lab.pairs, loads, f"load {gate}")
    text += tried
    for kind in BOUNDS:
        some, section, runs = one_file(lab, kind, gate, ours, theirs, loads)
        figures += some
        text += section
        if kind == "win1k":
            figures += loading(gate, loads, runs)
    return figures, text


def what_runs(lab):
    """Which rules, and which not."""
    _, texts, left_out = lab.windows_rules()
    keywords = sum(1 for _, reason in left_out if reason == "keywords")
    text = (
        f"{len(texts)} rules. Left out on both sides: {keywords} rules with keywords, which rsigma compares with whole"
    )
    text += " values and the specification with the whole event"
    text += "".join(f"; `{name}` ({reason})" for name, reason in left_out if reason != "keywords")
    return text + (
        ".\nLoad is left out unless said: of CPU time, that of a run on an empty file; of wall time, Tocsin's own"
        " `load_seconds` and rsigma's run on an empty file. rsigma's `eval` has one thread, whatever the number of cores:"
        " on two cores the same runs of it are held against Tocsin with two threads, by wall time.\n\n"
    )


def scan(lab, name, extra, threads=1, output=None):
    """Tocsin with the Windows rules."""
    arguments = [name, "--matches", *extra, "-r", "rules_windows"]
    return lab.scan(arguments, threads, output) if output else lab.scan(arguments, threads)


def evaluate(lab, name, extra):
    """rsigma with the Windows rules."""
    return lab.eval(["-r", "rules_windows", "-e", f"@{name}", *extra])


def matched(lab, kind, ours, theirs, ungated=None):
    """What both find in a file."""
    name = lab.windows_events(kind)
    _, texts, _ = lab.windows_rules()
    scanned = [name, "--matches", *ours, "-r", "rules_windows"]
    return compare.compared(lab, name, scanned, ["-r", "rules_windows", "-e", f"@{name}", *theirs], texts, ungated)


def one_file(lab, kind, gate, ours, theirs, loads):
    """One file under one gate: one core, both cores, the whole process."""
    name, (goals, both) = lab.windows_events(kind), BOUNDS[kind]
    found = matched(lab, kind, ours, theirs, lab.kept.get(("found", "ungated", kind)) if gate == "gated" else None)
    lab.kept["found", gate, kind] = found
    jobs = {
        "tocsin": lambda: scan(lab, name, ours),
        "rsigma": lambda: evaluate(lab, name, theirs),
        "tocsin, 2 threads": lambda: scan(lab, name, ours, 2),
        "limits": lambda: lab.limit(name),
    }
    runs = alternate(lab.pairs, jobs, f"{kind} {gate}")
    events = lines_in(lab.folder / name)
    load = {side: median([done.cpu for done in some]) for side, some in loads.items()}
    their_wall = median([done.wall for done in loads["rsigma"]])
    one = Side.of("tocsin", runs["tocsin"], load["tocsin"], lambda done: done.summary["load_seconds"])
    peer = Side.of("rsigma", runs["rsigma"], load["rsigma"], lambda _: their_wall)
    two = Side.of(
        "tocsin, 2 threads",
        runs["tocsin, 2 threads"],
        load["tocsin, 2 threads"],
        lambda done: done.summary["load_seconds"],
    )
    faster, by_one = page.ratio(peer, one)
    _, by_two = page.ratio(peer, two)
    on_both = median(peer.wall) / median(two.wall)
    size = (lab.folder / name).stat().st_size
    text = f"#### `{kind}`, {gate}: {page.number(events)} events, {size / events:,.0f} bytes each\n\n"
    text += page.commands(
        scan_line(name, "--matches", *ours, "-r", "rules_windows", "--threads 1"),
        eval_line("-r", "rules_windows", "-e", f"@{name}", *theirs),
    )
    text += found.text + page.table(page.SIDE_HEADS, [side.row(events) for side in (one, two, peer)])
    text += f"\n{by_one}\n\n{by_two}\n\n{shares(runs['limits'], one)}"
    text += lab.stats([name, "--matches", *ours, "-r", "rules_windows"])
    what = f"Windows rules on `{kind}`, {gate}, load left out"
    figures = [
        figure("M1", f"{what}, one core", faster, goals, found.same),
        figure("M2", f"{what}, both cores", on_both, both, found.same),
    ]
    if kind == "win1k":
        whole = median([done.wall for done in runs["rsigma"]]) / median(
            [done.wall for done in runs["tocsin, 2 threads"]]
        )
        figures.append(
            figure("M2", f"Windows rules on `{kind}`, {gate}, both cores, whole process", whole, WHOLE, found.same)
        )
    return figures, text, runs


def figure(row, what, value, bounds, same):
    """A line of the summary about a ratio, which counts only when the match sets are explained."""
    goal, floor = bounds
    verdict = page.judged(value, goal, floor) + ("" if same else UNEXPLAINED)
    return Figure(row, what, f"{value:.2f} ×", f"{goal} ×", f"{floor} ×", verdict)


def loading(gate, loads, runs):
    """M9: time and memory."""
    ours, theirs = (median([done.cpu for done in loads[side]]) for side in ("tocsin", "rsigma"))
    value = f"{ours:.2f} s against {theirs:.2f} s: {ours / theirs:.0%}"
    verdict = page.judged(-ours / theirs, -1 / 3, -1 / 2)
    figures = [Figure("M9", f"load of the Windows rules, {gate}, CPU time of rsigma's", value, "33 %", "50 %", verdict)]
    mine, other = (max(done.rss for done in runs[side]) for side in ("tocsin", "rsigma"))
    value = f"{mine / 1e6:.0f} MB against {other / 1e6:.0f} MB: {mine / other:.0%}"
    verdict = page.judged(-mine / other, -1 / 2, -2 / 3)
    return [*figures, Figure("M9", f"peak memory on `win1k`, {gate}, of rsigma's", value, "50 %", "67 %", verdict)]


ROWS = (windows_ungated, windows_gated)
