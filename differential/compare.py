"""Tocsin against the oracle, pair by pair of rule and event: `make differential`.

    PAIRS=100000 SEEDS=1,2 python compare.py TOCSIN [--recorded DATA]

Prints how many pairs there were and how many of them matched, feature by feature, and every
difference, shrunk to the smallest rule and event that still differ. Ends with 1 when a difference has
no explanation (`explained.py`), or when a feature was never met by a match or never by a miss.
"""

import argparse
import copy
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import lru_cache
from pathlib import Path

import events
import explained
import generate
import recorded
from generate import Rule
from oracle import Event, Judge, Refused

RULES = 100  # of a chunk: they are compiled together, as in life
EVENTS_PER_RULE = 2
RECORDED = 40  # recorded events of a chunk of public rules
BOTH = "both refuse"
SHOWN = 12  # unexplained differences that are shrunk and shown


class Tocsin:
    """The binary, as a function of rules and lines of JSON."""

    def __init__(self, binary):
        self.binary = binary

    def scan(self, rules, lines):
        """The set of (rule id, index of the line), and what is said of each rule that does not load."""
        with tempfile.TemporaryDirectory(prefix="differential-") as folder:
            files = Path(folder, "rules")
            files.mkdir()
            for rule in rules:
                Path(files, f"{rule.id}.yml").write_text(rule.text, encoding="utf-8", newline="")
            log = Path(folder, "events.ndjson")
            log.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="")
            placeholders = Path(folder, "placeholders.yml")
            placeholders.write_text(json.dumps(generate.PLACEHOLDERS))
            command = [self.binary, "scan", log, "-r", files, "--placeholders", placeholders]
            command += ["--matches", "--ungated", "--format", "json", "--as-of", "2027-01-01T00:00:00Z"]
            done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)
        refused = {}
        for name, reason in re.findall(r"([\w-]+)\.yml:\d+:\d+: error: (.*)", done.stderr):
            refused.setdefault(name, reason)
        if "no rule is left" in done.stderr:
            return set(), refused
        summary = json.loads((done.stderr.splitlines() or ["{}"])[-1]) if done.returncode == 0 else {}
        if summary.get("events") != len(lines):
            raise RuntimeError(f"tocsin ended with {done.returncode}:\n{done.stderr[-2000:]}")
        matches = {(found["rule"], found["line"] - 1) for found in map(json.loads, done.stdout.splitlines())}
        return matches, refused


class Tally:
    """What was compared; tallies add up."""

    def __init__(self):
        self.rules = self.pairs = self.matches = self.near_pairs = self.near_matches = 0
        self.by_feature = {}  # feature: [rules, near pairs, near matches]
        self.explained = Counter()
        self.unexplained = []  # (rule, line or None, what Tocsin says, what the oracle says)

    def add(self, other):
        for name in ("rules", "pairs", "matches", "near_pairs", "near_matches"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for feature, counts in other.by_feature.items():
            mine = self.by_feature.setdefault(feature, [0, 0, 0])
            mine[:] = [sum(pair) for pair in zip(mine, counts)]
        self.explained += other.explained
        self.unexplained += other.unexplained

    def count(self, features, rules, pairs, matches):
        for feature in features:
            counts = self.by_feature.setdefault(feature, [0, 0, 0])
            counts[:] = [counts[0] + rules, counts[1] + pairs, counts[2] + matches]


def judge(rule, readings=frozenset()):
    """The oracle's judge of a rule, or why it has none."""
    try:
        return Judge(rule.text, readings), ""
    except Refused as refused:
        return None, str(refused)


def compare(tocsin, rules, lines, owners):
    """Compares all rules with all events. `owners[i]` is the index of the rule that event i was made for."""
    tally = Tally()
    found, refused = tocsin.scan(rules, lines)
    judged = [Event(line) for line in lines]
    for index, rule in enumerate(rules):
        oracle, reason = judge(rule)
        tally.rules += 1
        if oracle is None or rule.id in refused:
            of_loading(tally, rule, refused.get(rule.id, ""), reason)
            continue
        near_pairs = near_matches = 0
        for number, event in enumerate(judged):
            expected = oracle.matches(event)
            near = owners[number] == index
            near_pairs += near
            near_matches += near and expected
            tally.matches += expected
            if expected != ((rule.id, number) in found):
                of_match(tally, rule, event, not expected)
        tally.pairs += len(judged)
        tally.near_pairs += near_pairs
        tally.near_matches += near_matches
        tally.count(rule.features, 1, near_pairs, near_matches)
    return tally


def of_loading(tally, rule, tocsin, oracle):
    """Counts a rule that one or both refuse."""
    name = BOTH if tocsin and oracle else explained.of_loading(tocsin, oracle)
    if name:
        tally.explained[name] += 1
    else:
        tally.unexplained.append((rule, None, tocsin or "loads", oracle or "loads"))


def of_match(tally, rule, event, tocsin):
    """Counts a pair that is judged differently."""
    name = reading_of(rule, event, tocsin)
    if name:
        tally.explained[name] += 1
    else:
        tally.unexplained.append((rule, event.line, tocsin, not tocsin))


def reading_of(rule, event, tocsin):
    for name in explained.READINGS:
        other, _ = judge(rule, frozenset([name]))
        if other and other.matches(event) == tocsin:
            return name
    return None


def chunk(tocsin, seed, number):
    """One chunk of random rules with events that nearly match them."""
    rng = random.Random(f"{seed}/{number}")
    rules = [generate.rule(rng, index) for index in range(RULES)]
    lines, owners = [], []
    for index, rule in enumerate(rules):
        for _ in range(EVENTS_PER_RULE):
            lines.append(events.near(rng, rule))
            owners.append(index)
    return compare(tocsin, rules, lines, owners)


def recorded_chunk(tocsin, data, seed, number):
    """One chunk of the public rules with events of the recordings."""
    rng = random.Random(f"{seed}/{number}")
    rules = [recorded.PublicRule(entry) for entry in public_rules(data)[number * RULES : (number + 1) * RULES]]
    sampled = recordings(data, seed)
    lines, owners = recorded.lines(rng, rules, rng.sample(sampled, RECORDED))
    return compare(tocsin, rules, lines, owners)


public_rules = lru_cache(recorded.rules)
recordings = lru_cache(recorded.sample)


# Shrinking.


def smaller(node):
    """Trees that are one step smaller than a tree of dicts, lists and text."""
    if isinstance(node, (dict, list)):
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            if key == "condition":
                words = re.findall(r"[\w*-]+", str(node[key]))
                for name in dict.fromkeys(words):
                    if name in node and node[key] != name:
                        yield {**node, key: name}
                continue
            without = copy.copy(node)
            del without[key]
            yield without
            for value in smaller(node[key]):
                changed = copy.copy(node)
                changed[key] = value
                yield changed
        if isinstance(node, list) and len(node) == 1:
            yield node[0]
    elif isinstance(node, str) and not isinstance(node, generate.Plain) and len(node) > 1:
        half = len(node) // 2
        yield from (node[half:], node[:half], node[1:], node[:-1])
        yield from (node[:at] + node[at + 1 :] for at in range(1, len(node) - 1))


def shrink(tocsin, rule, line, said):
    """The smallest rule and event that differ in the same way."""

    def differs(tree, text):
        if set(tree) != {"detection", "filters"} or "{," in str(tree):  # a repetition in Python, and none in PCRE
            return False
        smallest = rule.with_tree(tree)
        oracle, _ = judge(smallest)
        if oracle is None:
            return False
        event = Event(text)
        if oracle.matches(event) == said or reading_of(smallest, event, said):
            return False
        found, refused = tocsin.scan([smallest], [text])
        return not refused and bool(found) == said

    tree, event = rule.tree, json.loads(line, parse_int=generate.Plain, parse_float=generate.Plain)
    budget = 400
    progress = differs(tree, events.spelled(event))
    if progress:
        line = events.spelled(event)
    while progress and budget:
        progress = False
        for candidate in smaller(tree):
            budget = max(budget - 1, 0)
            if budget and differs(candidate, line):
                tree, progress = candidate, True
                break
        for candidate in smaller(event):
            budget = max(budget - 1, 0)
            if budget and isinstance(candidate, dict) and differs(tree, events.spelled(candidate)):
                event, line, progress = candidate, events.spelled(candidate), True
                break
    return rule.with_tree(tree), line


# The report.


def report(title, tally):
    """Prints what was compared. Returns the features that no match or no miss has met."""
    print(f"\n{title:42}{'rules':>9}{'pairs':>12}{'matches':>11}{'share':>8}")
    row("all rules with all events", [tally.rules, tally.pairs, tally.matches])
    row("rules with the events made for them", [tally.rules, tally.near_pairs, tally.near_matches])
    for feature, counts in sorted(tally.by_feature.items()):
        row(f"  {feature}", counts)
    return [feature for feature, counts in tally.by_feature.items() if feature != "odd" and not 0 < counts[2] < counts[1]]


def row(name, counts):
    share = counts[2] / counts[1] if counts[1] else 0
    print(f"{name:42}{counts[0]:>9,}{counts[1]:>12,}{counts[2]:>11,}{share:>8.1%}")


def conclude(tally, tocsin):
    """Prints how the differences are explained, and those that are not."""
    print(f"\n{tally.explained.total() - tally.explained[BOTH]:>9}  differences explained")
    for name, sentence in explained.sentences().items():
        print(f"{tally.explained[name]:>9}    {name}: {sentence}")
    print(f"{tally.explained[BOTH]:>9}  rules that neither takes")
    print(f"{len(tally.unexplained):>9}  differences unexplained")
    show(tally.unexplained, tocsin)


def show(unexplained, tocsin):
    """Shows differences, one of each kind, as small as they can be."""
    kinds = {}
    for rule, line, said, other in unexplained:
        kind = (re.sub("'.*|`.*?`", "", said), other[:50]) if line is None else (rule.features, said)
        kinds.setdefault(kind, (rule, line, said, other))
    words = {True: "match", False: "no match"}
    for rule, line, said, other in list(kinds.values())[:SHOWN]:
        if line is not None:
            rule, line = shrink(tocsin, rule, line, said)
        print(f"\n{rule.id}\n{generate.yaml_text(rule.tree)}{line or ''}")
        print(f"  Tocsin: {words.get(said, said)}\n  oracle: {words.get(other, other)}")


def run(pool, title, work, jobs):
    """Runs the jobs and adds up what they found."""
    began, tally = time.monotonic(), Tally()
    for done, finished in enumerate(as_completed([pool.submit(work, *job) for job in jobs]), 1):
        tally.add(finished.result())
        text = f"{title}: {done}/{len(jobs)} chunks, {tally.pairs:,} pairs, {len(tally.unexplained)} unexplained, {time.monotonic() - began:.0f} s"
        if sys.stderr.isatty():
            print(f"\r{text}", end="" if done < len(jobs) else "\n", file=sys.stderr, flush=True)
        elif done % max(len(jobs) // 5, 1) == 0:
            print(text, file=sys.stderr, flush=True)
    return tally


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("tocsin", help="the binary")
    parser.add_argument("--data", help="folder of the recordings; left out when it is not there")
    options = parser.parse_args()
    tocsin = Tocsin(str(Path(options.tocsin).resolve()))
    pairs = int(os.environ.get("PAIRS", "1000000"))
    seeds = os.environ.get("SEEDS", "1,2,3").split(",")
    per_seed = -(-pairs // (len(seeds) * RULES * RULES * EVENTS_PER_RULE))
    with ProcessPoolExecutor(int(os.environ.get("JOBS", os.cpu_count() or 1))) as pool:
        jobs = [(tocsin, seed, number) for number in range(per_seed) for seed in seeds]
        tally = run(pool, "generated", chunk, jobs)
        hollow = report("generated", tally)
        data = recorded.folder(options.data)
        if data is None:
            print("\nskipped: the recordings are not here")
        else:
            chunks = -(-len(recorded.rules(data)) // RULES)
            public = run(pool, "public rules", recorded_chunk, [(tocsin, data, seeds[0], number) for number in range(chunks)])
            report("public rules", public)
            tally.add(public)
    conclude(tally, tocsin)
    for feature in hollow:
        print(f"hollow: `{feature}` was met by no match, or by no miss")
    return 1 if tally.unexplained or hollow else 0


if __name__ == "__main__":
    sys.exit(main())
