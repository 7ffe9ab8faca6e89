"""The oracle: pySigma parses a rule, and the tree it yields is walked over an event.

pySigma decides what the text of a rule means: modifiers, escapes, selections, conditions. It has no
notion of events, so the rest is here, by the specification and `docs/rules.md`: a field's value is
every value under its path, members of lists are each a value, a test of an absent field is false.
YAML is read as YAML 1.2, which the specification asks for; pySigma's own loader reads YAML 1.1.

A `reading` is a documented place where Tocsin reads a rule otherwise (`explained.py`). The oracle can
take on any of them, so that a difference is explained only if that very reading makes it vanish.
"""

import ipaddress
import json
import math
import re
import unicodedata
import warnings
from datetime import datetime, timezone
from functools import lru_cache

import yaml
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.modifiers import SigmaCaseSensitiveModifier, SigmaWideModifier, modifier_mapping
from sigma.policy.profiles import TrustedPolicy
from sigma.rule import SigmaRule, SigmaYAMLLoader
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
    TimestampPart,
)

from generate import PLACEHOLDERS

warnings.filterwarnings("ignore", "Possible nested set", FutureWarning)  # `[[a]` means in re what it always meant

# The specification names both `utf16le` and its alias `wide`; pySigma knows the alias alone.
modifier_mapping["utf16le"] = SigmaWideModifier


# YAML 1.2, core schema.


def spelled(text):
    """The number a text of YAML is, whole ones with all their digits."""
    radix = {"0x": 16, "0o": 8}.get(text[:2])
    whole = re.fullmatch(r"[-+]?\d+", text)
    return int(text[2:], radix) if radix else int(text) if whole else float(text)


class Loader(SigmaYAMLLoader):
    """pySigma's loader with the scalars of YAML 1.2. It remembers how numbers are spelled."""

    def __init__(self, text):
        super().__init__(text)
        self.spellings = {}

    def number(self, node):
        text = node.value
        number = spelled(text)
        self.spellings.setdefault(float(number), set()).add(fold(text))
        return number


Loader.yaml_implicit_resolvers = {}
for tag, pattern, first in [
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("number", r"0o[0-7]+|0x[0-9a-fA-F]+|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), first)
Loader.add_constructor("tag:yaml.org,2002:number", Loader.number)


# Events.


class Number(str):
    """A number of an event, as written."""


@lru_cache(maxsize=1 << 16)
def fold(text):
    """Unicode simple case folding: a character for a character."""
    return text.lower() if text.isascii() else "".join(map(fold_char, text))


@lru_cache(maxsize=1 << 12)
def fold_char(character):
    for folded in (character.casefold(), character.lower()):
        if len(folded) == 1:
            return folded.casefold() if len(folded.casefold()) == 1 else folded
    return character


class Event:
    """A line of JSON: `fields` are the values under each dotted path."""

    def __init__(self, line):
        self.line = line
        self.text = unescaped(line)
        self.fields = {}
        self.gather("", json.loads(line, parse_int=Number, parse_float=Number))

    def gather(self, path, node):
        if isinstance(node, list) and node:
            for member in node:
                self.gather(path, member)
            return
        if path:
            self.fields.setdefault(path, []).append(node)
        if isinstance(node, dict):
            for key, value in node.items():
                self.gather(f"{path}.{key}" if path else key, value)

    def texts(self, field):
        """The values of a field that can be read as text."""
        for value in self.fields.get(field, ()):
            if isinstance(value, str):
                yield value
            elif isinstance(value, bool):
                yield "true" if value else "false"


ESCAPE = re.compile(r"\\u([dD][89abAB]\w\w)\\u([dD][c-fC-F]\w\w)|\\u(\w{4})|\\(.)")
SHORT = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def unescaped(line):
    """The text of a whole line, JSON's escapes undone: where keywords are looked for."""

    def one(found):
        high, low, single, short = found.groups()
        if high:
            return chr(0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00)
        return chr(int(single, 16)) if single else SHORT.get(short, short)

    return ESCAPE.sub(one, line)


# Rules.


class Refused(Exception):
    """pySigma does not take the rule."""


class Judge:
    """A rule as a function of an event; `readings` are names from `explained.py`."""

    def __init__(self, text, readings=frozenset()):
        self.readings = readings
        try:
            loader = Loader(text)
            rule = SigmaRule.from_dict(loader.get_data(), policy=TrustedPolicy)
            rules = [rule]
            while loader.check_data():
                document = loader.get_data()
                if "filter_apart" in readings:
                    selections = {name: node for name, node in document["filter"].items() if name != "rules"}
                    rules.append(SigmaRule.from_dict({**document, "detection": selections}, policy=TrustedPolicy))
                else:
                    SigmaFilter.from_dict(document, policy=TrustedPolicy).apply_on_rule(rule)
            self.spellings = loader.spellings
            tests = [self.tests_of(rule) for rule in rules]
        except (SigmaError, yaml.YAMLError, TypeError, ValueError, AttributeError, re.error) as error:
            raise Refused(f"{type(error).__name__}: {error}") from error
        self.matches = lambda event: all(any(test(event) for test in any_of) for any_of in tests)

    def tests_of(self, rule):
        """The conditions of a rule as tests of an event, any of which is enough."""
        for detection in rule.detection.detections.values():
            expand(detection)
        if "cased_to_the_end" in self.readings:
            keep_case(rule)
        return [self.compile(condition.parse()) for condition in rule.detection.parsed_condition]

    def compile(self, node):
        """A node of the condition tree as a test of an event."""
        if isinstance(node, ConditionFieldEqualsValueExpression):
            return self.field_test(node.field.strip(), node.value)
        if isinstance(node, ConditionValueExpression):
            return self.keyword_test(node.value)
        parts = [self.compile(part) for part in node.args]
        if isinstance(node, ConditionNOT):
            return lambda event: not parts[0](event)
        if isinstance(node, ConditionAND):
            return lambda event: all(part(event) for part in parts)
        assert isinstance(node, ConditionOR)
        return lambda event: any(part(event) for part in parts)

    def field_test(self, field, value):
        if isinstance(value, SigmaExpansion):
            tests = [self.field_test(field, member) for member in value.values]
            return lambda event: any(test(event) for test in tests)
        if isinstance(value, SigmaExists):
            return lambda event: (field in event.fields) == value.exists
        if isinstance(value, SigmaNull):
            return lambda event: field not in event.fields or None in event.fields[field]
        if isinstance(value, SigmaFieldReference):
            return reference_test(field, value)
        test = self.value_test(value)
        if isinstance(value, SigmaNumber) and "number_as_written" in self.readings:
            spellings = self.spellings[float(value.number)]
            return lambda event: any(test(text) or fold(text) in spellings for text in event.texts(field))
        if isinstance(value, SigmaNumber) and "whole_numbers_exact" in self.readings:
            numbers = {spelled(text) for text in self.spellings[float(value.number)]}
            return lambda event: any(number_of(text) is not None and spelled(text) in numbers for text in event.texts(field))
        return lambda event: any(map(test, event.texts(field)))

    def value_test(self, value):
        if isinstance(value, SigmaRegularExpression) and "words_of_unicode" in self.readings:
            test = expression_test(value, words_as_letters)
            return lambda text: test(words_as_letters(text))
        return value_test(value)

    def keyword_test(self, value):
        if isinstance(value, SigmaExpansion):
            tests = [self.keyword_test(member) for member in value.values]
            return lambda event: any(test(event) for test in tests)
        if isinstance(value, SigmaNumber) and "number_as_written" in self.readings:
            spellings = self.spellings[float(value.number)]
            return lambda event: any(spelling in fold(event.text) for spelling in spellings)
        if isinstance(value, (SigmaNumber, SigmaBool)):
            value = SigmaString(str(value))
        if isinstance(value, SigmaString):
            test = text_test(value, contained=True)
        elif isinstance(value, SigmaRegularExpression):
            test = self.value_test(value)
        else:
            raise ValueError(f"{type(value).__name__} needs a field")
        return lambda event: test(event.text)


def items_of(detection):
    """The items of a detection, however deep."""
    for item in detection.detection_items:
        yield from items_of(item) if hasattr(item, "detection_items") else [item]


def expand(detection):
    """Puts the house's values in the place of placeholders, any of which will do."""

    def values(placeholder):
        if placeholder.name not in PLACEHOLDERS:
            raise ValueError(f"no value for %{placeholder.name}%")
        yield from map(SigmaString, PLACEHOLDERS[placeholder.name])

    def expanded(value):
        if isinstance(value, SigmaExpansion):
            return SigmaExpansion([expanded(member) for member in value.values])
        if isinstance(value, (SigmaString, SigmaRegularExpression)) and value.contains_placeholder():
            found = value.replace_placeholders(values)
            if isinstance(value, SigmaCasedString):
                found = map(SigmaCasedString.from_sigma_string, found)
            return SigmaExpansion(list(found))
        return value

    for item in items_of(detection):
        item.value = [expanded(value) for value in item.value]


def keep_case(rule):
    """Reading: what `cased` has marked stays case-sensitive whatever modifier follows."""

    def cased(value):
        if isinstance(value, SigmaExpansion):
            return SigmaExpansion([cased(member) for member in value.values])
        return SigmaCasedString.from_sigma_string(value) if isinstance(value, SigmaString) else value

    for detection in rule.detection.detections.values():
        for item in items_of(detection):
            if SigmaCaseSensitiveModifier in item.modifiers:
                item.value = [cased(value) for value in item.value]


# Tests of a value's text.


def value_test(value):
    if isinstance(value, SigmaString):
        return text_test(value)
    if isinstance(value, SigmaTimestampPart):
        return lambda text: (part := date_part(text, value.timestamp_part)) is not None and part == value.number
    if isinstance(value, SigmaNumber):
        return lambda text: (number := number_of(text)) is not None and number == float(value.number)
    if isinstance(value, SigmaBool):
        return lambda text: fold(text) == ("true" if value.boolean else "false")
    if isinstance(value, SigmaCompareExpression):
        return compare_test(value)
    if isinstance(value, SigmaCIDRExpression):
        network = unmapped(value.network)
        return lambda text: (address := address_of(text)) is not None and address in network
    if isinstance(value, SigmaRegularExpression):
        return expression_test(value)
    raise ValueError(f"no test for {type(value).__name__}")


# Without case only Python takes these two for `i`; they become letters that have no case.
CASELESS = str.maketrans("İı", "ƻǀ")


def expression_test(value, change=str):
    """An expression is searched anywhere in the text, by its case."""
    flags = sum(int(value.sigma_to_python_flags[flag]) for flag in value.flags)
    expression = re.compile(change(str(value.regexp)).translate(CASELESS), flags)
    return lambda text: expression.search(text.translate(CASELESS)) is not None


def words_as_letters(text):
    """Reading: marks and circled letters are word characters. They become letters that have no case."""

    def letter(character):
        circled = unicodedata.category(character) == "So" and character.lower() != character.upper()
        return chr(0xA000 + ord(character) % 0x400) if circled or unicodedata.category(character)[0] == "M" else character

    return text if text.isascii() else "".join(map(letter, text))


def text_test(value, contained=False):
    """Wildcards and case as the specification has them; the whole text must match."""
    change = str if isinstance(value, SigmaCasedString) else fold
    special = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    parts = [part if isinstance(part, SpecialChars) else change(part) for part in value.s]
    if any(not isinstance(part, (str, SpecialChars)) for part in parts):
        raise ValueError("a placeholder is left")
    if all(isinstance(part, str) for part in parts):
        wanted = "".join(parts)
        return (lambda text: wanted in change(text)) if contained else (lambda text: change(text) == wanted)
    expression = re.compile("".join(special.get(part) or re.escape(part) for part in parts), re.DOTALL)
    find = expression.search if contained else expression.fullmatch
    return lambda text: find(change(text)) is not None


def reference_test(field, reference):
    other, starts, ends = reference.field.strip(), reference.starts_with, reference.ends_with

    def relates(text, part):
        if starts and ends:
            return part in text
        return text.startswith(part) if starts else text.endswith(part) if ends else text == part

    def test(event):
        others = [fold(text) for text in event.texts(other)]
        return any(relates(fold(text), part) for text in event.texts(field) for part in others)

    return test


def compare_test(value):
    compare = {
        CompareOperators.LT: float.__lt__,
        CompareOperators.LTE: float.__le__,
        CompareOperators.GT: float.__gt__,
        CompareOperators.GTE: float.__ge__,
    }[value.op]
    limit = float(value.number.number)
    read = number_of
    if isinstance(value.number, SigmaTimestampPart):
        read = lambda text: date_part(text, value.number.timestamp_part)  # noqa: E731
    return lambda text: (number := read(text)) is not None and compare(float(number), limit)


NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def number_of(text):
    """The number a text is, if it is one in decimal notation."""
    if not NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if math.isfinite(number) else None


@lru_cache(maxsize=1 << 12)
def address_of(text):
    """The address a text is; an IPv4 address mapped into IPv6 is that IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def unmapped(network):
    """A network; one of IPv4 addresses mapped into IPv6 is that IPv4 network."""
    mapped = getattr(network[0], "ipv4_mapped", None)
    return ipaddress.ip_network((mapped, network.prefixlen - 96)) if mapped and network.prefixlen >= 96 else network


# A time is told as an event's time is (`docs/rules.md`): Python would also take a date alone.
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")


def date_part(text, part):
    """A part of the time a text is, in UTC: of a timestamp, or of an epoch number of seconds to nanoseconds."""
    try:
        if NUMBER.fullmatch(text):
            number = float(text)
            if abs(number) < 1e8:
                return None
            scale = next((10**power for power in (0, 3, 6) if abs(number) < 10 ** (11 + power)), 10**9)
            time = datetime.fromtimestamp(number / scale, timezone.utc)
        elif not TIMESTAMP.match(text):
            return None
        else:
            time = datetime.fromisoformat(text.upper())
    except (ValueError, OverflowError, OSError):
        return None
    time = time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)
    return time.isocalendar().week if part is TimestampPart.WEEK else getattr(time, part.name.lower())
