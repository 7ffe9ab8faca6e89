"""What Tocsin and rsigma found on the same file, compared before anything is timed; every difference with its cause."""

import json
from collections import defaultdict
from dataclasses import dataclass, field

import matchsets
import page
import windows

EXAMPLES = 3
# Differences are told rule by rule up to so many, beyond it cause by cause.
RULES_MAX = 12
SYSMON = "microsoft-windows-sysmon/operational"

# Why a gate keeps a rule from an event on one side only, by name; see `gate_cause`.
GATES = {
    "service": "the rule names a service or a PowerShell category, and the event is on another channel than that"
    " source's: Tocsin asks for it, `-p sysmon` knows the categories of Sysmon only",
    "channel": "the event has the number of the category's event, but is not from Sysmon: Tocsin asks for the channel"
    " too, `-p sysmon` for the number alone",
    "file_delete": "Sysmon tells deleted files by two events, 23 and 26: Tocsin counts both as `file_delete`,"
    " `-p sysmon` only 23",
    "audit": "the event is the security log's own record of what Sysmon's category means, which Tocsin takes as such"
    " and `-p sysmon` does not",
}


@dataclass
class Found:
    """Matches of both as (rule, line), and what came of comparing them."""

    ours: set
    theirs: set
    same: bool
    text: str
    causes: dict = field(default_factory=dict)


def compared(lab, name, scan, evaluate, texts, ungated=None):
    """Runs both on a file and compares; with `ungated`, what was found without gates, the gates' work is told apart."""
    output = lab.folder / "matches"
    lab.scan(scan, output=f"{output}.tocsin")
    lab.eval([*evaluate, "--include-event"], output=f"{output}.rsigma")
    lines = lab.kept.setdefault(("lines", name), matchsets.Lines(lab.folder / name))
    ours, theirs = lines.of_tocsin(f"{output}.tocsin"), lines.of_rsigma(f"{output}.rsigma")
    told = f"Matches as (rule, line): tocsin {page.number(len(ours))}, rsigma {page.number(len(theirs))},"
    told += f" in common {page.number(len(ours & theirs))}.\n\n"
    only = ours ^ theirs
    if not only:
        return Found(ours, theirs, True, told)
    if ungated:
        causes = gated_causes(lab, name, only, ours, texts, ungated)
    else:
        causes = tried_causes(lab, lines, name, only, (ours, theirs), texts)
    told += table(causes, ours)
    return Found(ours, theirs, matchsets.UNEXPLAINED not in causes.values(), told, causes)


def tried_causes(lab, lines, name, only, sets, texts):
    """Causes found by trying, by match."""
    found = matchsets.differences(*sets)

    def again(some, mapping):
        return evaluated(lab, lines, name, some, mapping)

    by_rule = matchsets.explain(found, sets[0], texts, again)
    return {match: by_rule[match[0]] for match in only}


def evaluated(lab, lines, name, texts, mapping):
    """rsigma's matches for some rules, with or without a pipeline of field names."""
    rules, output, pipeline = (lab.folder / part for part in ("rules_again", "matches.again", "mapping.yml"))
    rules.mkdir(exist_ok=True)
    for old in rules.iterdir():
        old.unlink()
    for rule, text in texts.items():
        (rules / f"{rule}.yml").write_text(text, encoding="utf-8")
    if not texts:
        return set()
    extra = []
    if mapping:
        pipeline.write_text(mapping, encoding="utf-8")
        extra = ["-p", pipeline.name]
    lab.eval(["-r", rules.name, "-e", f"@{name}", "--include-event", *extra], output=output)
    return lines.of_rsigma(output)


def gated_causes(lab, name, only, ours, texts, ungated):
    """Causes of what differs under gates: what differed without them, or a gate that took away on one side only."""
    events = events_at(lab.folder / name, {line for _, line in only})
    causes = {}
    for rule, line in only:
        match = (rule, line)
        # Who does not have it now, must have had it without its gate.
        before = ungated.theirs if match in ours else ungated.ours
        if match in before and rule in texts:
            causes[match] = gate_cause(windows.log_source(texts[rule]), events[line], match in ours)
        else:
            causes[match] = ungated.causes.get(match, matchsets.UNEXPLAINED)
    return causes


def gate_cause(source, event, is_ours):
    """Why one gate lets an event through to a rule and the other does not."""
    category, channel = source.get("category", ""), str(event.get("Channel", "")).lower()
    number = str(event.get("EventID", ""))
    if is_ours:
        if category == "file_delete" and number == "26":
            return "file_delete"
        return "audit" if channel == "security" else matchsets.UNEXPLAINED
    if "service" in source or category.startswith("ps_"):
        return "service"
    return "channel" if category and channel != SYSMON else matchsets.UNEXPLAINED


def events_at(path, wanted):
    """The events of these lines."""
    with open(path, encoding="utf-8") as file:
        return {number: json.loads(line) for number, line in enumerate(file, 1) if number in wanted}


def table(causes, ours):
    """The differences, each with its cause."""
    by_rule = defaultdict(list)
    for (rule, line), cause in sorted(causes.items()):
        side = "tocsin" if (rule, line) in ours else "rsigma"
        by_rule[rule, side, cause].append(line)
    if len(by_rule) <= RULES_MAX:
        rows = [
            [f"`{rule}`", side, len(lines), ", ".join(map(str, lines[:EXAMPLES])), cause]
            for (rule, side, cause), lines in by_rule.items()
        ]
        told = page.table(["rule", "only", "matches", "lines, the first", "cause"], rows)
    else:
        told = page.table(["cause", "only", "rules", "matches", "for example"], grouped(by_rule))
    known = {**matchsets.CAUSES, **GATES}
    return told + "\n" + "".join(f"* {cause}: {known[cause]}.\n" for cause in sorted(set(causes.values()))) + "\n"


def grouped(by_rule):
    """The differences by cause: how many rules, how many matches, one of them."""
    groups = defaultdict(list)
    for (rule, side, cause), lines in by_rule.items():
        groups[cause, side].append((rule, lines))
    rows = []
    for (cause, side), rules in sorted(groups.items()):
        rule, lines = rules[0]
        count = page.number(sum(len(some) for _, some in rules))
        rows.append([cause, side, len(rules), count, f"`{rule}`, line {lines[0]}"])
    return rows


def keys_told(ours, theirs, other):
    """How the keys that fired compare, in words."""
    told = f"(rule, key) that fired: tocsin {page.number(len(ours))}, {other} {page.number(len(theirs))},"
    told += f" in common {page.number(len(ours & theirs))}.\n"
    for side, some in (("tocsin", ours - theirs), (other, theirs - ours)):
        if some:
            told += f"Only {side}: {page.number(len(some))}, for example {sorted(some)[:EXAMPLES]}.\n"
    return told
