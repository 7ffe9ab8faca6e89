//! What the tests of the contract share: a server with its credentials, what senders send it, and
//! a live stream followed from outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::server_support::{Answer, PATIENCE, Server, Start, key, token};
use crate::support::Folder;

/// How long a stream may say nothing that is waited for: less than it takes to the next heartbeat.
const SILENCE: Duration = Duration::from_secs(20);

/// A server with somebody who sends and somebody who reads.
pub struct Site {
    /// The folder the server runs in.
    pub folder: Folder,
    /// The server.
    pub server: Server,
    /// A key of scope `ingest`.
    pub ingest: String,
    /// A token of an analyst.
    pub analyst: String,
}

impl Site {
    /// A server with the defaults.
    pub fn open() -> Site {
        Site::with("")
    }

    /// A server with this configuration.
    pub fn with(config: &str) -> Site {
        Site::of(Folder::new(), config)
    }

    /// A server in this folder.
    pub fn of(folder: Folder, config: &str) -> Site {
        let ingest = key(&folder, "ingest");
        let analyst = token(&folder, "ann", "analyst");
        let server = Server::start_with(&folder, &Start { config, ..Start::default() });
        Site { folder, server, ingest, analyst }
    }

    /// The same folder with a server started anew.
    pub fn restarted(self, config: &str) -> Site {
        let Site { folder, server, ingest, analyst } = self;
        let (code, told) = server.stop();
        assert_eq!(code, Some(0), "{told:?}");
        let server = Server::start_with(&folder, &Start { config, ..Start::default() });
        Site { folder, server, ingest, analyst }
    }

    /// Sends a log entry that must be taken.
    pub fn log(&self, entry: &Value) {
        let answer = self.server.post_log(&self.ingest, &entry.to_string());
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Sends events that must all be taken.
    pub fn events(&self, events: &[Value]) {
        let answer = self.server.post_events(&self.ingest, &lines(events));
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.json(), json!({ "accepted": events.len(), "rejected": [] }));
    }

    /// All alerts, newest first, once nothing is on its way any more.
    pub fn alerts(&self) -> Vec<Value> {
        self.server.at_rest(&self.analyst);
        let list = self.server.json("/api/v1/alerts?limit=1000", &self.analyst);
        list["items"].as_array().unwrap().clone()
    }

    /// The only alert of this type.
    pub fn alert(&self, kind: &str) -> Value {
        let mut alerts = self.alerts();
        alerts.retain(|alert| alert["type"] == kind);
        assert_eq!(alerts.len(), 1, "{kind}: {alerts:#?}");
        alerts.remove(0)
    }

    /// The ledger, once nothing is on its way any more.
    pub fn ledger(&self) -> Value {
        self.server.at_rest(&self.analyst)
    }

    /// The lines `[ALERT] …` so far, whole.
    pub fn told_alerts(&self) -> Vec<String> {
        let mut told = self.server.told();
        told.retain(|line| line.contains("[ALERT]"));
        told
    }

    /// A live stream of this person.
    pub fn follow(&self, token: &str) -> Follower {
        let follower = Follower::open(&self.server, &[("Authorization", &format!("Bearer {token}"))]);
        assert_eq!(follower.status, 200);
        follower
    }
}

/// A time on the day of the reference's sample, so many seconds after its entry.
pub fn at(second: u32) -> String {
    assert!(second < 36_000, "the day ends");
    format!("2025-01-08T{:02}:{:02}:{:02}Z", 12 + second / 3_600, second / 60 % 60, second % 60)
}

/// An access-log entry as in the reference's sample, at another second, address and status.
pub fn entry(second: u32, address: &str, status: u16) -> Value {
    json!({
        "timestamp": at(second),
        "client_ip": address,
        "endpoint": "/api/v1/resource",
        "method": "GET",
        "status_code": status,
    })
}

/// A failed login, of nobody in particular: many of one user are an alert of their own.
pub fn failed_login(second: u32, address: &str) -> Value {
    json!({ "timestamp": at(second), "type": "login_failed", "source_ip": address })
}

/// Failed logins, one a second: eleven are an alert.
pub fn failed_logins(count: u32, address: &str) -> Vec<Value> {
    (0..count).map(|second| failed_login(second, address)).collect()
}

/// Events as NDJSON.
pub fn lines(events: &[Value]) -> String {
    events.iter().map(|event| format!("{event}\n")).collect()
}

/// The detail of a problem of this status; its shape is checked on the way.
pub fn problem(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    assert!(problem["type"].is_string() && problem["title"].is_string(), "{problem}");
    problem["detail"].as_str().unwrap().to_string()
}

/// A live stream.
pub struct Follower {
    /// The status of the answer.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    reader: BufReader<TcpStream>,
    text: Vec<u8>,
    chunked: bool,
}

/// A block of a stream, up to its blank line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// The name of the event; a block without data has none.
    pub event: String,
    /// Its data, as it came.
    pub data: String,
    /// The place in the stream.
    pub id: String,
    /// A comment.
    pub comment: String,
}

impl Block {
    /// Its data, read.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

impl Follower {
    /// Asks for the stream of security events.
    pub fn open(server: &Server, headers: &[(&str, &str)]) -> Follower {
        Follower::at(server, "/events/security", "HTTP/1.1", headers)
    }

    /// Asks for a stream at this address.
    pub fn at(server: &Server, path: &str, version: &str, headers: &[(&str, &str)]) -> Follower {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(stream, "GET {path} {version}\r\nHost: a\r\n{headers}\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let status = line(&mut reader).split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = Vec::new();
        while let Some((name, value)) = line(&mut reader).split_once(": ") {
            headers.push((name.to_ascii_lowercase(), value.to_string()));
        }
        let chunked = headers.contains(&("transfer-encoding".to_string(), "chunked".to_string()));
        Follower { status, headers, reader, text: Vec::new(), chunked }
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The next block as it came; none when the stream has ended.
    pub fn next_text(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.text.windows(2).position(|two| two == b"\n\n") {
                let rest = self.text.split_off(end + 2);
                let block = std::mem::replace(&mut self.text, rest);
                return Some(String::from_utf8(block).unwrap());
            }
            if !self.read_on() {
                return None;
            }
        }
    }

    /// The next block.
    pub fn next(&mut self) -> Option<Block> {
        let text = self.next_text()?;
        let mut block = Block::default();
        for line in text.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_string();
            match name {
                "event" => block.event = value,
                "data" => block.data.push_str(&value),
                "id" => block.id = value,
                "" => block.comment = value,
                _ => {}
            }
        }
        Some(block)
    }

    /// The next block of this event.
    pub fn next_of(&mut self, event: &str) -> Block {
        loop {
            let block = self.next().unwrap_or_else(|| panic!("the stream ended before `{event}`"));
            if block.event == event {
                return block;
            }
        }
    }

    /// The blocks with data up to and including the first that is asked for.
    pub fn until(&mut self, last: impl Fn(&Block) -> bool) -> Vec<Block> {
        let mut blocks = Vec::new();
        while let Some(block) = self.next() {
            let is_last = last(&block);
            blocks.extend((!block.data.is_empty()).then_some(block));
            if is_last {
                return blocks;
            }
        }
        panic!("the stream ended after {blocks:?}");
    }

    /// Reads more; false at the end.
    fn read_on(&mut self) -> bool {
        if !self.chunked {
            let mut more = [0; 4_096];
            let read = self.reader.read(&mut more).unwrap();
            self.text.extend_from_slice(&more[..read]);
            return read > 0;
        }
        let size = line(&mut self.reader);
        let Ok(size) = usize::from_str_radix(&size, 16) else { return false };
        let mut chunk = vec![0; size + 2];
        match self.reader.read_exact(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
            read => {
                read.unwrap();
                self.text.extend_from_slice(&chunk[..size]);
                size > 0
            }
        }
    }
}

fn line(reader: &mut BufReader<TcpStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    line.trim_end().to_string()
}

/// A connection that is written and read by hand.
pub fn connect(server: &Server, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(first).unwrap();
    stream
}
