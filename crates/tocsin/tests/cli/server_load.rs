//! Load for servers that are killed: events that say their number, posted until the connection
//! fails, and what was acknowledged of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// Events of one request.
const BODY_EVENTS: u64 = 40;

/// How long a server may say nothing before it counts as gone.
const SILENCE: Duration = Duration::from_secs(20);

/// What was sent, and what the server said it has.
#[derive(Clone, Default)]
pub struct Sent {
    next: Arc<AtomicU64>,
    acknowledged: Arc<Mutex<BTreeSet<u64>>>,
    ended: Arc<AtomicBool>,
    /// How long a sender waits between two requests.
    pace: Duration,
}

/// A sender at work. It ends by itself when the server is gone, or when it has sent enough.
pub struct Load(JoinHandle<()>);

impl Sent {
    /// The numbers of all events that were acknowledged.
    pub fn acknowledged(&self) -> BTreeSet<u64> {
        self.acknowledged.lock().unwrap().clone()
    }

    /// Senders that wait so long between two requests.
    pub fn paced(pace: Duration) -> Sent {
        Sent { pace, ..Sent::default() }
    }

    /// Ends all senders with their next request.
    pub fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }

    /// Starts a sender: so many requests at most.
    pub fn load(&self, address: SocketAddr, key: &str, requests: u64) -> Load {
        let (sent, key) = (self.clone(), key.to_string());
        Load(std::thread::spawn(move || {
            // A connection that breaks is how a server that was killed looks from here.
            drop(sent.send(address, &key, requests));
        }))
    }

    fn send(&self, address: SocketAddr, key: &str, requests: u64) -> std::io::Result<()> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(SILENCE))?;
        stream.set_nodelay(true)?;
        let mut answers = BufReader::new(stream.try_clone()?);
        for _ in 0..requests {
            if self.ended.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(self.pace);
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let numbers = number * BODY_EVENTS..(number + 1) * BODY_EVENTS;
            let body: String = numbers.clone().map(event).collect();
            let head = format!(
                "POST /api/v1/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: {key}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(format!("{head}{body}").as_bytes())?;
            if status(&mut answers)? == 202 {
                self.acknowledged.lock().unwrap().extend(numbers);
            }
        }
        Ok(())
    }
}

impl Load {
    /// Waits until it has ended.
    pub fn join(self) {
        self.0.join().unwrap();
    }
}

/// A login that fails, or, rarely, works; from one of a few addresses, so that rules fire.
fn event(number: u64) -> String {
    let status = if number % 97 == 96 { "success" } else { "failure" };
    let (address, user) = (number / 12 % 23, number / 7 % 11);
    format!(
        "{{\"type\":\"login\",\"status\":\"{status}\",\"source_ip\":\"203.0.113.{address}\",\"user\":\"u{user}\",\"number\":\"#{number}#\"}}\n"
    )
}

/// Reads one answer; its status.
fn status(answers: &mut BufReader<TcpStream>) -> std::io::Result<u16> {
    let mut line = String::new();
    answers.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let mut len = 0;
    loop {
        line.clear();
        answers.read_line(&mut line)?;
        match line.trim_end().to_ascii_lowercase().strip_prefix("content-length: ") {
            Some(value) => len = value.parse().unwrap(),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; len];
    answers.read_exact(&mut body)?;
    status.ok_or_else(|| std::io::Error::other("no status"))
}

/// The numbers of the events in these bytes.
pub fn numbers_in(bytes: &[u8]) -> Vec<u64> {
    let mut numbers = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|two| two == b"\"#") {
        rest = &rest[at + 2..];
        let end = rest.iter().position(|byte| *byte == b'#').unwrap_or(0);
        numbers.extend(std::str::from_utf8(&rest[..end]).ok().and_then(|text| text.parse::<u64>().ok()));
    }
    numbers
}
