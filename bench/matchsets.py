"""What two programs found on the same file, compared: sets of (rule, line), and where they differ, why.

rsigma names no lines. It prints the event instead, which is looked up in the file; equal events count
as one line, on both sides alike.
"""
import json
import re
from collections import defaultdict

# How Tocsin fills a field of Sigma's taxonomy that the recordings carry under another name.
MAPPING = """name: field names of the recordings
priority: 10
transformations:
  - id: provider
    type: field_name_mapping
    mapping:
      Provider_Name: [Provider_Name, SourceName]
"""

UNEXPLAINED = "unexplained"

# What a cause means, by its name.
CAUSES = {
    "mapping": "Tocsin also reads `Provider_Name` where the collector wrote `SourceName` (the taxonomy name"
    " of the field); rsigma, told to do the same by a pipeline, agrees",
    "windash": "the value has a `/`: by the specification `windash` stands for `-` and `/` alike, rsigma"
    " replaces only `-`; with the value written with `-` it agrees",
    UNEXPLAINED: "no cause known",
}


def content(event):
    """An event as a number that does not depend on the order of its keys."""
    return hash(json.dumps(event, sort_keys=True))


class Lines:
    """The lines of a file by what they hold; equal events share the first one's line."""

    def __init__(self, path):
        self.by_content, self.first = {}, [0]
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                self.first.append(self.by_content.setdefault(content(json.loads(line)), number))

    def of_rsigma(self, output):
        """rsigma's matches as (rule, line)."""
        with open(output, encoding="utf-8") as file:
            matches = [json.loads(line) for line in file]
        return {(match["rule_id"], self.by_content[content(match["event"])]) for match in matches if "event" in match}

    def of_tocsin(self, output):
        """Tocsin's matches as (rule, line)."""
        with open(output, encoding="utf-8") as file:
            matches = [json.loads(line) for line in file]
        return {(match["rule"], self.first[match["line"]]) for match in matches}


def alerts_of_tocsin(output):
    """Which (rule, key) fired, from alerts as JSON."""
    with open(output, encoding="utf-8") as file:
        alerts = [json.loads(line) for line in file]
    return {(alert["rule"]["id"], tuple(sorted(alert["key"].items()))) for alert in alerts}


def alerts_of_rsigma(output):
    """Which (rule, key) fired, from correlation results."""
    with open(output, encoding="utf-8") as file:
        results = [json.loads(line) for line in file]
    fired = [result for result in results if "group_key" in result]
    return {(result["rule_id"], tuple(sorted(map(tuple, result["group_key"])))) for result in fired}


def differences(ours, theirs):
    """By rule: which lines only one side has."""
    found = defaultdict(lambda: {"tocsin": [], "rsigma": []})
    for rule, line in sorted(ours - theirs):
        found[rule]["tocsin"].append(line)
    for rule, line in sorted(theirs - ours):
        found[rule]["rsigma"].append(line)
    return dict(found)


def with_dashes(text):
    """A rule whose values under `windash` begin with a dash where they began with a slash."""
    out, depth = [], None
    for line in text.splitlines():
        here = len(line) - len(line.lstrip())
        if "windash" in line.split(":")[0]:
            depth, key = here, line.index(":")
            line = line[:key] + slashes(line[key:])
        elif depth is not None and (here > depth or (here == depth and line.lstrip().startswith("-"))):
            line = slashes(line)
        elif line.strip():
            depth = None
        out.append(line)
    return "\n".join(out) + "\n"


def slashes(text):
    """The text with `-` for each `/` that begins a word."""
    return re.sub(r"(?<![\w/])/(?=\w)", "-", text)


def explain(found, ours, rules, again):
    """A cause for every rule that differs, found by trying.

    `rules` maps rule ids to texts; `again(texts, mapping)` evaluates these texts with rsigma, with or
    without the pipeline of field names, and returns a set of (rule, line) as `ours` is one.
    """
    texts = {rule: rules[rule] for rule in found if rule in rules}
    trials = {
        "mapping": again(texts, MAPPING),
        "windash": again({rule: with_dashes(text) for rule, text in texts.items()}, None),
    }
    causes = {}
    for rule in found:
        wanted = {match for match in ours if match[0] == rule}
        agreed = [name for name, got in trials.items() if wanted == {match for match in got if match[0] == rule}]
        causes[rule] = agreed[0] if agreed else UNEXPLAINED
    return causes
