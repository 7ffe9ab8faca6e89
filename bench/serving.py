"""Servers under load: starting and stopping them, what they cost meanwhile, and wrk against them."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from measure import Failed

START_SECONDS_MAX = 300
STOP_SECONDS_MAX = 60
SETTLE_SECONDS_MAX = 300
POLL_SECONDS = 0.02
TICKS = os.sysconf("SC_CLK_TCK")
SCRIPTS = Path(__file__).resolve().parent / "server"


class Daemon:
    """A server of our own, stopped at the end of its `with`."""

    def __init__(self, command, folder, url=None):
        """Starts it. Without a `url` it tells its own: `listening on http://…`."""
        self.folder = Path(folder)
        began = time.monotonic()
        with open(self.folder / "errors", "wb") as errors:
            self.process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
            )
        self.pid, self.token = self.process.pid, None
        try:
            self.url = url or self.told()
            self.wait(self.is_ready if url else lambda: True, START_SECONDS_MAX)
        except BaseException:
            self.stop(signal.SIGKILL)
            raise
        self.start_seconds = time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def told(self):
        """The address in its first line."""
        line = self.process.stdout.readline().decode("utf-8", "replace")
        if not line.startswith("listening on "):
            said = (self.folder / "errors").read_text(encoding="utf-8", errors="replace").strip()
            raise Failed(f"{self.process.args[0]} did not start: {said[-2_000:] or line}")
        return line.split()[-1]

    def is_ready(self):
        """Whether it answers."""
        with contextlib.suppress(OSError, urllib.error.URLError):
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        return False

    def wait(self, done, seconds):
        """Waits until something holds."""
        end = time.monotonic() + seconds
        while not done():
            if self.process.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.process.args[0]} ended or took more than {seconds} s")
            time.sleep(POLL_SECONDS)

    def get(self, path):
        """The JSON a path answers, as the bearer of the token."""
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def settle(self):
        """Waits until everything that was accepted is processed; a server without a token has no such count."""
        if self.token:
            self.wait(lambda: self.get("/api/v1/ledger")["in_flight"] == 0, SETTLE_SECONDS_MAX)

    def cpu(self):
        """Seconds of CPU time so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self, key="VmHWM"):
        """Bytes of memory: the peak, or with `VmRSS` now."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith(f"{key}:"):
                return int(line.split()[1]) * 1024
        return 0

    def stop(self, how=signal.SIGTERM):
        """Stops it, by force if it has to be."""
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()


class Tocsin(Daemon):
    """Tocsin on a data folder, with a key that may send and a token that may read."""

    def __init__(self, program, folder, rules, settings=""):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "bench.yaml"
        config.write_text(f"rules: [{', '.join(json.dumps(str(rule)) for rule in rules)}]\n{settings}", encoding="utf-8")
        data = ["--data", str(folder / "data")]
        self.key = said([program, *data, "key", "create", "--tenant", "default", "--scope", "ingest"])
        token = said([program, *data, "token", "create", "--user", "bench", "--tenant", "default", "--role", "analyst"])
        super().__init__([program, *data, "run", "--config", str(config), "--listen", "127.0.0.1:0"], folder)
        self.token = token

    def environment(self):
        """What the wrk scripts need to know."""
        return {"KEY": self.key, "TOKEN": self.token}


class Rsigma(Daemon):
    """rsigma's daemon, which keeps nothing; its matches go nowhere."""

    def __init__(self, program, folder, rules, options=()):
        url = f"127.0.0.1:{free_port()}"
        command = [program, "engine", "daemon", "-q", "-r", str(rules), "--input", "http", "--input-format", "json"]
        super().__init__([*command, "--output", "file:///dev/null", "--api-addr", url, *options], folder, f"http://{url}")

    def environment(self):
        """Its one path takes single events too."""
        return {"PATH_TO": "/api/v1/events"}


class Bare(Daemon):
    """The server that does nothing."""

    def __init__(self, program, folder, alerts=None):
        super().__init__([program, "127.0.0.1:0", *([str(alerts)] if alerts else [])], folder)

    def environment(self):
        """It asks for nothing."""
        return {}


def said(command):
    """What a program prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command[:4])}: {done.stderr.strip()}")
    return done.stdout.strip()


def free_port():
    """A port nobody has; whoever is told of it should be quick."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def scratch(folder, name):
    """An empty folder, gone afterwards."""
    path = Path(folder) / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@dataclass
class Pressed:
    """What a server did under load. `wall` lasts until it has processed what it accepted."""

    count: int
    wall: float
    cpu: float
    rss: int
    p50: float
    p99: float
    refused: int


def wrk(url, script, seconds, connections, environment):
    """Runs wrk; its summary."""
    threads = 2 if connections >= 64 else 1
    command = ["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPTS / f"{script}.lua"), url]
    environment = {**os.environ, "SCRIPTS": str(SCRIPTS), **environment}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=seconds + 120, env=environment
    )
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode != 0 or not last.startswith("{"):
        raise Failed(f"wrk {script}: {(done.stderr or done.stdout).strip()[-500:]}")
    return json.loads(last)


def press(daemon, script, seconds, events=1, connections=8, extra=None):
    """Puts a server under load, after a short warm-up; `events` is how many a request carries."""
    environment = {**daemon.environment(), **(extra or {})}
    wrk(daemon.url, script, 1, connections, environment)
    daemon.settle()
    cpu, began = daemon.cpu(), time.monotonic()
    told = wrk(daemon.url, script, seconds, connections, environment)
    daemon.settle()
    wall, cpu = time.monotonic() - began, daemon.cpu() - cpu
    count = (told["requests"] - told["refused"]) * events
    if told["errors"] or count == 0:
        raise Failed(f"wrk {script}: {told['errors']} failed requests, {count} events taken")
    return Pressed(count, wall, cpu, daemon.memory(), told["p50_ms"], told["p99_ms"], told["refused"])
