"""M5: a million live keys, what is forgotten and what a key costs."""

import matchsets
import page
from measure import alternate, median
from page import Figure, Side
from peers import inputs
from peers.flink import RULE as RULE_ID
from peers.lab import eval_line, lines_in, scan_line
from peers.rows_state import ONCE, RULE

# Goal and floor.
BYTES_A_KEY = (140, 200)
FORGOTTEN_TOLD = 12
HEADS = ["", "planted keys found", "forgotten", "others alerted", "peak MB", "peak MB with one key", "bytes a key"]


def many_keys(lab):
    """A million live keys"""
    keys = lab.sizes.keys
    name = lab.made(f"keys-{keys}.log", ["peers/inputs.py", "many_keys", str(keys)])
    rule, single = lab.copied(RULE), lab.copied(RULE, group="service")
    wanted = {(RULE_ID, (("source_ip", address),)) for address in inputs.planted(keys)}
    commands, sides = programs(lab, name)
    rows, found, per_key = [], {}, {}
    for side, start in sides.items():
        alone, full = start(single), start(rule)
        got = found[side] = fired(lab, side)
        per_key[side] = (full.rss - alone.rss) / keys
        counts = [len(got & wanted), len(wanted - got), len(got - wanted)]
        rows.append([side, *counts, f"{full.rss / 1e6:.1f}", f"{alone.rss / 1e6:.1f}", f"{per_key[side]:.0f}"])
        lab.say(f"many keys: {side}: found {counts[0]}, forgot {counts[1]}; {per_key[side]:.0f} bytes a key")
    runs = alternate(lab.pairs, {side: lambda start=start: start(rule) for side, start in sides.items()}, "many keys")
    timed = [Side.of(side, some) for side, some in runs.items()]
    events = lines_in(lab.folder / name)
    text = page.commands(*commands) + what_comes(keys, len(wanted)) + page.table(HEADS, rows) + "\n"
    text += page.table(page.SIDE_HEADS, [side.row(events) for side in timed]) + "\n"
    text += "".join(f"{page.ratio(side, timed[0])[1]}\n\n" for side in timed[1:])
    text += "".join(forgotten(side, wanted - some) for side, some in found.items() if wanted - some)
    figures = judged(keys, timed, found["tocsin"], wanted, per_key["tocsin"])
    return figures, "### M5: keys\n\n" + text + lab.stats([name, "--json", "--ungated", "-r", rule])


def programs(lab, name):
    """(the commands for the reader, how each program is run on a rule); what fired is kept in a file."""
    room = ["--max-state-entries", str(2 * lab.sizes.keys)]

    def scan(rule):
        return lab.scan([name, "--json", "--ungated", "-r", rule], output=lab.folder / "alerts.tocsin")

    def evaluate(rule, extra=()):
        return lab.eval(["-r", rule, "-e", f"@{name}", *ONCE, *extra], output=lab.folder / "alerts.rsigma")

    commands = [scan_line(name, "--json", "--ungated", "-r", RULE, "--threads 1")]
    if "rsigma" not in lab.peers:
        return commands, {"tocsin": scan}
    commands += [eval_line("-r", RULE, "-e", f"@{name}", *ONCE, *extra) for extra in ([], room)]
    return commands, {"tocsin": scan, "rsigma": evaluate, "rsigma, room for all": lambda rule: evaluate(rule, room)}


def fired(lab, side):
    """Which (rule, key) fired in a program's last run."""
    if side == "tocsin":
        return matchsets.alerts_of_tocsin(lab.folder / "alerts.tocsin")
    return matchsets.alerts_of_rsigma(lab.folder / "alerts.rsigma")


def what_comes(keys, planted):
    """The input, in words."""
    return (
        f"{page.number(keys)} addresses with two failed logins each and {page.number(planted)} planted ones with"
        f" {inputs.TRIES}, all within four minutes: every key is live. One key: the same file counted by `service`,"
        " which all events share. rsigma forgets the stalest keys beyond 100,000 unless it is given room.\n\n"
    )


def forgotten(side, keys):
    """Keys that should have fired, by name as far as they go."""
    names = sorted(key[0][1] for _, key in keys)
    more = f" and {len(names) - FORGOTTEN_TOLD} more" if len(names) > FORGOTTEN_TOLD else ""
    return f"Forgotten by {side}: {', '.join(names[:FORGOTTEN_TOLD])}{more}.\n\n"


def judged(keys, timed, found, wanted, per_key):
    """The lines of the summary."""
    exact, (goal, floor) = found == wanted, BYTES_A_KEY
    told = f"{len(found & wanted)} of {len(wanted)}, {len(found - wanted)}"
    what = f"{page.number(keys)} live keys: planted keys found, others alerted"
    figures = [Figure("M5", what, told, "all, none", "", "met" if exact else "not met")]
    verdict = page.judged(-per_key, -goal, -floor)
    figures.append(Figure("M5", "memory a live key takes", f"{per_key:.0f} B", f"{goal} B", f"{floor} B", verdict))
    if len(timed) > 1:
        fastest = min(timed[1:], key=lambda side: median(side.cpu))
        ratio = median(fastest.cpu) / median(timed[0].cpu)
        verdict = page.judged(ratio, 10, 6) + ("" if exact else " (keys lost: the ratio does not count)")
        what = f"high-cardinality stream, one core, against {fastest.name}"
        figures.append(Figure("M5", what, f"{ratio:.2f} ×", "10 ×", "6 ×", verdict))
    return figures


ROWS = (many_keys,)
