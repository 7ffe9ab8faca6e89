//! A server from outside: started as a process in a folder of its own, on a free port, spoken to
//! over TCP.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Folder;

/// How long anything may take that is waited for. Longer than any of it needs on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long a process may take to end once it has decided to.
const DYING: Duration = Duration::from_secs(5);

/// A running server.
pub struct Server {
    child: Child,
    address: SocketAddr,
    told: Arc<Mutex<Vec<String>>>,
}

/// How a server is started.
#[derive(Default)]
pub struct Start<'a> {
    /// Its configuration, beside what every test needs.
    pub config: &'a str,
    /// Variables of its environment.
    pub variables: &'a [(&'a str, &'a str)],
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Server {
    /// Starts a server on a folder.
    pub fn start(folder: &Folder) -> Server {
        Server::start_with(folder, &Start::default())
    }

    /// Starts a server on a folder, in this way.
    pub fn start_with(folder: &Folder, start: &Start<'_>) -> Server {
        Server::try_start(folder, start).unwrap_or_else(|told| panic!("it did not start: {told}"))
    }

    /// Starts a server on a folder, unless it ends first; then what it said.
    pub fn try_start(folder: &Folder, start: &Start<'_>) -> Result<Server, String> {
        std::fs::write(folder.path().join("tocsin.yaml"), format!("{}\n", start.config)).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .args(["run", "-c", "tocsin.yaml", "--data", "data", "--listen", "127.0.0.1:0"])
            .current_dir(folder.path())
            .envs(start.variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let noted = Arc::clone(&told);
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| noted.lock().unwrap().push(line));
        });
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let Some(address) = first.trim().strip_prefix("listening on http://") else {
            child.wait().unwrap();
            let told = told.lock().unwrap().join("\n");
            return Err(format!("{first}{told}"));
        };
        Ok(Server { child, address: address.parse().unwrap(), told })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lines it has written to standard error so far.
    pub fn told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    /// Sends a request and reads its answer.
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_send(method, path, headers, body).unwrap()
    }

    /// Sends a request and reads its answer, unless the connection fails.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Answer::parse(&answer).ok_or_else(|| std::io::Error::other("no whole answer"))
    }

    /// `GET` with this token or key.
    pub fn get(&self, path: &str, credential: &str) -> Answer {
        let bearer = format!("Bearer {credential}");
        self.send("GET", path, &[("Authorization", &bearer)], b"")
    }

    /// `GET` with this token, its JSON.
    pub fn json(&self, path: &str, credential: &str) -> Value {
        let answer = self.get(path, credential);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// `POST /logs`.
    pub fn post_log(&self, key: &str, body: &str) -> Answer {
        self.send(
            "POST",
            "/logs",
            &[("X-Api-Key", key), ("Content-Type", "application/json")],
            body.as_bytes(),
        )
    }

    /// `POST /api/v1/events` of NDJSON.
    pub fn post_events(&self, key: &str, body: &str) -> Answer {
        let headers = [("X-Api-Key", key), ("Content-Type", "application/x-ndjson")];
        self.send("POST", "/api/v1/events", &headers, body.as_bytes())
    }

    /// Waits until something is there.
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&Server) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < until, "{what} did not come; it said: {:?}", self.told());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Waits until nothing that was accepted is on its way any more; the ledger then.
    pub fn at_rest(&self, token: &str) -> Value {
        self.wait_for("rest", |server| {
            let ledger = server.json("/api/v1/ledger", token);
            (ledger["in_flight"] == 0).then_some(ledger)
        })
    }

    /// Whether it has ended by itself, now that nobody talks to it any more; if not, it is killed.
    pub fn has_died(mut self) -> bool {
        let until = Instant::now() + DYING;
        while Instant::now() < until {
            if self.child.try_wait().unwrap().is_some() {
                return true;
            }
            std::thread::park_timeout(Duration::from_millis(5));
        }
        false
    }

    /// The id of its process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Kills it at once, while others may still be talking to it.
    pub fn kill_now(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, and waits until it has; its exit status and what it said.
    pub fn stop(mut self) -> (Option<i32>, Vec<String>) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        let told = self.told.lock().unwrap().clone();
        (status.code(), told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    fn parse(bytes: &[u8]) -> Option<Answer> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_string()))
            .collect();
        let chunked = headers.iter().any(|(name, value)| name == "transfer-encoding" && value == "chunked");
        let rest = &bytes[end + 4..];
        let body = if chunked { unchunked(rest)? } else { rest.to_vec() };
        Some(Answer { status, headers, body })
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let len = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if len == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..len)?);
        rest = rest.get(len + 2..)?;
    }
}

/// A key of a folder's tenant.
pub fn key(folder: &Folder, scope: &str) -> String {
    tenant_key(folder, "default", scope)
}

/// A key of a tenant.
pub fn tenant_key(folder: &Folder, tenant: &str, scope: &str) -> String {
    let made = folder.run(&["--data", "data", "key", "create", "--tenant", tenant, "--scope", scope]);
    assert_eq!(made.code, 0, "{}", made.err);
    made.out.trim().to_string()
}

/// A token of the folder's tenant `default`.
pub fn token(folder: &Folder, user: &str, role: &str) -> String {
    tenant_token(folder, user, "default", role)
}

/// A token of a tenant.
pub fn tenant_token(folder: &Folder, user: &str, tenant: &str, role: &str) -> String {
    let args = ["--data", "data", "token", "create", "--user", user, "--tenant", tenant, "--role", role];
    let made = folder.run(&args);
    assert_eq!(made.code, 0, "{}", made.err);
    made.out.trim().to_string()
}
