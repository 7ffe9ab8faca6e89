"""Random Sigma rules: every modifier, every shape of a selection, every form of a condition.

A rule is a tree of dicts, lists and scalars, written as YAML by `yaml_text`. A `str` is text and is
quoted where it must be; a `Plain` is a scalar written without quotes, whatever it then is.
"""

import random
import re
import zlib

FIELDS = ["Alpha", "Beta", "gamma", "Delta-1", "With Space", "delta.one", "delta.two", "outer.inner.deep"]

WORDS = (
    ["cmd", "CMD.exe", "power", "shell", "C:\\Temp", "/bin/sh", " -enc", " /c", "a", "ab", "x y", "evil.com", "log"] * 3
    + ["Straße", "ΣΑΣ", "σας", "İ", "ı", "ſ", "\u212a", "é", "e\u0301", "日本", "😀", "ǅ", "ẞ"]
    + ["\\", "\\\\", "\\n", "\n", "\r\n", "\t", '"', "'", ".", " ", "%x%", "{", "[", "(", "+", "|", "^", "$", ":", "#"]
    + ["0", "10", "4625", "1.0", "true", "null", "-", "--x", "a-b", "–x", "—y", "-a -b", "10.1.2.3", "\0", "\x7f", "\u2028"]
)
# Few letters: parts of a pattern then fit in many places, and only one way through may be right.
FEW = ["a", "a", "b", "ab", "-a", "A", "á"]
# Letters on which ways to ignore case differ.
CASES = list("ſsSKkßẞİiıIΣσςǆǅǄµμåÅÅΩωΩ") + ["ss", "SS", "ŉ", "ﬀ", "ff", "θ", "ϴ"]
CASED = [chr(code) for code in range(0x80, 0x1E944) if len(chr(code).lower() + chr(code).upper()) == 2 and chr(code).lower() != chr(code).upper()]
NUMBERS = ["0", "1", "-1", "10", "4625", "1.5", "-0.0", "1.0", "0x1F", "0o17", "1e3", "010", "9007199254740993", ".5",
           "5.", "+7", "-12.75", "1E3", "-0", "123456789012345678901234567890", "1e-7"]
NETWORKS = ["10.0.0.0/8", "192.168.1.0/24", "10.1.2.3", "10.1.2.3/32", "0.0.0.0/0", "172.16.0.0/12", "fe80::/10",
            "2001:db8::/32", "::1/128", "::/0", "::ffff:0:0/96"]
DATE_PARTS = {
    "minute": ["0", "1", "5", "52", "59"],
    "hour": ["0", "5", "12", "22", "23"],
    "day": ["1", "17", "29", "30", "31"],
    "week": ["1", "9", "52", "53"],
    "month": ["1", "2", "5", "12"],
    "year": ["2024", "2025", "2026"],
}
PLACEHOLDERS = {"users": ["root", "adm*", "a?"], "one": ["cmd"], "parts": ["c.d", "a", "log"]}
NAMES = ["sel_a", "sel_b", "sel_b_2", "filter_x", "filter-y", "_hidden", "keywords", "other1", "not_me"]

# Every chain of modifiers that makes sense, the common ones more often. `neq` and `all` are added at random.
CHAINS = (
    [""] * 8 + ["contains", "contains", "startswith", "endswith"]
    + ["cased", "contains|cased", "cased|startswith", "endswith|cased"]
    + ["windash", "windash|contains", "windash|startswith", "windash|endswith", "windash|cased|contains"]
    + ["re", "re", "re|i", "re|m", "re|s", "re|i|m|s", "re|contains", "re|startswith", "re|endswith", "re|ignorecase"]
    + ["re|multiline", "re|dotall", "base64", "base64|contains", "base64offset|contains", "base64offset|cased|contains"]
    + [f"{utf16}|{encoded}|contains" for utf16 in ("wide", "utf16le", "utf16be", "utf16") for encoded in ("base64offset", "base64")]
    + ["cidr", "cidr", "lt", "lte", "gt", "gte", "exists", "exists"]
    + ["fieldref", "fieldref|startswith", "fieldref|endswith", "fieldref|contains"]
    + [*DATE_PARTS, "hour|gte", "day|lt", "month|lte", "minute|gt"]
    + ["expand", "expand|contains", "contains|expand", "expand|endswith", "expand|cased", "re|expand", "expand|windash"]
)
KEYWORD_CHAINS = ["", "contains", "cased", "re", "re|i", "windash", "base64offset|contains", "wide|base64offset|contains"]

# Rules that one or both must refuse: a chain with a value, or a condition.
ODD_ITEMS = [
    ("contains", "Plain", "4625"), ("startswith", "Plain", "true"), ("cased", "Plain", "4625"), ("windash", "Plain", "5"),
    ("contains", "Plain", "null"), ("re", "text", "(?=a)b"), ("re", "text", r"(a)\1"), ("re", "text", "("), ("re", "text", "a**"),
    ("base64", "text", "a*b"), ("base64offset|contains", "text", "a?b"), ("wide", "text", "abc"), ("wide", "text", "é"),
    ("utf16", "text", "abc"), ("utf16be", "text", "abc"), ("wide|base64", "text", "é"), ("utf16be|base64", "text", "日本"),
    ("wide|contains", "text", "abc"), ("wide|contains|base64", "text", "abc"), ("cidr", "text", "10.1.2.3/8"),
    ("cidr", "text", "10.*"), ("cidr", "text", "10.0.0.0/255.0.0.0"), ("contains|cidr", "text", "10.0.0.0/8"),
    ("contains|re", "text", "a"), ("gt", "text", "5"), ("lt", "Plain", "true"), ("exists", "text", "true"),
    ("exists|contains", "Plain", "true"), ("exists", "Plain", "1"), ("fieldref", "text", "A*"), ("fieldref|cased", "text", "Beta"),
    ("contains|fieldref", "text", "Beta"), ("i", "text", "a"), ("cased|re", "text", "a"), ("nosuch", "text", "a"),
    ("windash|contains", "text", " -a -b -c -d"), ("neq", "Plain", "null"), ("windash|base64", "text", "-a"),
    ("cased|base64|contains", "text", "cmd"), ("contains|base64", "text", "cmd"), ("gt|contains", "Plain", "5"),
    ("hour", "Plain", "24"), ("month", "Plain", "0"), ("week", "text", "5"), ("expand", "text", "%nobody%"),
    ("base64|base64", "text", "cmd"), ("cased|windash|contains", "text", " -Enc"), ("cased|wide|base64offset|contains", "text", "cmd"),
]
ODD_CONDITIONS = ["2 of them", "nothing", "1 of nothing*", "sel_a and", "sel_a or or sel_a", "(sel_a", "not", "sel_a | count() > 5",
                  "1 of filter-*", "SEL_A", "sel_a AND sel_a", "sel_a* and sel_a", "all of", "sel_a sel_a", "1 of sel_*a*",
                  "any of them", "1 of _*", ""]


class Plain(str):
    """A scalar written without quotes."""


class Rule:
    """A rule: its detection as a tree, and its id."""

    def __init__(self, number, detection, features=(), filters=()):
        self.id = f"00000000-0000-4000-8000-{number:012x}"
        self.detection = detection
        self.filters = list(filters)
        self.features = frozenset(features) | features_of(detection) | ({"filter"} if filters else set())

    @property
    def text(self):
        """The rule, and its filters as further documents."""
        logsource = {"logsource": {"category": "generated"}}
        documents = [{"title": "generated", "id": self.id, **logsource, "detection": self.detection}]
        for number, selections in enumerate(self.filters):
            documents.append({"title": f"filter {number}", **logsource, "filter": {"rules": [self.id], **selections}})
        return "---\n".join(map(yaml_text, documents))

    @property
    def tree(self):
        """What may become smaller."""
        return {"detection": self.detection, "filters": self.filters}

    def with_tree(self, tree):
        return Rule(int(self.id[-12:], 16), tree["detection"], filters=tree["filters"])


def rule(rng, number):
    """A random rule, one in eight with filters of its own."""
    make = Maker(rng)
    made = one_rule(rng, number, make)
    if "odd" not in made.features and rng.random() < 0.12:
        made = Rule(number, made.detection, filters=[make.filter() for _ in range(rng.choice([1, 1, 2]))])
    return made


def one_rule(rng, number, make):
    """A rule without filters. A third have one item only: a near miss of it is a near miss of the rule."""
    if rng.random() < 0.06:
        return Rule(number, make.odd(), {"odd"})
    if rng.random() < 0.35:
        name = rng.choice(NAMES[:3])
        selection = make.item() if rng.random() < 0.9 else make.keywords()
        return Rule(number, {name: selection, "condition": name if rng.random() < 0.85 else f"not {name}"})
    names = rng.sample(NAMES, rng.choice([1, 2, 2, 3, 4]))
    detection = {name: make.selection() for name in names}
    conditions = [make.condition(names, 0) for _ in range(rng.choice([1] * 9 + [2]))]
    detection["condition"] = conditions[0] if len(conditions) == 1 else conditions
    return Rule(number, detection)


class Maker:
    """Makes the parts of a rule."""

    def __init__(self, rng):
        self.rng = rng
        self.words = rng.choices([WORDS, FEW, CASES], [70, 18, 12])[0]

    def selection(self, depth=0):
        kind = self.rng.random()
        if kind < 0.68 or depth > 1:
            return {key: values for _ in range(self.rng.choice([1, 1, 2, 3])) for key, values in self.item().items()}
        if kind < 0.84:
            return [self.selection(depth + 1) for _ in range(self.rng.randint(1, 3))]
        return self.keywords()

    def filter(self):
        names = self.rng.sample([name for name in NAMES if not name.startswith("_")], self.rng.choice([1, 1, 2]))
        condition = self.condition(names, 1)
        condition = condition if self.rng.random() < 0.3 else f"not ({condition})"
        return {**{name: self.selection(1) for name in names}, "condition": condition}

    def keywords(self):
        words = [self.text() or "cmd" for _ in range(self.rng.randint(1, 3))]
        chain = self.rng.choice(KEYWORD_CHAINS)
        if chain:
            words = [self.value(chain) or "cmd" for _ in words]
        if self.rng.random() < 0.3:
            chain += "|all"
        if chain:
            return {"|" + chain.strip("|"): words}
        if self.rng.random() < 0.1:
            words.append(Plain(self.rng.choice(["4625", "10", "true"])))
        return words if len(words) > 1 or self.rng.random() < 0.5 else words[0]

    def item(self):
        """One `field|chain: values`."""
        rng = self.rng
        chain = rng.choice(CHAINS)
        count = 1 if chain == "exists" else rng.choice([1, 1, 1, 2, 3])
        values = [self.value(chain) for _ in range(count)]
        if count == 1 and not chain and rng.random() < 0.12:
            values = [Plain(rng.choice(["null", "~", ""]))]
        parts = chain.split("|") if chain else []
        if chain != "exists":
            if count > 1 and rng.random() < 0.3:
                parts.insert(rng.choice([0, len(parts)]) if parts[:1] not in (["re"], ["cidr"]) else len(parts), "all")
            if rng.random() < 0.12:
                parts.append("neq")
        key = "|".join([rng.choice(FIELDS), *parts])
        return {key: values if count > 1 or rng.random() < 0.2 and not is_null(values[0]) else values[0]}

    def value(self, chain):
        """A value that fits the chain."""
        rng = self.rng
        founder = chain.split("|")[0]
        if "expand" in chain:
            text = "" if rng.random() < 0.5 else rng.choice(["cmd", "a", " -enc ", "C:"])
            placeholder = f"%{rng.choice([*PLACEHOLDERS] if founder == 're' else ['users', 'one'])}%"
            return rng.choice([text + placeholder, placeholder + text, f"{text}{placeholder}{rng.choice(['x', '%', ''])}"])
        if founder == "re":
            return self.regex()
        if founder == "cidr":
            return rng.choice(NETWORKS)
        if founder in ("lt", "lte", "gt", "gte"):
            return Plain(rng.choice(NUMBERS))
        if founder in DATE_PARTS:
            return Plain(rng.choice(DATE_PARTS[founder]))
        if founder == "exists":
            return Plain(rng.choice(["true", "false"]))
        if founder == "fieldref":
            return rng.choice(FIELDS)
        if "base64" in chain:
            return self.encodable(ascii_only=founder in ("wide", "utf16", "utf16le", "utf16be"))
        if not chain and rng.random() < 0.35:
            return Plain(rng.choice([*NUMBERS, "true", "false", "True", "FALSE"]))
        if "windash" in chain and rng.random() < 0.7:
            return self.text() + rng.choice([" -enc", " /c", "-a /b", "–x", "--y", " -a-b"]) + rng.choice(["", " 1"])
        return self.text()

    def text(self):
        """Text with wildcards and escapes, now and then empty."""
        rng = self.rng
        if rng.random() < 0.04:
            return ""
        parts = []
        for _ in range(rng.choice([1, 1, 2, 2, 3] if self.words is not FEW else [2, 3, 4, 5])):
            parts.append(rng.choice(self.words) if rng.random() < 0.95 else rng.choice(CASED))
            if rng.random() < (0.5 if self.words is FEW else 0.22):
                parts.append(rng.choice(["*", "*", "?", "??", r"\*", r"\?", r"\\", r"\\*", r"\\\*", r"\\\\", r"\\\x", "\\"]))
        if rng.random() < 0.1:
            parts.insert(0, rng.choice(["*", "?", r"\*"]))
        return "".join(parts)

    def encodable(self, ascii_only):
        words = [word for word in WORDS if not ascii_only or word.isascii()]
        text = "".join(self.rng.choice(words) for _ in range(self.rng.choice([1, 2, 2, 3, 3])))
        return text.replace("\\", r"\\")

    def regex(self, depth=0):
        """An expression of the common part of PCRE."""
        rng = self.rng
        parts = []
        for _ in range(rng.randint(1, 3)):
            atom = rng.choice(
                [re.escape(rng.choice(WORDS)), "cmd", "[a-c]", "[^x]", r"[\w.-]", ".", r"\d", r"\w", r"\s", "[Cc]md", r"\.exe"]
            )
            if depth == 0 and rng.random() < 0.3:
                inner = "|".join(self.regex(1) for _ in range(rng.randint(1, 2)))
                atom = rng.choice(["(", "(?:"]) + inner + ")"
            if rng.random() < 0.3 and len(atom) > 0:
                bare = len(atom) == 1 or atom[0] in "([" or re.fullmatch(r"\\.", atom)
                # A repeated choice would take a backtracking engine, such as the oracle's, for ever.
                simple = depth == 0 and "(" not in atom
                repeat = rng.choice(["*", "+", "?", "{2}", "{1,3}", "{0,}", "*?", "+?"] if simple else ["?", "{2}", "{1,3}"])
                atom = (atom if bare else f"(?:{atom})") + repeat
            parts.append(atom)
        text = "".join(parts)
        if depth == 0:
            text = rng.choice(["", "", "", "^", r"\b"]) + text + rng.choice(["", "", "", "$", r"\b"])
            if rng.random() < 0.08:
                text += "|" + rng.choice(["^ab$", "log", r"\\"])
        return text

    def condition(self, names, depth):
        rng = self.rng
        kind = rng.random()
        if depth > 2 or kind < 0.3:
            return rng.choice(names)
        if kind < 0.55:
            visible = [name for name in names if not name.startswith("_")]
            targets = [name[: rng.randint(1, len(name))].replace("-", "*") + "*" for name in visible] + ["_*"] * ("_hidden" in names)
            targets += ["them"] * bool(visible) + ["*" + name[-2:].replace("-", "*") for name in visible]
            return rng.choice(["1 of ", "all of ", "any of "]) + rng.choice(targets)
        inner = self.condition(names, depth + 1)
        if kind < 0.7:
            return f"not {inner}" if rng.random() < 0.4 else f"not ({inner})"
        joined = f"{inner} {rng.choice(['and', 'or'])} {self.condition(names, depth + 1)}"
        return f"({joined})" if rng.random() < 0.5 else joined

    def odd(self):
        """A rule at the border of the language."""
        rng = self.rng
        if rng.random() < 0.25:
            return {"sel_a": self.item(), "filter-y": self.item(), "condition": rng.choice(ODD_CONDITIONS)}
        if rng.random() < 0.15:
            odd = [["a", Plain("null")], {}, [], Plain("null"), {"Alpha": []}, {"Alpha": ["a", Plain("null")]}, {"Alpha": {"Beta": "a"}}]
            odd += [{"Alpha": [["a"]]}, {"|exists": Plain("true")}, {"|startswith": "a"}, {"|cidr": "10.0.0.0/8"}, {"": "cmd"}]
            return {"sel_a": rng.choice(odd), "condition": "sel_a"}
        chain, kind, value = rng.choice(ODD_ITEMS)
        value = Plain(value) if kind == "Plain" else value
        return {"sel_a": {f"{rng.choice(FIELDS[:4])}|{chain}": value}, "condition": "sel_a"}


def is_null(value):
    return value is None or isinstance(value, Plain) and value in ("null", "~", "")


def items_of(node):
    """Every (key, values) of a tree of selections; the key of keywords is ''."""
    if isinstance(node, dict):
        for key, values in node.items():
            yield key, values if isinstance(values, list) else [values]
    elif isinstance(node, list) and any(isinstance(member, (dict, list)) for member in node):
        for member in node:
            yield from items_of(member)
    else:
        yield "", node if isinstance(node, list) else [node]


def features_of(detection):
    """What a rule uses, by the names of the report."""
    found = set()
    conditions = detection.get("condition", "")
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        words = re.findall(r"[\w*-]+", condition)
        found.update(f"condition: {word}" for word in ("not", "and", "or", "them") if word in words)
        found.update(f"condition: {quantifier} of" for quantifier in ("1", "any", "all") if f"{quantifier} of" in condition)
        found.update({"condition: pattern"} if any("*" in word for word in words) else ())
    found.update({"condition: list"} if isinstance(conditions, list) else ())
    for name, node in detection.items():
        if name == "condition":
            continue
        found.update({"shape: list of maps"} if isinstance(node, list) and any(isinstance(m, dict) for m in node) else ())
        for key, values in items_of(node):
            field, *modifiers = key.split("|")
            found.update(f"|{modifier}" for modifier in modifiers)
            found.update({"shape: keywords"} if not field else ())
            found.update({"shape: value list"} if len(values) > 1 else ())
            found.update({"field: dotted"} if "." in field else ())
            for value in values:
                found.update(features_of_value(value, modifiers))
    return found


def features_of_value(value, modifiers):
    if not isinstance(value, str) or isinstance(value, Plain):
        word = str(value).lower()
        kind = "null" if is_null(value) else "boolean" if word in ("true", "false") else "number"
        return {f"value: {kind}"} if not modifiers else set()
    if {"re", "cidr", "fieldref"} & set(modifiers):
        return set()
    found = {"value: text"}
    found.update({"value: empty text"} if value == "" else ())
    found.update({"value: unicode"} if not value.isascii() else ())
    found.update({"value: wildcard"} if re.search(r"(?<!\\)(\\\\)*[*?]", value) else ())
    found.update({"value: escape"} if re.search(r"\\[*?\\]", value) else ())
    found.update({"value: number as text"} if re.fullmatch(r"[+-]?[0-9.]+", value) else ())
    return found


def yaml_text(node, indent=0):
    """A tree as YAML in block style."""
    pad = "  " * indent
    lines = []
    entries = node.items() if isinstance(node, dict) else [(None, member) for member in node]
    for key, value in entries:
        head = f"{pad}- " if key is None else f"{pad}{scalar(key)}: "
        if isinstance(value, (dict, list)) and value:
            lines.append(head.rstrip() + "\n" + yaml_text(value, indent + 1))
        elif isinstance(value, (dict, list)):
            lines.append(head + ("{}" if isinstance(value, dict) else "[]") + "\n")
        else:
            lines.append(head + scalar(value) + "\n")
    return "".join(lines)


PLAIN_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_./\\]*([ -][A-Za-z0-9_./\\]+)*")


def scalar(value):
    """A scalar in one of the styles that can hold it; always the same one for the same text."""
    if isinstance(value, Plain):
        return value
    style = zlib.crc32(value.encode()) % 3
    if style == 0 and PLAIN_SAFE.fullmatch(value) and value.lower() not in ("true", "false", "null"):
        return value
    if style == 1 and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    short = {"\n": r"\n", "\r": r"\r", "\t": r"\t", '"': r"\"", "\\": r"\\"}
    return '"' + "".join(short.get(c) or (c if c.isprintable() else f"\\U{ord(c):08x}") for c in value) + '"'


if __name__ == "__main__":
    source = random.Random(1)
    print("---\n".join(rule(source, number).text for number in range(10)))
