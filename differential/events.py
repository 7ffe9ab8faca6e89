"""Events that nearly match a rule: made of what its items ask for, then changed a little.

Nothing here decides anything; that events match, or miss by one character, only has to be likely.
"""

import base64
import ipaddress
import json
import re
from datetime import datetime, timezone
from re import _constants as sre
from re import _parser as sre_parser

from generate import DATE_PARTS, FIELDS, PLACEHOLDERS, WORDS, Plain, is_null

DASHES = "-/–—―"
UTF16 = {"wide": "utf-16-le", "utf16le": "utf-16-le", "utf16be": "utf-16-be", "utf16": "utf-16-le"}
ADDRESSES = ["10.0.0.0", "10.255.255.255", "11.0.0.0", "9.255.255.255", "192.168.1.255", "192.168.2.0", "::1", "::2",
             "fe80::1", "febf::1", "fec0::1", "FE80:0::1", "::ffff:10.1.2.3", "::ffff:a01:203", "2001:db8:1::1", "010.0.0.1",
             "10.1.2.3 ", "10.1", "256.1.1.1", "fe80::1%eth0", "0.0.0.0", "10.1.2.3:80", "1::2::3", ""]
TIMES = ["2024-12-30T12:05:01Z", "2026-01-01T23:00:59+01:00", "2026-12-31T00:01:00.123Z", "2024-02-29 05:12:52", "yesterday"]


def near(rng, rule):
    """A JSON object that more or less meets the rule, as a line of JSON."""
    event = {"time": "2026-01-01T00:00:00Z"}
    for name, node in rule.detection.items():
        if name != "condition" and rng.random() < (0.25 if name.startswith("filter") else 0.8):
            satisfy(rng, node, event)
    for selections in rule.filters:
        for name, node in selections.items():
            if name != "condition" and rng.random() < 0.4:
                satisfy(rng, node, event)
    for _ in range(rng.choice([0, 0, 0, 1, 1, 2])):
        mutate(rng, event)
    if rng.random() < 0.15:
        put(rng, event, rng.choice(FIELDS), rng.choice(WORDS))
    return line(rng, event)


def satisfy(rng, node, event):
    """Puts into the event what a tree of selections asks for."""
    if isinstance(node, dict):
        for key, values in node.items():
            satisfy_item(rng, key, values if isinstance(values, list) else [values], event)
    elif isinstance(node, list) and any(isinstance(member, (dict, list)) for member in node):
        satisfy(rng, rng.choice(node), event)
    else:
        satisfy_item(rng, "", node if isinstance(node, list) else [node], event)


def satisfy_item(rng, key, values, event):
    field, *modifiers = key.split("|")
    if not values or any(isinstance(value, (dict, list)) for value in values):
        return
    if "neq" in modifiers and rng.random() < 0.6:
        values = [rng.choice(WORDS)]
    found = [sample(rng, value, modifiers, event) for value in (values if "all" in modifiers else [rng.choice(values)])]
    if "exists" in modifiers or is_null(found[0]):
        if str(values[0]).lower() == "true" or found[0] == "null":
            put(rng, event, field, None)
        return
    if len(found) > 1 and all(isinstance(value, str) for value in found):
        value = rng.choice(["", " ", "x"]).join(found) if {"contains", "re"} & set(modifiers) or not field else found
    else:
        value = found[0]
    put(rng, event, field or rng.choice(["note", "message", *FIELDS]), value)


def sample(rng, value, modifiers, event):
    """A value that is likely to pass the test of one value."""
    if is_null(value) or "exists" in modifiers:
        return rng.choice(["null", ""]) if is_null(value) else value
    if "fieldref" in modifiers:
        other = str(rng.choice(WORDS))
        put(rng, event, str(value), other)
        return around(rng, other, modifiers)
    part = next((part for part in DATE_PARTS if part in modifiers), None)
    if part:
        return time_of(rng, part, str(value))
    if "expand" in modifiers:
        value = re.sub(r"%(\w+)%", lambda found: rng.choice(PLACEHOLDERS.get(found[1], [found[0]])), str(value))
    if "cidr" in modifiers:
        return address(rng, str(value))
    if {"lt", "lte", "gt", "gte"} & set(modifiers) or not isinstance(value, str) or isinstance(value, Plain):
        return near_number(rng, str(value))
    if "re" in modifiers:
        return rng.choice(["", "", "x", "\n"]) + expression_sample(rng, value) + rng.choice(["", "", "x", "\n"])
    return text_sample(rng, value, modifiers)


def text_sample(rng, value, modifiers):
    utf16 = next((UTF16[modifier] for modifier in modifiers if modifier in UTF16), None)
    if {"base64", "base64offset"} & set(modifiers) or utf16:
        text = value.replace(r"\\", "\\")
        data = text.encode(utf16) if utf16 else text.encode()
        data = b"\xff\xfe" + data if "utf16" in modifiers and rng.random() < 0.9 else data
        if "base64offset" in modifiers:
            data = b"abc"[: rng.randint(0, 3)] + data + b"xyz"[: rng.randint(0, 3)]
        return around(rng, base64.b64encode(data).decode(), modifiers)
    text = ""
    for piece in re.findall(r"\\[*?\\]|.", value, re.DOTALL):
        if piece == "*":
            text += rng.choice(["", "", "x", "a b", "\n", "b", "ab", "aab", "x" * 3000 if rng.random() < 0.02 else "a"])
        elif piece == "?":
            text += rng.choice(["x", "a", "b", "é", "😀", "\n", "", "?"])
        else:
            text += piece[1:] if len(piece) == 2 else piece
    if "windash" in modifiers:
        text = "".join(rng.choice(DASHES) if c in "-/" and rng.random() < 0.6 else c for c in text)
    if rng.random() < (0.15 if "cased" in modifiers else 0.35):
        text = "".join(rng.choice([c.upper(), c.lower(), c.title(), c.upper().lower(), c.lower().upper(), c]) for c in text)
    return around(rng, text, modifiers)


def around(rng, text, modifiers):
    before, after = rng.choice(["x", "a ", "\n", "é"]), rng.choice(["x", " z", "\n", "é"])
    open_start = bool({"contains", "endswith"} & set(modifiers)) != (rng.random() < 0.1)
    open_end = bool({"contains", "startswith"} & set(modifiers)) != (rng.random() < 0.1)
    return (before if open_start and rng.random() < 0.7 else "") + text + (after if open_end and rng.random() < 0.7 else "")


def near_number(rng, text):
    """The number, a neighbour, or another spelling; of a boolean likewise."""
    if text.lower() in ("true", "false"):
        return rng.choice([text.lower() == "true", text.lower() == "true", text, text.lower(), text.upper(), 1, "1"])
    try:
        number = float(int(text, 0)) if re.match(r"0[xo]", text) else float(text)
    except ValueError:
        return text
    if rng.random() < 0.2:
        return text  # as the rule spells it
    number += rng.choice([0, 0, 0, 0, 0.5, 1, -1])
    whole = int(number)
    spellings = [text, str(number), f"{number:e}", f"+{number}", Plain(f"{number:.2f}"), Plain(f"{number:e}")]
    spellings += [whole, whole, str(whole), Plain(whole)] if whole == number else [number, number]
    return rng.choice(spellings)


def time_of(rng, part, text):
    """A time with that part, or one beside it, in one of the usual forms."""
    if rng.random() < 0.3 or not text.isdigit():
        return rng.choice(TIMES)
    number = int(text) + rng.choice([0, 0, 0, 1, -1])
    time = datetime(2026, 5, 17, 8, 25, 59, tzinfo=timezone.utc)
    try:
        time = datetime.fromisocalendar(2026, number, 3) if part == "week" else time.replace(**{part: number})
    except ValueError:
        return rng.choice(TIMES)
    return rng.choice([time.strftime("%Y-%m-%dT%H:%M:%SZ"), time.strftime("%Y-%m-%dT%H:%M:%S.123456Z"), time.strftime("%Y-%m-%d %H:%M:%SZ")])


def address(rng, text):
    if rng.random() < 0.3:
        return rng.choice(ADDRESSES)
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return rng.choice(ADDRESSES)
    size = network.num_addresses
    offset = rng.choice([0, size - 1, size, -1, rng.randrange(size), rng.randrange(size)])
    try:
        return str(network[0] + offset)
    except ipaddress.AddressValueError:
        return str(network[0])


def expression_sample(rng, pattern):
    """Text the expression matches, if it is of the usual kind."""
    try:
        return from_tree(rng, sre_parser.parse(pattern))
    except (re.error, OverflowError):
        return pattern


def from_tree(rng, tree):
    text = ""
    for kind, value in tree:
        if kind is sre.LITERAL:
            text += chr(value)
        elif kind is sre.NOT_LITERAL:
            text += rng.choice("ab \n") if rng.random() < 0.9 else chr(value)
        elif kind is sre.ANY:
            text += rng.choice(["a", "é", " ", "😀", "\n"])
        elif kind is sre.IN:
            text += from_class(rng, value)
        elif kind is sre.BRANCH:
            text += from_tree(rng, rng.choice(value[1]))
        elif kind is sre.SUBPATTERN:
            text += from_tree(rng, value[-1])
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            least, most, inner = value
            times = rng.randint(least, min(most, least + 2))
            text += "".join(from_tree(rng, inner) for _ in range(times))
        elif kind is sre.AT and value is sre.AT_BOUNDARY:
            text += rng.choice(["", "", " "])
    return text


def from_class(rng, members):
    kind, value = rng.choice(members)
    if kind is sre.LITERAL:
        return chr(value)
    if kind is sre.RANGE:
        return chr(rng.randint(*value))
    if kind is sre.CATEGORY:
        return {sre.CATEGORY_DIGIT: "7", sre.CATEGORY_SPACE: " ", sre.CATEGORY_WORD: "w"}.get(value, "-")
    return rng.choice("abx ")


def put(rng, event, field, value):
    """Puts a value under a field: flat or nested, beside a value that is there or instead of it."""
    parts = field.split(".")
    target = event
    if rng.random() < 0.6:
        while len(parts) > 1:
            inner = target.setdefault(parts[0], {})
            if isinstance(inner, list) and inner and isinstance(inner[-1], dict):
                inner = inner[-1]
            if not isinstance(inner, dict):
                break
            target, parts = inner, parts[1:]
    key = ".".join(parts)
    if key in target and rng.random() < 0.5:
        old = target[key] if isinstance(target[key], list) else [target[key]]
        value = [*old, value] if rng.random() < 0.5 else [value, *old]
    elif rng.random() < 0.08:
        value = rng.choice([[value], [value, rng.choice(WORDS)], [None, value], [[value], "x"], [{"x": 1}, value]])
    target[key] = value
    if target is not event and rng.random() < 0.1 and isinstance(event.get(field.split(".")[0]), dict):
        event[field.split(".")[0]] = [{"other": 1}, event[field.split(".")[0]]]


def mutate(rng, event):
    """One small change somewhere in an object."""
    keys = [key for key in event if key != "time"]
    if not keys:
        return
    key = rng.choice(keys)
    value = event[key]
    if isinstance(value, dict) and value and rng.random() < 0.8:
        return mutate(rng, value)
    kind = rng.random()
    if kind < 0.12:
        del event[key]
    elif kind < 0.24:
        event[key] = rng.choice([None, "", [], {}, [None], True, False, 0, "0", {"x": value}, [value, value]])
    elif kind < 0.3:
        event[rng.choice([key.lower(), key + "x", key.upper()])] = event.pop(key)
    elif isinstance(value, str) and not isinstance(value, Plain):
        event[key] = edited(rng, value)
    elif isinstance(value, list) and value and isinstance(value[0], str):
        value[0] = edited(rng, value[0])
    elif isinstance(value, (int, float, Plain)):
        event[key] = rng.choice([str(value), f"{value}0", f" {value}", str(value) + ".0"])


def edited(rng, text):
    at = rng.randint(0, len(text))
    kind = rng.random()
    if kind < 0.3:
        return text[:at] + text[at + 1 :]
    if kind < 0.5:
        return text[:at] + rng.choice(WORDS)[:1] + text[at:]
    if kind < 0.6:
        return text[:at] + text[at : at + 1].swapcase() + text[at + 1 :]
    return rng.choice([text + "\n", "\n" + text, text + " ", text + text, text.swapcase(), text[::-1], text.replace("\\", "\\\\")])


def line(rng, event):
    """An event as one line of JSON, spelled in one of the ways JSON allows."""
    text = spelled(event, ensure_ascii=rng.random() < 0.3, separators=rng.choice([(",", ":"), (", ", ": ")]))
    if rng.random() < 0.1:
        text = text.replace("/", r"\/")
    if rng.random() < 0.1:
        letter = rng.choice("mlT")
        text = re.sub(rf'(?<!\\){letter}(?=\w*")', f"\\\\u{ord(letter):04x}", text, count=2)
    return text


def spelled(event, ensure_ascii=False, separators=(",", ":")):
    """An event as JSON, its numbers as they are written."""
    text = json.dumps(marked(event), ensure_ascii=ensure_ascii, separators=separators)
    return re.sub(r'"\\u0000PLAIN(.*?)"', r"\1", text)


def marked(node):
    """A copy in which numbers with a spelling of their own can be told."""
    if isinstance(node, Plain):
        number = re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", node)
        return "\0PLAIN" + node if number else str(node)
    if isinstance(node, dict):
        return {key: marked(value) for key, value in node.items()}
    return [marked(value) for value in node] if isinstance(node, list) else node
