"""A tiny web shop for the recording.

WARNING: /item puts its parameter into the SQL text unchecked, on purpose, so
that an injection tool has something to find. Never serve this to a network.
"""

import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LOGINS = {"alice": "Paper-Lantern-3", "erin": "Green-Bicycle-9"}
LOCK = threading.Lock()
DB = sqlite3.connect(":memory:", check_same_thread=False)
# Keeps the huge values that injection tools ask for from using up the memory.
DB.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 1_000_000)
DB.executescript(
    """
    CREATE TABLE item (id INTEGER, name TEXT, price TEXT);
    INSERT INTO item VALUES (1, 'kettle', '24.00'), (2, 'teapot', '31.50'),
        (3, 'cup', '6.20'), (4, 'tray', '12.00'), (5, 'spoon', '2.10');
    CREATE TABLE customer (id INTEGER, name TEXT, email TEXT);
    INSERT INTO customer VALUES (1, 'Alice', 'alice@example.com'),
        (2, 'Erin', 'erin@example.com');
    """
)


def rows(sql, args=()):
    with LOCK:
        return DB.execute(sql, args).fetchall()


class Shop(BaseHTTPRequestHandler):
    def reply(self, status, text, **headers):
        body = f"<!doctype html><p>{text}</p>\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        try:
            if url.path == "/item":
                wanted = query.get("id", ["0"])[0]
                found = rows("SELECT name, price FROM item WHERE id = " + wanted)
            else:
                wanted = "%" + query.get("q", [""])[0] + "%"
                found = rows("SELECT name, price FROM item WHERE name LIKE ?", (wanted,))
        except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
            return self.reply(500, f"sqlite3 error: {error}")
        if not found:
            return self.reply(404, "nothing found")
        return self.reply(200, "<br>".join(f"{row[0]}: {row[1]}" for row in found))

    def do_POST(self):
        length = min(int(self.headers.get("Content-Length") or 0), 10000)
        form = parse_qs(self.rfile.read(length).decode("utf-8", "replace"))
        user = form.get("user", [""])[0]
        if user in LOGINS and form.get("password", [""])[0] == LOGINS[user]:
            return self.reply(303, "welcome", Location="/")
        return self.reply(401, "wrong user or password")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", 8000), Shop).serve_forever()
