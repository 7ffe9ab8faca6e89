"""Flink SQL: the brute-force rule as a job, run inside one process on two cores."""

import csv
import shutil
from pathlib import Path

from measure import run

# Flink needs these of a Java of today.
OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED"
    for package in ("java.lang", "java.net", "java.nio", "java.io", "java.util", "java.time", "java.util.concurrent")
]
RULE = "6b1f4a56-6c0f-4a7e-9a4c-6e0c8f6d2a02"

SOURCE = """CREATE TABLE events (
  `timestamp` TIMESTAMP_LTZ(3), event_type STRING, source_ip STRING, status STRING,
  WATERMARK FOR `timestamp` AS `timestamp` - INTERVAL '0.001' SECOND
) WITH ('connector' = 'filesystem', 'path' = '{path}', 'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601');
"""
SINK = "CREATE TABLE alerts (source_ip STRING, failures BIGINT) WITH ({sink});\n"
FAILED = "event_type = 'login' AND status = 'failure'"

# By name: the query. `OVER` is the rule exactly, a window that ends at every event; `HOP` is what is usually written.
QUERIES = {
    "OVER": f"""INSERT INTO alerts SELECT source_ip, failures FROM (
  SELECT source_ip, COUNT(*) OVER (PARTITION BY source_ip ORDER BY `timestamp`
    RANGE BETWEEN INTERVAL '5' MINUTE PRECEDING AND CURRENT ROW) AS failures
  FROM events WHERE {FAILED}
) WHERE failures > 10;
""",
    "HOP": f"""CREATE VIEW logins AS SELECT source_ip, `timestamp` FROM events WHERE {FAILED};
INSERT INTO alerts SELECT source_ip, COUNT(*)
  FROM HOP(TABLE logins, DESCRIPTOR(`timestamp`), INTERVAL '1' MINUTE, INTERVAL '5' MINUTE)
  GROUP BY source_ip, window_start, window_end HAVING COUNT(*) > 10;
""",
}


def job(folder, query, name, output=None):
    """Writes the job; its file. Without `output` what it finds goes nowhere."""
    sink = (
        f"'connector' = 'filesystem', 'path' = '{(folder / output).as_uri()}', 'format' = 'csv'"
        if output
        else "'connector' = 'blackhole'"
    )
    text = SOURCE.format(path=(folder / name).as_uri()) + SINK.format(sink=sink) + QUERIES[query]
    path = Path(folder) / f"flink-{query.lower()}-{name}{'-kept' if output else ''}.sql"
    path.write_text(text, encoding="utf-8")
    return path.name


def execute(home, folder, query, name, threads=2, output=None):
    """Runs a job to its end."""
    classes = f"{home}:{home}/lib/*"
    return run(["java", *OPENS, "-cp", classes, "FlinkSql", job(folder, query, name, output), str(threads)], folder)


def fired(home, folder, query, name):
    """Which (rule, key) fired, as `matchsets` has them."""
    shutil.rmtree(folder / "flink-found", ignore_errors=True)
    execute(home, folder, query, name, output="flink-found")
    found = set()
    for path in (folder / "flink-found").rglob("*"):
        if path.is_file():
            with open(path, encoding="utf-8", newline="") as file:
                found |= {row[0] for row in csv.reader(file) if row}
    return {(RULE, (("source_ip", address),)) for address in found}
