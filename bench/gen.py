#!/usr/bin/env python3
"""Makes the benches' input: the same bytes for the same arguments, everywhere.

usage: gen.py KIND LINES FILE
  auth     single-sign-on events, NDJSON, about 329 bytes each
  sshd     the same logins as sshd writes them to the system log
  access   web requests in the combined format

One line a millisecond of event time, from 2026-01-15 08:00 on. Every 25th line or so belongs to one
of 200 attackers, nearly all of whose attempts fail; the rest comes from 20,000 addresses, few of them
busy, and fails in 3 of 100 cases.
"""
import datetime
import random
import sys

START = datetime.datetime(2026, 1, 15, 8, 0, 0)
CHUNK = 20_000
ACTIONS = ("login", "login", "login", "logout", "mfa_challenge", "token_refresh", "password_change", "session_start")
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Safari/605.1",
    "okhttp/4.12.0",
    "curl/8.5.0",
    "python-requests/2.32",
)
COUNTRIES = ("BR", "CN", "DE", "FR", "GB", "IN", "JP", "NL", "PL", "US")
PAGES = ("/", "/about", "/css/site.css", "/img/logo.png", "/search?q=lamp", "/api/v1/orders?page=2", "/cart", "/js/app.js")


class Crowd:
    """Who comes, from where, and whether it works out."""

    def __init__(self):
        self.draw = random.Random(20260115).random
        pick = self.below
        self.regulars = [f"10.{pick(256)}.{pick(256)}.{1 + pick(254)}" for _ in range(20_000)]
        self.attackers = [f"203.0.113.{1 + n}" if n < 100 else f"198.51.100.{1 + n - 100}" for n in range(200)]

    def below(self, bound):
        return int(self.draw() * bound)

    def one_of(self, things):
        return things[int(self.draw() * len(things))]

    def act(self):
        """(address, whether an attacker, whether it fails)"""
        if self.draw() < 0.04:
            return self.one_of(self.attackers), True, self.draw() >= 0.01
        return self.regulars[int(20_000 * self.draw() ** 3)], False, self.draw() < 0.03


def auth(crowd, number, time):
    address, attack, failed = crowd.act()
    below, one_of = crowd.below, crowd.one_of
    action = "login" if attack else one_of(ACTIONS)
    stamp = f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
    return (
        f'{{"timestamp":"{stamp}","event_id":"{number:012x}","event_type":"{action}",'
        f'"source_ip":"{address}","source_port":{1024 + below(60_000)},"user_id":"user{below(5_000):05d}",'
        f'"status":"{"failure" if failed else "success"}","service":"sso-gateway",'
        f'"host":"auth-{below(16):02d}.prod.example.com","country":"{one_of(COUNTRIES)}",'
        f'"user_agent":"{one_of(AGENTS)}","mfa":{"true" if below(2) else "false"},"latency_ms":{below(900)}}}\n'
    )


def sshd(crowd, number, time):
    address, _, failed = crowd.act()
    below = crowd.below
    head = f"{time:%b %d %H:%M:%S} auth-01 sshd[{1000 + below(60_000)}]: "
    user, tail = f"user{below(5_000):05d}", f"from {address} port {1024 + below(60_000)} ssh2"
    if failed:
        unknown = "invalid user " if below(2) else ""
        return f"{head}Failed password for {unknown}{user} {tail}\n"
    return f"{head}Accepted publickey for {user} {tail}: ED25519 SHA256:DHK6ZdsS9booBoJL{number:08x}\n"


def access(crowd, number, time):
    address, attack, failed = crowd.act()
    below = crowd.below
    method, page, status = "GET", crowd.one_of(PAGES), 200
    if attack:
        page, status = f"/old/backup-{below(4_000)}.zip", 404 if failed else 200
    elif failed:
        method, page, status = "POST", "/login", 401
    return (
        f'{address} - - [{time:%d/%b/%Y:%H:%M:%S} +0000] "{method} {page} HTTP/1.1" {status} '
        f'{below(20_000)} "-" "{crowd.one_of(AGENTS)}"\n'
    )


KINDS = {"auth": auth, "sshd": sshd, "access": access}


def write(kind, lines, path):
    crowd, line = Crowd(), KINDS[kind]
    step = datetime.timedelta(milliseconds=1)
    time = START
    with open(path, "w", encoding="ascii") as out:
        for start in range(0, lines, CHUNK):
            chunk = []
            for number in range(start, min(start + CHUNK, lines)):
                chunk.append(line(crowd, number, time))
                time += step
            out.write("".join(chunk))


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in KINDS or not sys.argv[2].isdigit():
        sys.exit(__doc__.strip())
    write(sys.argv[1], int(sys.argv[2]), sys.argv[3])


if __name__ == "__main__":
    main()
