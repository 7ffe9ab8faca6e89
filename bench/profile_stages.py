"""Which stage of the hot path a file belongs to, by the longest beginning of its name that is listed."""

STAGES = {
    "tocsin-io/": "reading and cutting",
    "tocsin-pipeline/": "batches and threads",
    "tocsin-pipeline/cutter": "reading and cutting",
    "tocsin-pipeline/finalise": "output",
    "tocsin-pipeline/alerts": "output",
    "tocsin-decode/": "scan: JSON, fields, times",
    "tocsin-decode/framing": "reading and cutting",
    "tocsin-sigma/": "predicates",
    "tocsin-sigma/matcher": "candidates",
    "tocsin-sigma/program": "conditions",
    "tocsin-core/": "batches and threads",
    "tocsin-core/time": "scan: JSON, fields, times",
    "tocsin-core/field": "scan: JSON, fields, times",
    "tocsin-core/value": "scan: JSON, fields, times",
    "tocsin-core/matcher": "candidates",
    "tocsin-core/engine": "route",
    "tocsin-core/signal": "route",
    "tocsin-core/key": "route",
    "tocsin-core/shard": "route",
    "tocsin-core/watermark": "route",
    "tocsin-core/keyed": "state",
    "tocsin-core/machine": "state",
    "tocsin-core/window": "state",
    "tocsin-core/episode": "state",
    "tocsin-core/times": "state",
    "tocsin-detect/": "state",
    "tocsin-alert/": "output",
    "tocsin/": "output",
    "tocsin/loading": "load",
    "elsewhere": "libraries and system, called by none of ours",
}


def stage(file):
    """The stage of a file."""
    found = max((beginning for beginning in STAGES if file.startswith(beginning)), key=len, default=None)
    return STAGES[found] if found else "elsewhere"
