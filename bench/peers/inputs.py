#!/usr/bin/env python3
"""Makes inputs for state: many keys at once, many distinct values at once. The same bytes for the same arguments.

usage: inputs.py many_keys KEYS FILE
       inputs.py distinct VALUES FILE

many_keys: every address fails to log in twice within four minutes, and 1,000 planted addresses eleven times, evenly
over all of it, so that each is as stale as a key can get before it counts. distinct: one address tries so many
users, each once, and then a tenth of them again; all of it lies within one window.
"""

import datetime
import sys

START = datetime.datetime(2026, 1, 15, 8, 0, 0)
PLANTED = 1_000
TRIES = 11
SECONDS = 240
CHUNK = 20_000
# Coprime to every number of keys in use: steps through them all without order.
STRIDE = 7_368_787
AGENTS = ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0", "okhttp/4.12.0", "python-requests/2.32")


def planted(keys):
    """The addresses that must be found; fewer in small files."""
    return [f"198.18.{n >> 8}.{n & 255}" for n in range(min(PLANTED, max(1, keys // 20)))]


def failure(number, time, address, user):
    """One failed login."""
    stamp = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
    return (
        f'{{"timestamp":"{stamp}","event_id":"{number:012x}","event_type":"login","source_ip":"{address}",'
        f'"source_port":{1024 + number * 31 % 60_000},"user_id":"{user}","status":"failure","service":"sso-gateway",'
        f'"host":"auth-{number % 16:02d}.prod.example.com","country":"DE","user_agent":"{AGENTS[number % 3]}",'
        f'"mfa":false,"latency_ms":{number % 900}}}\n'
    )


def many_keys(keys):
    """Addresses in the order they come: all of them twice, the planted ones in between."""
    names = planted(keys)
    ours, every = len(names) * TRIES, 2 * keys
    due, put = 0, 0
    for n in range(every):
        key = n * STRIDE % keys
        yield f"10.{key >> 16}.{key >> 8 & 255}.{key & 255}"
        due += ours
        while due >= every:
            due -= every
            yield names[put % len(names)]
            put += 1


def write(path, addresses, total):
    """Writes failed logins of these addresses, evenly over the time."""
    step = datetime.timedelta(seconds=SECONDS) / total
    with open(path, "w", encoding="ascii") as out:
        chunk = []
        for number, address in enumerate(addresses):
            chunk.append(failure(number, START + number * step, address, f"user{number * 13 % 5_000:05d}"))
            if len(chunk) == CHUNK:
                out.write("".join(chunk))
                chunk.clear()
        out.write("".join(chunk))


def write_distinct(path, values):
    """Writes failed logins of one address with so many users."""
    total = values + values // 10
    step = datetime.timedelta(seconds=SECONDS) / total
    with open(path, "w", encoding="ascii") as out:
        for number in range(total):
            user = f"user{number % values:07d}"
            out.write(failure(number, START + number * step, "203.0.113.9", user))


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("many_keys", "distinct") or not sys.argv[2].isdigit():
        sys.exit(__doc__.strip())
    count, path = int(sys.argv[2]), sys.argv[3]
    if sys.argv[1] == "many_keys":
        write(path, many_keys(count), 2 * count + len(planted(count)) * TRIES)
    else:
        write_distinct(path, count)


if __name__ == "__main__":
    main()
