"""How figures are written down: tables, verdicts, numbers."""

from dataclasses import dataclass, field

from measure import median


@dataclass
class Side:
    """One program's runs of one row. `cpu` and `wall` are net of whatever the row leaves out."""

    name: str
    cpu: list
    wall: list
    rss: list = field(default_factory=list)

    @staticmethod
    def of(name, runs, cpu_out=0.0, wall_out=lambda _: 0.0):
        """From runs; `cpu_out` and `wall_out` say what to take off, of which a hundredth is left at least."""
        cpu = [max(run.cpu - cpu_out, run.cpu / 100, 1e-9) for run in runs]
        wall = [max(run.wall - wall_out(run), run.wall / 100, 1e-9) for run in runs]
        return Side(name, cpu, wall, [run.rss for run in runs])

    def scaled(self, factor):
        """The same for so many times the work."""
        return Side(self.name, [one * factor for one in self.cpu], [one * factor for one in self.wall], self.rss)

    def row(self, events):
        """Its line in the table of a row."""
        peak = f"{max(self.rss) / 1e6:.1f}" if self.rss else ""
        cpu, wall = median(self.cpu), median(self.wall)
        return [self.name, f"{cpu:.3g}", f"{wall:.3g}", number(events / cpu), number(events / wall), peak]


SIDE_HEADS = ["", "CPU s", "wall s", "events/s of CPU time", "events/s", "peak MB"]


@dataclass
class Figure:
    """A line of the summary."""

    row: str
    what: str
    value: str
    goal: str
    floor: str
    verdict: str


def number(value):
    """A number with its thousands apart."""
    return f"{value:,.0f}"


def ratio(slow, fast):
    """How many times faster `fast` is than `slow`, by CPU and wall time, of medians and by pair."""
    by_cpu = [a / b for a, b in zip(slow.cpu, fast.cpu)]
    by_wall = [a / b for a, b in zip(slow.wall, fast.wall)]
    of_medians = median(slow.cpu) / median(fast.cpu)
    text = (
        f"{fast.name} : {slow.name} = **{of_medians:.2f}** by CPU time"
        f" (by pair: min {min(by_cpu):.2f}, median {median(by_cpu):.2f}, max {max(by_cpu):.2f}),"
        f" {median(slow.wall) / median(fast.wall):.2f} by wall time"
        f" (by pair: min {min(by_wall):.2f}, median {median(by_wall):.2f}, max {max(by_wall):.2f})."
    )
    return of_medians, text


def judged(value, goal, floor):
    """Whether a value, the more the better, meets its goal or its floor."""
    if value >= goal:
        return "met"
    return "floor met, goal not met" if floor is not None and value >= floor else "not met"


def table(heads, rows):
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(str(cell) for cell in line)} |\n" for line in lines)


def commands(*lines):
    """Commands as a block."""
    return "```\n" + "\n".join(lines) + "\n```\n"


# The parts of the page that are made on their own, in their order.
PARTS = ("peers", "profile", "server")


def marks(name):
    """The lines a part stands between."""
    return f"<!-- {name}: begin -->", f"<!-- {name}: end -->"


def part_of(text, name):
    """A part of a page, marks left out; empty if there is none."""
    begin, end = marks(name)
    return text.split(begin, 1)[1].split(end, 1)[0].strip("\n") if begin in text and end in text else ""


def with_part(text, name, part):
    """A page with this part in place of the one it has; a new one goes before the parts that come after it."""
    begin, end = marks(name)
    block = f"{begin}\n{part.strip(chr(10))}\n{end}"
    if part_of(text, name):
        before, rest = text.split(begin, 1)
        return before + block + rest.split(end, 1)[1]
    later = [marks(other)[0] for other in PARTS[PARTS.index(name) + 1 :] if part_of(text, other)]
    before, after = text.split(later[0], 1) if later else (text, "")
    return f"{before.rstrip(chr(10))}\n\n{block}\n" + (f"\n{later[0]}{after}" if later else "")


def summary(figures):
    """The table at the top."""
    rows = [[f.row, f.what, f.value, f.goal, f.floor, f.verdict] for f in figures]
    return table(["row", "what", "figure", "goal", "floor", "verdict"], rows)
