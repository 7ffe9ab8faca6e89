"""The public Sigma rules against recorded events, where the recordings are (`../shared/data`): the events
as they are, changed a little, and events made for the rules."""

import gzip
import json
import random
from pathlib import Path

import events
from generate import Plain, Rule, features_of
from oracle import Loader

RULES = "sigma_rules/sigma_windows_and_cloud_rules.jsonl.gz"
FLAT = "windows/evtx_to_mitre.jsonl.gz"
AS_SENT = ["windows/otrf/*.jsonl.gz", "cloudtrail/*.jsonl.gz"]
EVENTS_PER_FILE = 150
EVENTS_PER_RULE = 2


class PublicRule(Rule):
    """A rule with a text of its own."""

    text = ""

    def __init__(self, entry):
        self.id = entry["id"]
        self.text = entry["yaml"]
        self.filters = []
        self.detection = as_written(Loader(self.text).get_single_data()["detection"])
        self.features = frozenset(features_of(self.detection))


def as_written(node):
    """A tree in which what is no text is `Plain`."""
    if isinstance(node, dict):
        return {str(key): as_written(value) for key, value in node.items()}
    if isinstance(node, list):
        return [as_written(member) for member in node]
    return node if isinstance(node, str) else Plain("null" if node is None else str(node).lower())


def rules(data):
    """The public rules as they are read, in order."""
    return [json.loads(line) for line in lines_of(data / RULES)]


def lines_of(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read().splitlines()


def sample(data, seed):
    """Some events of every recording."""
    rng = random.Random(seed)
    found = [json.loads(line)["flat"] for line in rng.sample(lines_of(data / FLAT), 4 * EVENTS_PER_FILE)]
    for pattern in AS_SENT:
        for path in sorted(data.glob(pattern)):
            lines = lines_of(path)
            found += map(json.loads, rng.sample(lines, min(EVENTS_PER_FILE, len(lines))))
    for event in found:
        # Tocsin reads the provider of these recordings under the name that rules use.
        if "SourceName" in event:
            event.setdefault("Provider_Name", event["SourceName"])
    rng.shuffle(found)
    return found


def lines(rng, chunk_rules, recorded):
    """Lines for a chunk of rules, and the index of the rule each was made for (None: it was recorded)."""
    found = [(events.near(rng, rule), index) for index, rule in enumerate(chunk_rules) for _ in range(EVENTS_PER_RULE)]
    for event in recorded:
        event = json.loads(json.dumps(event))
        for _ in range(rng.choice([0, 1, 2])):
            events.mutate(rng, event)
        found.append((events.line(rng, event), None))
    return zip(*found)


def folder(path):
    """The folder of the recordings, if they are there."""
    return Path(path) if path and Path(path, RULES).exists() else None
