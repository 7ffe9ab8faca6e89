"""The rows about the server: what is started, what it is pressed with, what is said about it."""
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import page
from measure import Failed, alternate, median
from page import Figure, Side
from serving import Bare, Rsigma, Tocsin, press, scratch, wrk

BODY_EVENTS = 1_000
BODIES = 50
# Few, and what the goals are judged by.
LOG_CONNECTIONS = (8, 64)
ALERT_EVERY = 4
MEMORY_FOLDER = Path("/dev/shm")
# Room for everything a run accepts, and no lines but complaints.
SETTINGS = "store: {journal_bytes_max: 64GiB}\nlog: {level: warn}\n"
# No checkpoint before the journal is as large as it gets.
UNCHECKED = "store: {journal_bytes_max: 64GiB, checkpoint_bytes: 32GiB, checkpoint_interval: 1d}\nlog: {level: warn}\n"
HEADS = ["", "events/s", "events/s of CPU time", "p50 ms", "p99 ms", "refused", "peak MB"]


@dataclass
class Bench:
    """Programs, sizes and the folder everything happens in."""

    root: Path
    folder: Path
    tocsin: str
    rsigma: str
    bare: str
    latency: str
    pairs: int
    seconds: int
    latency_seconds: int
    journal: int
    rates: tuple

    def rule(self, name):
        """A rule of the benches; its matches raise alerts, as rsigma prints its own."""
        path = self.folder / f"server_{name}"
        text = (self.root / "bench" / "rules" / name).read_text(encoding="utf-8")
        path.write_text(text.replace("level: informational", "level: low"), encoding="utf-8")
        return path

    def bodies(self, source, events, name):
        """Bodies of so many lines each, as wrk wants them named; made once."""
        paths = [self.folder / f"{name}-{number}.ndjson" for number in range(BODIES)]
        if not paths[-1].exists():
            with open(source, encoding="utf-8") as file:
                for path in paths:
                    lines = [line for _, line in zip(range(events), file)]
                    path.write_text("".join(lines), encoding="utf-8")
        return {"BODIES": ":".join(str(path) for path in paths if path.stat().st_size)}

    def logins(self):
        """Bodies of logins."""
        source = self.folder / f"auth-{BODIES * BODY_EVENTS}.log"
        if not source.exists():
            generator = [sys.executable, str(self.root / "bench" / "gen.py"), "auth", str(BODIES * BODY_EVENTS)]
            subprocess.run([*generator, str(source)], check=True, timeout=900)
        return self.bodies(source, BODY_EVENTS, "logins")

    def job(self, start, script, where=None, **load):
        """A run: `start` starts a server in a fresh folder, which is then pressed."""

        def run():
            with scratch(where or self.folder, "server-bench") as folder, start(folder) as daemon:
                return press(daemon, script, self.seconds, **load)

        return run

    def start_tocsin(self, rule):
        """Tocsin with one rule, or a folder of rules."""
        return lambda folder: Tocsin(self.tocsin, folder, [rule], SETTINGS)

    def start_rsigma(self, rule):
        """rsigma with the same."""
        return lambda folder: Rsigma(self.rsigma, folder, rule)

    def start_bare(self, alerts=None):
        """The server that does nothing."""
        return lambda folder: Bare(self.bare, folder, alerts)


def side(name, runs):
    """Runs as a side: seconds for one event."""
    cpu, wall = [run.cpu / run.count for run in runs], [run.wall / run.count for run in runs]
    return Side(name, cpu, wall, [run.rss for run in runs])


def line(name, runs):
    """A program's line in the table of a row."""
    one = side(name, runs)
    return [
        name,
        page.number(1 / median(one.wall)),
        page.number(1 / median(one.cpu)),
        f"{median([run.p50 for run in runs]):.2f}",
        f"{median([run.p99 for run in runs]):.2f}",
        page.number(sum(run.refused for run in runs)),
        f"{max(one.rss) / 1e6:.1f}",
    ]


def faster(runs, slow, fast):
    """How many times `fast` is as fast as `slow` by wall time, and all of it in words."""
    _, text = page.ratio(side(slow, runs[slow]), side(fast, runs[fast]))
    return median(side(slow, runs[slow]).wall) / median(side(fast, runs[fast]).wall), text


def events(bench):
    """M6: bodies of 1,000 events, one rule."""
    rule, bodies = bench.rule("failed_login.yml"), bench.logins()
    load = {"events": BODY_EVENTS, "extra": bodies}
    jobs = {
        "tocsin": bench.job(bench.start_tocsin(rule), "post_events", **load),
        "rsigma": bench.job(bench.start_rsigma(rule), "post_events", **load),
        "bare": bench.job(bench.start_bare(), "post_events", **load),
    }
    runs = alternate(bench.pairs, jobs)
    ratio, by_rsigma = faster(runs, "rsigma", "tocsin")
    _, by_bare = faster(runs, "bare", "tocsin")
    text = page.table(HEADS, [line(name, some) for name, some in runs.items()])
    text += f"\n{by_rsigma}\n\n{by_bare}\n\n"
    text += (
        "Tocsin answers 202 once the events are in its journal and `fdatasync` has returned, and its time goes on until"
        " `/api/v1/ledger` shows nothing in flight; rsigma's daemon keeps nothing. Its alerts are stored, rsigma's"
        " matches go to /dev/null.\n"
    )
    what, verdict = "HTTP, 1,000-event bodies, one rule, against rsigma", page.judged(ratio, 4, 2.5)
    figure = Figure("M6", what, f"{ratio:.2f} ×", "4 ×", "2.5 ×", verdict)
    return [figure], "### M6: bodies of 1,000 events, one rule\n\n" + text


def sync(bench):
    """M6: what the sync costs."""
    if not MEMORY_FOLDER.is_dir():
        return [], "### M6: what the sync costs\n\nLeft out: no file system in memory here.\n"
    rule, bodies = bench.rule("failed_login.yml"), bench.logins()
    start, load = bench.start_tocsin(rule), {"events": BODY_EVENTS, "extra": bodies}
    jobs = {
        "on disk": bench.job(start, "post_events", **load),
        "in memory": bench.job(start, "post_events", MEMORY_FOLDER, **load),
    }
    runs = alternate(bench.pairs, jobs)
    kept, by_memory = faster(runs, "in memory", "on disk")
    cost = 1 - kept
    text = page.table(HEADS, [line(name, some) for name, some in runs.items()])
    text += (
        f"\n{by_memory}\n\nThe same server with its data folder on a disk and on tmpfs, where `fdatasync` returns at once."
        " The difference is the sync and the disk's writing together: an upper bound of what the sync costs.\n"
    )
    figure = Figure("M6", "what the sync costs, at most", f"{cost:.0%}", "10 %", "", page.judged(-cost, -0.1, None))
    return [figure], "### M6: what the sync costs\n\n" + text


def logs(bench):
    """M7: one event a request."""
    rule, figures = bench.rule("failed_login.yml"), []
    text = "### M7: one event a request\n\n"
    for connections in LOG_CONNECTIONS:
        load = {"connections": connections}
        jobs = {
            "tocsin": bench.job(bench.start_tocsin(rule), "post_log", **load),
            "rsigma": bench.job(bench.start_rsigma(rule), "post_log", **load),
            "bare": bench.job(bench.start_bare(), "post_log", **load),
        }
        runs = alternate(bench.pairs, jobs)
        ratio, by_rsigma = faster(runs, "rsigma", "tocsin")
        share, by_bare = faster(runs, "bare", "tocsin")
        text += f"{connections} connections:\n\n" + page.table(HEADS, [line(name, some) for name, some in runs.items()])
        text += f"\n{by_rsigma}\n\n{by_bare}\n\n"
        judged = connections == LOG_CONNECTIONS[-1]
        what = f"HTTP, one event a request, {connections} connections"
        told = page.judged(ratio, 1.5, 1) if judged else ""
        figures.append(Figure("M7", f"{what}, against rsigma", f"{ratio:.2f} ×", "1.5 ×", "1 ×", told))
        told = page.judged(share, 0.7, 0.5) if judged else ""
        figures.append(Figure("M7", f"{what}, against a bare handler", f"{share:.0%}", "70 %", "50 %", told))
    text += (
        "`POST /logs`, at rsigma the same body to `/api/v1/events`. Each answer waits for the disk, rsigma's for nothing:"
        " with few connections Tocsin's rate is theirs over the time of a sync, with many one sync serves all that wait.\n"
    )
    return figures, text


def alerts(bench):
    """The newest alerts, asked for again and again."""
    rule, bodies = bench.rule("failed_login.yml"), bench.logins()
    answer = bench.folder / "alerts.json"
    with scratch(bench.folder, "alerts-bench") as folder, Tocsin(bench.tocsin, folder, [rule], SETTINGS) as daemon:
        wrk(daemon.url, "post_events", 1, 1, {**daemon.environment(), **bodies})
        daemon.settle()
        # As Tocsin writes it: without blanks.
        answer.write_text(json.dumps(daemon.get("/alerts"), separators=(",", ":")), encoding="utf-8")
        with scratch(bench.folder, "bare-bench") as other, Bare(bench.bare, other, answer) as bare:
            jobs = {
                "tocsin": lambda: press(daemon, "get_alerts", bench.seconds, connections=64),
                "bare": lambda: press(bare, "get_alerts", bench.seconds, connections=64),
            }
            runs = alternate(bench.pairs, jobs)
    share, by_bare = faster(runs, "bare", "tocsin")
    heads = [head.replace("events", "answers") for head in HEADS]
    text = page.table(heads, [line(name, some) for name, some in runs.items()])
    text += f"\n{by_bare}\n\nThe bare handler answers the same {answer.stat().st_size:,} bytes; Tocsin checks the token first.\n"
    figure = Figure("alerts", "`GET /alerts` against a bare handler", f"{share:.0%}", "", "50 %", page.judged(share, 0.5, 0.5))
    return [figure], "### The newest alerts\n\n" + text


def latency(bench):
    """M11: from the acknowledgement of an event to its alert on a stream."""
    rows, figures = [], []
    for rate in bench.rates:
        with scratch(bench.folder, "latency-bench") as folder:
            with Tocsin(bench.tocsin, folder, [bench.rule("marked.yml")], SETTINGS) as daemon:
                told = follow(bench, daemon, rate)
                peak = daemon.memory()
        seen, answered = told["seen_ms"], told["answered_ms"]
        missing = told["marked"] - told["seen"]
        shown = [seen[key] for key in ("p50", "p90", "p99", "max")]
        counts = [page.number(rate), page.number(told["rate"]), told["seen"], missing]
        times = [f"{ms:.2f}" for ms in (*shown, answered["p99"])]
        rows.append([*counts, *times, f"{peak / 1e6:.1f}"])
        verdict = page.judged(-seen["p99"], -20, -50) if rate >= 100_000 else ""
        if missing or told["rate"] < 0.95 * rate:
            verdict = "the load was not carried"
        what = f"acknowledged to seen on a stream at {page.number(rate)} events/s, p99"
        figures.append(Figure("M11", what, f"{seen['p99']:.1f} ms", "20 ms", "50 ms", verdict))
    heads = ["asked/s", "events/s", "alerts seen", "missing", "p50 ms", "p90 ms", "p99 ms", "max ms"]
    text = page.table([*heads, "answered p99 ms", "peak MB"], rows)
    text += (
        "\nBodies are due at a constant rate, whatever the server does; every fourth carries an event that raises a new"
        " alert. Times run from the 202 to the alert's frame on `/events/security`; `answered` from when the body was due"
        " to its 202.\n"
    )
    return figures, "### M11: acknowledged to seen\n\n" + text


def follow(bench, daemon, rate):
    """Runs the open-loop client."""
    address = daemon.url.removeprefix("http://")
    command = [bench.latency, "--address", address, "--key", daemon.key, "--token", daemon.token]
    command += ["--rate", str(rate), "--seconds", str(bench.latency_seconds), "--every", str(ALERT_EVERY)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=bench.latency_seconds + 300)
    try:
        return json.loads(done.stdout)
    except ValueError:
        raise Failed(f"latency: {done.stderr.strip()[-500:]}") from None


def standing(bench):
    """Memory at rest, and how long a start takes."""
    with scratch(bench.folder, "idle-bench") as folder, Tocsin(bench.tocsin, folder, [], SETTINGS) as daemon:
        time.sleep(2)
        idle, fresh = daemon.memory("VmRSS"), daemon.start_seconds
    rows = [["fresh, shipped rules", "0", f"{fresh:.2f}", "", f"{idle / 1e6:.1f}"]]
    rule, bodies = bench.rule("failed_login.yml"), bench.logins()
    for name, settings in (("a checkpoint now and then", SETTINGS), ("no checkpoint", UNCHECKED)):
        with scratch(bench.folder, "open-bench") as folder:
            size = fill(bench, folder, rule, bodies, settings)
            began = time.monotonic()
            with Tocsin(bench.tocsin, folder, [rule], settings) as daemon:
                daemon.settle()
                settled, peak = time.monotonic() - began, daemon.memory()
                times = [f"{daemon.start_seconds:.2f}", f"{settled:.2f}"]
            rows.append([f"after kill -9, {name}", f"{size / 2**20:,.0f}", *times, f"{peak / 1e6:.1f}"])
    text = page.table(["start", "journal MiB", "s until it listens", "s until all is processed", "memory MB"], rows)
    text += "\nMemory: at rest for the fresh server, the peak of the start for the others.\n"
    figure = Figure("memory", "a server at rest, shipped rules", f"{idle / 1e6:.1f} MB", "", "", "")
    return [figure], "### Standing still and starting\n\n" + text


def fill(bench, folder, rule, bodies, settings):
    """Lets a server accept until its journal is as large as it should be, and kills it; gives its size."""
    journal = Path(folder) / "data" / "journal"

    def size():
        return sum(path.stat().st_size for path in journal.rglob("*") if path.is_file())

    daemon = Tocsin(bench.tocsin, folder, [rule], settings)
    try:
        accepted = 0
        # Segments may be as large as they get from the start: what was accepted is what counts.
        while accepted < bench.journal:
            told = wrk(daemon.url, "post_events", 1, 8, {**daemon.environment(), **bodies})
            accepted += (told["requests"] - told["refused"]) * Path(bodies["BODIES"].split(":")[0]).stat().st_size
            daemon.settle()
    finally:
        daemon.stop(signal.SIGKILL)
    return min(size(), accepted)


ROWS = (events, sync, logs, alerts, latency, standing)
