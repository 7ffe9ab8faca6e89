"""Reads what callgrind wrote, and says which of our files the instructions belong to.

Instructions of inlined code are told apart by the file its lines stand in. What other libraries cost goes to those
who called them, through as many of them as lie in between.
"""

import re
from collections import defaultdict

OURS = re.compile(r"crates/(tocsin[a-z-]*)/src/(.+)$")
NAMED = re.compile(r"^(fl|fi|fe|fn|cfi|cfl|cfn|ob|cob)=\((\d+)\)(?: (.*))?$")
# How far costs travel up through libraries that call libraries.
STEPS_MAX = 64
ELSEWHERE = "elsewhere"


class Costs:
    """Instructions by function and file, and who called whom at what price."""

    def __init__(self):
        self.own = defaultdict(int)
        self.calls = defaultdict(int)
        self.home = {}

    def less(self, other):
        """These costs without those of another run, before anything is passed on to callers."""
        left = Costs()
        left.home = self.home
        for mine, theirs, into in ((self.own, other.own, left.own), (self.calls, other.calls, left.calls)):
            into.update({key: cost - theirs.get(key, 0) for key, cost in mine.items() if cost > theirs.get(key, 0)})
        return left


def place(path):
    """`crate/rest` for a file of ours, or None."""
    found = OURS.search(path)
    return f"{found[1]}/{found[2]}" if found else None


def read(path):
    """The costs in a file of callgrind's."""
    names, costs = {}, Costs()
    file = home = function = called = None
    calling = False
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.rstrip("\n")
            named = NAMED.match(line)
            if named:
                kind, key, name = named.groups()
                group = "fn" if kind.endswith("fn") else "ob" if kind.endswith("ob") else "file"
                if name is not None:
                    names[group, key] = name
                name = names.get((group, key), "")
                if kind in ("fl", "fi", "fe"):
                    file = place(name)
                    home = file if kind == "fl" else home
                elif kind == "fn":
                    function = name
                    costs.home.setdefault(function, home)
                elif kind == "cfn":
                    called = name
            elif line.startswith("calls="):
                calling = True
            elif line[:1].isdigit() or line[:1] in "+-*":
                cost = int(line.split()[1]) if len(line.split()) > 1 else 0
                where = file or costs.home.get(function)
                if calling:
                    costs.calls[function, where, called] += cost
                    calling = False
                else:
                    costs.own[function, where] += cost
    return costs


def by_file(costs):
    """Instructions by file of ours; what nobody of ours called is elsewhere."""
    total, waiting = defaultdict(float), defaultdict(float)
    for (function, where), cost in costs.own.items():
        if where:
            total[where] += cost
        else:
            waiting[function] += cost
    callers = defaultdict(list)
    for (function, where, called), cost in costs.calls.items():
        if function != called:
            callers[called].append((function, where, cost))
    for _ in range(STEPS_MAX):
        if not waiting:
            break
        going, waiting = waiting, defaultdict(float)
        for called, cost in going.items():
            whole = sum(price for _, _, price in callers[called])
            if not whole:
                total[ELSEWHERE] += cost
            for function, where, price in callers[called] if whole else ():
                if where:
                    total[where] += cost * price / whole
                else:
                    waiting[function] += cost * price / whole
    total[ELSEWHERE] += sum(waiting.values())
    return dict(total)
