"""sigma-rust, by a runner of ours: how what it finds differs from what rsigma finds, and why, by trying."""

import json
import re
from collections import Counter

import matchsets
import page
from measure import run
from peers.compare import EXAMPLES

NULL = re.compile(r"^\s+(?:- )?([\w.-]+):\s*null\s*$", re.MULTILINE)
CAUSES = {
    "null": "the rule asks for `null` in a field the event does not have: by the specification that holds, for sigma-rust"
    " only a `null` that is written does; with it written into the events it agrees",
    matchsets.UNEXPLAINED: "no cause known",
}


def execute(runner, folder, rules, name, output=None):
    """Runs it on one core."""
    return run([runner, rules, name], folder, True, *([output] if output else []))


def compared(lab, runner, rules, name, others, texts):
    """(whether every difference to rsigma is explained, how its matches compare); `others` maps names to matches."""
    output = lab.folder / "matches.sigma-rust"
    execute(runner, lab.folder, rules, name, output)
    lines = lab.kept.setdefault(("lines", name), matchsets.Lines(lab.folder / name))
    got = lines.of_tocsin(output)
    told = "".join(
        f"Matches as (rule, line): sigma-rust {page.number(len(got))}, {other} {page.number(len(some))},"
        f" in common {page.number(len(got & some))}.\n"
        for other, some in others.items()
    )
    theirs = others["rsigma"]
    if got == theirs:
        return True, told + "\n"
    causes = explained(lab, runner, name, got, theirs, texts)
    rows = []
    for side, only in (("sigma-rust", got - theirs), ("rsigma", theirs - got)):
        counts = Counter(rule for rule, _ in only)
        for cause in CAUSES:
            some = [(rule, count) for rule, count in counts.most_common() if causes[rule] == cause]
            if some:
                most = ", ".join(f"`{rule}` ({count})" for rule, count in some[:EXAMPLES])
                rows.append([cause, side, len(some), page.number(sum(count for _, count in some)), most])
    told += "\n" + page.table(["cause", "only", "rules", "matches", "most"], rows) + "\n"
    told += "".join(f"* {cause}: {CAUSES[cause]}.\n" for cause in CAUSES if cause in causes.values())
    return matchsets.UNEXPLAINED not in causes.values(), told + "\n"


def explained(lab, runner, name, got, theirs, texts):
    """A cause for every rule that differs."""
    rules = sorted({rule for rule, _ in got ^ theirs})
    into = lab.folder / "rules_null"
    into.mkdir(exist_ok=True)
    for old in into.iterdir():
        old.unlink()
    fields = set()
    for rule in rules:
        fields |= set(NULL.findall(texts.get(rule, "")))
        if rule in texts:
            (into / f"{rule}.yml").write_text(texts[rule], encoding="utf-8")
    with_nulls = f"null-{name}"
    with open(lab.folder / name, encoding="utf-8") as file, open(lab.folder / with_nulls, "w", encoding="utf-8") as out:
        for line in file:
            out.write(json.dumps({**dict.fromkeys(fields), **json.loads(line)}) + "\n")
    output = lab.folder / "matches.null"
    execute(runner, lab.folder, into.name, with_nulls, output)
    # Lines are those of the file without nulls.
    again = lab.kept["lines", name].of_tocsin(output)
    return {rule: "null" if of(rule, again) == of(rule, theirs) else matchsets.UNEXPLAINED for rule in rules}


def of(rule, matches):
    """The matches of one rule."""
    return {match for match in matches if match[0] == rule}
