"""The Windows rules and recordings, where they lie beside the checkout, made ready for both programs."""

import gzip
import json
import re
import shutil
import subprocess
import sys

RULES = "sigma_rules/sigma_windows_and_cloud_rules.jsonl.gz"
PREFIX = "rules/windows/"
FILES = ("win1k", "win", "procu")

# What a search identifier may hold that makes it one of keywords: plain values in a list.
ITEM = re.compile(r"- (?P<value>.*)$")
QUOTED = re.compile(r"""(?:'[^']*'|"[^"]*")\s*(?:#.*)?$""")
MAPPING = re.compile(r"""(?:[^'"\s][^:]*|'[^']*'|"[^"]*"):(?:\s|$)""")


def folder(root):
    """The folder with recordings and rules of others, or None."""
    found = (root / ".." / "shared").resolve()
    return found if (found / "data" / RULES).is_file() and (found / "tools" / "make_win.py").is_file() else None


def has_keywords(text):
    """Whether a rule looks for keywords: text anywhere in the event."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    inside, identifiers, items, fresh = False, None, None, False
    for line in lines:
        depth, word = len(line) - len(line.lstrip()), line.strip()
        if depth == 0:
            inside, identifiers = word == "detection:", None
        elif inside:
            identifiers = depth if identifiers is None else identifiers
            if depth == identifiers and not word.startswith("-"):
                fresh, items = word.split(" #")[0].rstrip().endswith(":"), None
                continue
            items = depth if fresh and word.startswith("-") else items
            item = ITEM.match(word) if depth == items else None
            if (fresh and word.startswith(("'|all'", '"|all"'))) or (item and is_plain(item["value"])):
                return True
            fresh = False
    return False


def is_plain(value):
    """Whether a list item is a plain value, not a mapping."""
    return bool(QUOTED.match(value)) or not MAPPING.match(value)


def write_rules(shared, into, tocsin):
    """Writes the rules to compare; returns how many there are and which were left out and why."""
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    left_out = []
    for line in gzip.open(shared / "data" / RULES, "rt", encoding="utf-8"):
        rule = json.loads(line)
        if not rule["path"].startswith(PREFIX):
            continue
        name = rule["path"].removeprefix(PREFIX).replace("/", "__")
        if has_keywords(rule["yaml"]):
            left_out.append((name, "keywords"))
        else:
            (into / name).write_text(rule["yaml"], encoding="utf-8")
    for name, reason in refused(into, tocsin):
        (into / name).unlink()
        left_out.append((name, f"Tocsin refuses it: {reason}"))
    return sum(1 for _ in into.iterdir()), left_out


def refused(rules, tocsin):
    """Rule files Tocsin does not load, with its reason."""
    command = [tocsin, "check", rules.name, "--json"]
    done = subprocess.run(command, cwd=rules.parent, capture_output=True, text=True, check=False, timeout=120)
    found = {}
    for line in (done.stdout + done.stderr).splitlines():
        if not line.startswith("{"):
            continue
        diagnostic = json.loads(line)
        if diagnostic.get("severity", diagnostic.get("level")) == "error" and "file" in diagnostic:
            name = diagnostic["file"].rsplit("/", 1)[-1]
            found.setdefault(name, diagnostic.get("reason", diagnostic.get("message", "")))
    return sorted(found.items())


def rule_id(path):
    """The id a rule file states."""
    found = re.search(r"^id:\s*['\"]?([0-9a-fA-F-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else path.name


def log_source(text):
    """The log source a rule states: product, category, service, what there is of them."""
    block = re.search(r"^logsource:[^\n]*\n((?:[ \t]+[^\n]*\n|[ \t]*#[^\n]*\n|\n)+)", text, re.MULTILINE)
    stated = (
        re.findall(r"^\s+(product|category|service):\s*['\"]?([^'\"#\n]+?)['\"]?\s*(?:#.*)?$", block[1], re.MULTILINE)
        if block
        else []
    )
    return dict(stated)


def write_events(shared, into, times):
    """Makes the event files with the tool that lies beside the recordings."""
    command = [sys.executable, str(shared / "tools" / "make_win.py"), str(into), str(times)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=600)
