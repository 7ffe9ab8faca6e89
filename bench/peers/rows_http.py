"""M8: the Windows rules over HTTP, against rsigma's daemon."""

import page
from measure import Failed, alternate
from page import Figure
from server_rows import HEADS, SETTINGS, faster, line
from serving import Rsigma, Tocsin, press, scratch

BODY_EVENTS = 500
BODIES = 50
# What the daemon can be told for speed: tried beforehand, the fastest kept.
OPTIONS = ((), ("--bloom-prefilter",), ("--batch-size", "500"), ("--batch-size", "2000", "--buffer-size", "20000"))


def windows_http(lab):
    """Windows rules over HTTP"""
    name, (rules, _, _) = lab.windows_events("win1k"), lab.windows_rules()
    environment, seconds = bodies(lab, name), lab.sizes.seconds

    def pressed(start, long=seconds):
        with scratch(lab.folder, "server-bench") as folder, start(folder) as daemon:
            return press(daemon, "post_events", long, events=BODY_EVENTS, extra=environment)

    def daemon(*options):
        return lambda folder: Rsigma(lab.peer("rsigma"), folder, lab.folder / rules, options)

    chosen, tried = fastest(lab, lambda option: pressed(daemon("-p", "sysmon", *option), min(seconds, 2)))
    jobs = {
        "tocsin": lambda: pressed(lambda folder: Tocsin(lab.tocsin, folder, [lab.folder / rules], SETTINGS)),
        "rsigma": lambda: pressed(daemon("-p", "sysmon", *chosen)),
        "rsigma, no gate": lambda: pressed(daemon(*chosen)),
    }
    runs = alternate(lab.pairs, jobs, "Windows rules over HTTP")
    ratio, told = faster(runs, "rsigma", "tocsin")
    text = tried + page.table(HEADS, [line(side, some) for side, some in runs.items()]) + f"\n{told}\n\n"
    text += faster(runs, "rsigma, no gate", "tocsin")[1] + "\n\n"
    text += (
        f"Bodies of {BODY_EVENTS} events of `win1k`, {BODIES} of them in turn, eight connections. Tocsin looks at log sources,"
        " answers once the events are in its journal and synced, and its time goes on until none is in flight; rsigma's"
        " daemon has `-p sysmon`, keeps nothing and writes its matches to /dev/null. What both find in these events is"
        " compared under `win1k`, gated.\n"
    )
    verdict = page.judged(ratio, 8, 5)
    figure = Figure(
        "M8", "Windows rules over HTTP, both gated, against rsigma's daemon", f"{ratio:.2f} ×", "8 ×", "5 ×", verdict
    )
    return [figure], "### M8: Windows rules over HTTP\n\n" + text


def bodies(lab, name):
    """What wrk sends: parts of a file, made once."""
    paths = [lab.folder / f"peers-body-{number}.ndjson" for number in range(BODIES)]
    if not paths[-1].exists():
        with open(lab.folder / name, encoding="utf-8") as file:
            for path in paths:
                path.write_text("".join(line for _, line in zip(range(BODY_EVENTS), file)), encoding="utf-8")
    return {"BODIES": ":".join(str(path) for path in paths if path.read_bytes().count(b"\n") == BODY_EVENTS)}


def fastest(lab, run):
    """Tries the daemon's options once each; the best ones, and a table of all."""
    rates = {}
    for option in OPTIONS:
        try:
            done = run(option)
            rates[option] = done.count / done.wall
        except Failed as failed:
            lab.say(f"rsigma's daemon with {option}: {failed}")
    lab.say("options for the daemon tried")
    if not rates:
        raise Failed("rsigma's daemon runs with none of the options")
    best = max(rates, key=rates.get)
    rows = [
        [f"`{' '.join(option)}`" if option else "none", page.number(rate), "kept" if option == best else ""]
        for option, rate in rates.items()
    ]
    return (
        list(best),
        "rsigma's options, one short run each:\n\n" + page.table(["options", "events/s", ""], rows) + "\n",
    )


ROWS = (windows_http,)
