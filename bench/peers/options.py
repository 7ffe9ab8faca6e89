"""Which of rsigma's options make it fastest on a workload: tried beforehand, the fastest kept and named."""

import page
from measure import Failed, median

ROUNDS = 3
# Options that change speed and not what a rule means.
OPTIONS = (
    ("--input-format", "json"),
    ("--bloom-prefilter",),
    ("--bloom-prefilter", "--bloom-max-bytes", "8388608"),
    ("--cross-rule-ac",),
    ("--logsource-routing", "--event-logsource", "product=windows"),
)
# An option has to gain this much to be combined with others.
GAIN = 0.98


def fastest(lab, what, base):
    """Tries options on top of `base`; (the best ones, a section about it). The same question is tried once."""
    if ("options", what) not in lab.kept:
        alone = tried(lab, what, base, [(), *OPTIONS])
        plain = alone[()]
        helpful = [option for option, cpu in alone.items() if option and cpu and cpu < plain * GAIN]
        # Of options of one name, the better one.
        helpful = [
            one for one in helpful if not any(o != one and o[0] == one[0] and alone[o] < alone[one] for o in helpful)
        ]
        together = tuple(part for option in helpful for part in option)
        known = dict(alone)
        if len(helpful) > 1:
            known |= {k: v for k, v in tried(lab, what, base, [together]).items()}
        best = min((option for option in known if known[option]), key=lambda option: known[option])
        rows = [
            [
                f"`{' '.join(option)}`" if option else "none",
                f"{cpu / plain:.2f}" if cpu else "refused",
                "kept" if option == best else "",
            ]
            for option, cpu in known.items()
        ]
        text = f"rsigma's options, CPU time with each against none ({ROUNDS} runs each, load included):\n\n"
        lab.kept["options", what] = (list(best), text + page.table(["options", "CPU time", ""], rows) + "\n")
    return lab.kept["options", what]


def tried(lab, what, base, candidates):
    """Median CPU time by candidate, runs in turn; None where rsigma refuses the option."""
    times = {option: [] for option in candidates}
    refused = set()
    for _ in range(ROUNDS):
        for option in candidates:
            if option in refused:
                continue
            try:
                times[option].append(lab.eval([*base, *option]).cpu)
            except Failed:
                refused.add(option)
    lab.say(f"options for {what} tried")
    return {option: None if option in refused else median(cpu) for option, cpu in times.items()}
