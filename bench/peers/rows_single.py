"""M3 and around it: one rule; one rule beside all of them; the engines that have no index."""

import json

import page
from measure import Failed, alternate, median
from page import Figure, Side
from peers import compare, options, sigma_rust
from peers.lab import PICKED, FIELDS, SCAN, cut, eval_line, limit_side, lines_in, scan_line, shares
from peers.rows_windows import figure

APART = 3
RULE = "failed_login.yml"


def one_rule(lab):
    """One rule on logins"""
    name, rule = lab.logins(lab.sizes.auth), lab.copied(RULE)
    chosen, tried = options.fastest(lab, "one rule", ["-r", rule, "-e", f"@{name}"])
    scan, evaluate = [name, "--matches", "--ungated", "-r", rule], ["-r", rule, "-e", f"@{name}", *chosen]
    found = compare.compared(lab, name, scan, evaluate, {})
    jobs = {
        "tocsin": lambda: lab.scan(scan),
        "rsigma": lambda: lab.eval(evaluate),
        "limits": lambda: lab.limit(name),
        "tocsin, 2 threads": lambda: lab.scan(scan, 2),
    }
    runner, told = lab.peers.get("sigma-rust"), ""
    if runner:
        jobs["sigma-rust"] = lambda: sigma_rust.execute(runner, lab.folder, rule, name)
        _, told = sigma_rust.compared(lab, runner, rule, name, {"rsigma": found.theirs, "tocsin": found.ours}, {})
    runs = alternate(lab.pairs, jobs, "one rule")
    sides = {side: Side.of(side, runs[side]) for side in runs if side != "limits"}
    limits = [limit_side(runs["limits"], limit) for limit in (PICKED, SCAN, FIELDS)]
    faster, by_rsigma = page.ratio(sides["rsigma"], sides["tocsin"])
    share = median(limits[0].cpu) / median(sides["tocsin"].cpu)
    text = tried + page.commands(
        scan_line(*scan, "--threads 1"), eval_line(*evaluate), f"sigma-rust-runner {rule} {name}"
    )
    text += (
        found.text + told + page.table(page.SIDE_HEADS, [one.row(lab.sizes.auth) for one in (*sides.values(), *limits)])
    )
    text += f"\n{by_rsigma}\n\n"
    if runner:
        text += f"{page.ratio(sides['sigma-rust'], sides['tocsin'])[1]}\n\n"
    text += shares(runs["limits"], sides["tocsin"]) + lab.stats(scan)
    text += (
        "The limits work on the file in memory and write nothing; the programs read the file and write their matches,"
    )
    text += " load included.\n"
    figures = [
        figure("M3", "one rule on logins, one core, against rsigma", faster, (12, 6), found.same),
        Figure(
            "M3",
            "the same against sonic-rs `get_many` of six fields",
            f"{share:.0%}",
            "100 %",
            "60 %",
            page.judged(share, 1, 0.6),
        ),
    ]
    return figures, "### M3: one rule on logins, one core\n\n" + text


def linear_engines(lab):
    """Engines without an index: sigma-rust"""
    name, (rules, texts, _) = lab.windows_events("win1k"), lab.windows_rules()
    head = f"slow-{lab.sizes.slow}.ndjson"
    cut(lab.folder / name, lab.folder / head, lab.sizes.slow)
    scan, evaluate = [head, "--matches", "--ungated", "-r", rules], ["-r", rules, "-e", f"@{head}"]
    text = f"The first {page.number(lab.sizes.slow)} events of `win1k`, load left out.\n\n"
    title = "### Engines without an index, Windows rules\n\n"
    for missing, reason in lab.missing.items():
        text += f"* {missing} did not run: {reason}.\n"
    text += "\n" if lab.missing else ""
    runner = lab.peers.get("sigma-rust")
    if not runner:
        return [], title + text
    found = compare.compared(lab, head, scan, evaluate, texts)
    same, told = sigma_rust.compared(lab, runner, rules, head, {"rsigma": found.theirs, "tocsin": found.ours}, texts)
    empty, whole = lab.empty(), [name, *scan[1:]]
    jobs = {
        "tocsin": lambda: lab.scan(whole),
        "sigma-rust": lambda: sigma_rust.execute(runner, lab.folder, rules, head),
        "tocsin, load": lambda: lab.scan([empty, *whole[1:]]),
        "sigma-rust, load": lambda: sigma_rust.execute(runner, lab.folder, rules, empty),
    }
    runs = alternate(min(lab.pairs, 3), jobs, "linear engines")
    sides = []
    for side in ("tocsin", "sigma-rust"):
        cpu, wall = (median([getattr(done, key) for done in runs[f"{side}, load"]]) for key in ("cpu", "wall"))
        sides.append(Side.of(side, runs[side], cpu, lambda _, wall=wall: wall))
    # Tocsin is done with so few events before its load can be told from the rest: it runs on the whole file.
    sides[0] = sides[0].scaled(lab.sizes.slow / lines_in(lab.folder / name))
    _, ratio = page.ratio(sides[1], sides[0])
    loaded = runs["sigma-rust"][0].summary
    text += page.commands(scan_line(*whole, "--threads 1"), f"sigma-rust-runner {rules} {head}")
    text += (
        "Tocsin runs on all of `win1k`, its times are brought to as many events; matches are those of the same events."
    )
    text += f" sigma-rust loads {loaded['rules']} rules and refuses {loaded['refused']}; it looks at no log source.\n\n"
    text += told + page.table(page.SIDE_HEADS, [side.row(lab.sizes.slow) for side in sides])
    text += f"\n{ratio}" + ("" if same else " **Not comparable**: differences above are unexplained.")
    return [], f"{title}{text}\n\n"


def rules_apart(lab):
    """One rule and all rules on events that no rule matches"""
    name, (rules, texts, _) = lab.windows_events("win1k"), lab.windows_rules()
    quiet = unmatched(lab, name, rules)
    middle = sorted(path.name for path in (lab.folder / rules).iterdir())[len(texts) // 2]
    one, every = [quiet, "--matches", "--ungated", "-r", f"{rules}/{middle}"], [
        quiet,
        "--matches",
        "--ungated",
        "-r",
        rules,
    ]
    empty = lab.empty()
    jobs = {
        "tocsin, one rule": lambda: lab.scan(one),
        "tocsin, all rules": lambda: lab.scan(every),
        "one, load": lambda: lab.scan([empty, *one[1:]]),
        "all, load": lambda: lab.scan([empty, *every[1:]]),
    }
    if "rsigma" in lab.peers:
        jobs["rsigma, one rule"] = lambda: lab.eval(["-r", f"{rules}/{middle}", "-e", f"@{quiet}"])
        jobs["rsigma, all rules"] = lambda: lab.eval(["-r", rules, "-e", f"@{quiet}"])
        jobs["rsigma, all, load"] = lambda: lab.eval(["-r", rules, "-e", f"@{empty}"])
    runs = alternate(lab.pairs, jobs, "one rule and all")
    events = lines_in(lab.folder / quiet)

    def net(side, load=None):
        out = median([done.cpu for done in runs[load]]) if load else 0
        wall = median([done.wall for done in runs[load]]) if load else 0
        return Side.of(side, runs[side], out, lambda _: wall)

    few, many = net("tocsin, one rule", "one, load"), net("tocsin, all rules", "all, load")
    sides, theirs = [few, many], ""
    if "rsigma" in lab.peers:
        other, others = net("rsigma, one rule"), net("rsigma, all rules", "rsigma, all, load")
        sides += [other, others]
        theirs = f" rsigma: {median(others.cpu) / median(other.cpu):.2f}."
    apart = median(many.cpu) / median(few.cpu)
    text = page.commands(scan_line(*one, "--threads 1"), scan_line(*every, "--threads 1"))
    text += f"{page.number(events)} events of `win1k` that none of the {len(texts)} rules matches; load left out.\n\n"
    text += page.table(page.SIDE_HEADS, [side.row(events) for side in sides])
    text += f"\nAll rules : one rule = **{apart:.2f}** by CPU time.{theirs}\n\n{lab.stats(every)}"
    verdict = page.judged(-apart, -APART, None)
    what = "one rule and all rules on events no rule matches, apart"
    return [Figure("rules", what, f"{apart:.2f} ×", f"{APART} ×", "", verdict)], "### One rule and all rules\n\n" + text


def unmatched(lab, name, rules):
    """The events of a file that no rule matches, as a file."""
    quiet, output = f"quiet-{name}", lab.folder / "matches.quiet"
    lab.scan([name, "--matches", "--ungated", "-r", rules], output=output)
    matched = {json.loads(line)["line"] for line in output.read_text(encoding="utf-8").splitlines()}
    with open(lab.folder / name, encoding="utf-8") as file, open(lab.folder / quiet, "w", encoding="utf-8") as out:
        out.writelines(line for number, line in enumerate(file, 1) if number not in matched)
    if (lab.folder / quiet).stat().st_size == 0:
        raise Failed("every event is matched by some rule")
    return quiet


ROWS = (one_rule, linear_engines, rules_apart)
