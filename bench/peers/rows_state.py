"""M4 and distinct values: what is kept between events."""

import matchsets
import page
from measure import Failed, alternate, median
from page import Figure, Side
from peers import compare, flink, options
from peers.lab import UNEXPLAINED, eval_line, limit_side, lines_in, scan_line, shares, PICKED
from peers.rows_windows import figure

RULE, BASE = "brute_force.yml", "failed_login.yml"
ONCE = ("--no-detections", "--suppress", "5m")


def brute_force(lab):
    """Brute force by address"""
    title = "### M4: brute force (5 min, more than 10, by address)\n\n"
    one, told = on_one_core(lab)
    two, more = on_two_cores(lab)
    return [*one, *two], title + told + more


def alerts(lab, scan, evaluate):
    """Which (rule, key) fired, on either side."""
    lab.scan(scan, output=lab.folder / "alerts.tocsin")
    lab.eval(evaluate, output=lab.folder / "alerts.rsigma")
    ours = matchsets.alerts_of_tocsin(lab.folder / "alerts.tocsin")
    return ours, matchsets.alerts_of_rsigma(lab.folder / "alerts.rsigma")


def on_one_core(lab):
    """Tocsin and rsigma, each on one core."""
    name, rule, base = lab.logins(lab.sizes.auth), lab.copied(RULE), lab.copied(BASE)
    chosen, tried = options.fastest(lab, "brute force", ["-r", rule, "-e", f"@{name}", *ONCE])
    scan, evaluate = [name, "--json", "--ungated", "-r", rule], ["-r", rule, "-e", f"@{name}", *ONCE, *chosen]
    found = compare.compared(
        lab, name, [name, "--matches", "--ungated", "-r", base], ["-r", base, "-e", f"@{name}"], {}
    )
    ours, theirs = alerts(lab, scan, evaluate)
    jobs = {"tocsin": lambda: lab.scan(scan), "rsigma": lambda: lab.eval(evaluate), "limits": lambda: lab.limit(name)}
    runs = alternate(lab.pairs, jobs, "brute force, one core")
    mine, other = Side.of("tocsin", runs["tocsin"]), Side.of("rsigma", runs["rsigma"])
    faster, by_rsigma = page.ratio(other, mine)
    text = "One core each:\n\n" + tried + page.commands(scan_line(*scan, "--threads 1"), eval_line(*evaluate))
    text += (
        "The base rule: " + found.text[0].lower() + found.text[1:] + compare.keys_told(ours, theirs, "rsigma") + "\n"
    )
    rows = [mine, other, limit_side(runs["limits"], PICKED)]
    text += page.table(page.SIDE_HEADS, [side.row(lab.sizes.auth) for side in rows])
    text += f"\n{by_rsigma} rsigma is asked for correlations only, once per key and window, which spares it most of its"
    text += (
        f" output; Tocsin writes whole alerts with their evidence.\n\n{shares(runs['limits'], mine)}{lab.stats(scan)}"
    )
    same = found.same and ours == theirs
    return [figure("M4", "brute force by address, per core, against rsigma", faster, (8, 4), same)], text


def on_two_cores(lab):
    """Tocsin with two threads and Flink with two slots on all cores; rsigma, which has one thread, beside them."""
    if "flink" not in lab.peers:
        return [], f"Flink SQL did not run: {lab.missing.get('flink', 'not installed')}.\n"
    home, name, rule = lab.peers["flink"], lab.logins(lab.sizes.flink), lab.copied(RULE)
    empty = lab.empty()
    scan, evaluate = [name, "--json", "--ungated", "-r", rule], ["-r", rule, "-e", f"@{name}", *ONCE]
    ours, theirs = alerts(lab, scan, evaluate)
    text = "Two cores:\n\n" + page.commands(
        scan_line(*scan, "--threads 2"),
        eval_line(*evaluate),
        *(f"java … FlinkSql {flink.job(lab.folder, query, name)} 2" for query in flink.QUERIES),
    )
    text += page.commands(*(text.strip() for text in flink.QUERIES.values())) + compare.keys_told(
        ours, theirs, "rsigma"
    )
    same = True
    for query in flink.QUERIES:
        got = flink.fired(home, lab.folder, query, name)
        lab.say(f"brute force: Flink {query} compared")
        text += compare.keys_told(ours, got, f"Flink {query}")
        same &= query != "OVER" or got == ours
    text += "\n`OVER` counts the window that ends at each event, as the rule means it; windows of `HOP` begin on whole minutes"
    text += " only, so that a burst which none of them holds whole is not found by it.\n\n"
    jobs = {
        "tocsin, 2 threads": lambda: lab.scan(scan, 2),
        "tocsin, load": lambda: lab.scan([empty, *scan[1:]], 2),
        "rsigma": lambda: lab.eval(evaluate),
    }
    for query in flink.QUERIES:
        jobs[f"Flink {query}"] = lambda query=query: flink.execute(home, lab.folder, query, name)
        jobs[f"Flink {query}, start"] = lambda query=query: flink.execute(home, lab.folder, query, empty)
    runs = alternate(lab.pairs, jobs, "brute force, two cores")
    mine = net("tocsin, 2 threads", runs, "tocsin, load")
    jvm = [net(f"Flink {query}", runs, f"Flink {query}, start") for query in flink.QUERIES]
    fastest = min(jvm, key=lambda side: median(side.wall))
    text += page.table(
        page.SIDE_HEADS, [side.row(lab.sizes.flink) for side in (mine, Side.of("rsigma", runs["rsigma"]), *jvm)]
    )
    text += "\nStart left out of Tocsin and Flink: the same on an empty file"
    text += f" (Flink's start: {median([done.wall for done in runs['Flink OVER, start']]):.1f} s of wall time).\n\n"
    text += "".join(f"{page.ratio(side, mine)[1]}\n\n" for side in jvm)
    faster = median(fastest.wall) / median(mine.wall)
    what = f"brute force by address, two cores, against {fastest.name} (the faster of its two), start left out"
    return [figure("M4", what, faster, (12, 6), same)], text


def net(name, runs, load):
    """A side without what its runs on an empty file cost."""
    cpu, wall = (median([getattr(done, key) for done in runs[load]]) for key in ("cpu", "wall"))
    return Side.of(name, runs[name], cpu, lambda _: wall)


def distinct_values(lab):
    """Distinct values in a window"""
    values = lab.sizes.distinct
    name = lab.made(f"distinct-{values}.log", ["peers/inputs.py", "distinct", str(values)])
    rule = lab.copied("distinct_users.yml", least=f"gte: {values}")
    scan, evaluate = [name, "--json", "--ungated", "-r", rule], ["-r", rule, "-e", f"@{name}", *ONCE]
    said = [line for line in lab.scan(scan).errors.splitlines() if not line.startswith("{")]
    if said:
        raise Failed(f"Tocsin does not take the rule: {said[0]}")
    ours, theirs = alerts(lab, scan, evaluate)
    pairs = min(lab.pairs, 3)
    runs = alternate(pairs, {"tocsin": lambda: lab.scan(scan), "rsigma": lambda: lab.eval(evaluate)}, "distinct values")
    events = lines_in(lab.folder / name)
    mine, other = Side.of("tocsin", runs["tocsin"]), Side.of("rsigma", runs["rsigma"])
    faster, by_rsigma = page.ratio(other, mine)
    text = page.commands(scan_line(*scan, "--threads 1"), eval_line(*evaluate))
    text += (
        f"One address tries {page.number(values)} users within a window, and a tenth of them again; the rule wants all"
    )
    text += f" of them. {pairs} pairs: rsigma counts the whole window at every event.\n\n"
    text += compare.keys_told(ours, theirs, "rsigma") + "\n"
    text += page.table(page.SIDE_HEADS, [mine.row(events), other.row(events)]) + f"\n{by_rsigma}\n\n{lab.stats(scan)}"
    verdict = page.judged(faster, 20, None) + ("" if ours == theirs else UNEXPLAINED)
    what = f"`value_count`, {page.number(values)} distinct values in the window, against rsigma"
    return [Figure("distinct", what, f"{faster:.1f} ×", "20 ×", "", verdict)], "### Distinct values\n\n" + text


ROWS = (brute_force, distinct_values)
