//! An open load: bodies are due at a constant rate, whatever the server does, and some carry an
//! event that raises an alert nobody has seen before. Noted is when each body was answered and when
//! its alert came to a subscriber.
//!
//! A body that could not be sent when it was due, because every connection was still busy, is timed
//! from when it was due: a slow server cannot make its own times look better.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tocsin_core::time::Timestamp;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::http::{Connection, Length};
use crate::{percentiles, samples, sse};

/// Alerts waiting to be noted. Above it the subscriber reads no further until they are.
const SEEN_WAITING_MAX: usize = 1_024;

/// Lines made once; bodies are cut from them in turn.
const LINES: usize = 10_000;

/// What to send, and where.
#[derive(Clone, Debug)]
pub struct Load {
    /// The server.
    pub address: SocketAddr,
    /// An API key that may send.
    pub key: String,
    /// A token that may follow `/events/security`.
    pub token: String,
    /// Events a second.
    pub rate: f64,
    /// Events of a body.
    pub events: usize,
    /// Each of so many bodies carries an event that raises an alert.
    pub every: usize,
    /// How long to send.
    pub time: Duration,
    /// Connections that send.
    pub connections: usize,
    /// How long alerts are waited for after the last body was answered.
    pub patience: Duration,
}

/// What became of one body.
#[derive(Clone, Copy, Debug)]
struct Sent {
    number: usize,
    due: Instant,
    sent: Instant,
    answered: Instant,
    status: u16,
}

/// What all senders share.
struct Shared {
    load: Load,
    lines: Vec<String>,
    /// Tells the alerts of this run from those of any other.
    run: u128,
    start: Instant,
    next: AtomicUsize,
}

/// Sends the load and gives what came of it.
///
/// # Errors
/// When a connection fails or the stream is refused.
pub async fn run(load: Load) -> Result<Value> {
    ensure!(load.rate > 0.0 && load.events > 0 && load.every > 0 && load.connections > 0, "nothing to send");
    let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
    let mut seen = follow(&load, run).await?;
    let text = samples::auth(LINES);
    let lines = text.lines().map(untimed).collect::<Option<_>>().context("a sample without a time")?;
    let connections = load.connections;
    let shared = Arc::new(Shared { load, lines, run, start: Instant::now(), next: AtomicUsize::new(0) });
    let mut senders = JoinSet::new();
    for _ in 0..connections {
        senders.spawn(send(Arc::clone(&shared)));
    }
    let mut bodies: Vec<Sent> = Vec::new();
    let mut alerts: BTreeMap<usize, Instant> = BTreeMap::new();
    loop {
        tokio::select! {
            sent = senders.join_next() => match sent {
                Some(sent) => bodies.extend(sent??),
                None => break,
            },
            Some((number, at)) = seen.recv() => { alerts.entry(number).or_insert(at); }
        }
    }
    let every = shared.load.every;
    let marked = bodies.iter().filter(|sent| sent.number.is_multiple_of(every) && sent.status == 202).count();
    let missing = async {
        while alerts.len() < marked {
            let Some((number, at)) = seen.recv().await else { break };
            alerts.entry(number).or_insert(at);
        }
    };
    // What is still missing after this is reported as such.
    drop(tokio::time::timeout(shared.load.patience, missing).await);
    Ok(report(&shared.load, &bodies, &alerts))
}

/// Sends every body this connection gets hold of, each when it is due.
async fn send(shared: Arc<Shared>) -> Result<Vec<Sent>> {
    let load = &shared.load;
    let mut connection = Connection::open(load.address).await?;
    let headers = format!("X-Api-Key: {}\r\nContent-Type: application/x-ndjson\r\n", load.key);
    let interval = load.events as f64 / load.rate;
    let mut bodies = Vec::new();
    loop {
        let number = shared.next.fetch_add(1, Ordering::Relaxed);
        let after = Duration::from_secs_f64(number as f64 * interval);
        if after >= load.time {
            return Ok(bodies);
        }
        let due = shared.start + after;
        let body = shared.body(number)?;
        tokio::time::sleep_until(due.into()).await;
        let sent = Instant::now();
        let status = connection.request("POST /api/v1/events", &headers, body.as_bytes()).await?;
        bodies.push(Sent { number, due, sent, answered: Instant::now(), status });
    }
}

impl Shared {
    /// A body: lines of now, in every so-manyth one that raises an alert.
    fn body(&self, number: usize) -> Result<String> {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos();
        // Milliseconds, as senders write them.
        let now = Timestamp(i64::try_from(now / 1_000_000 * 1_000_000)?);
        let mut body = String::with_capacity(self.load.events * 400);
        for at in 0..self.load.events {
            let line = &self.lines[(number * self.load.events + at) % self.lines.len()];
            if at == 0 && number.is_multiple_of(self.load.every) {
                let (run, user) = (self.run, number);
                writeln!(
                    body,
                    r#"{{"timestamp":"{now}","event_type":"login_marked","user_id":"mark-{run}-{user}."}}"#
                )?;
            } else {
                writeln!(body, r#"{{"timestamp":"{now}"{line}"#)?;
            }
        }
        Ok(body)
    }
}

/// The rest of a line after its time, which is its first field.
fn untimed(line: &str) -> Option<String> {
    let rest = line.strip_prefix(r#"{"timestamp":""#)?;
    Some(rest[rest.find('"')? + 1..].to_owned())
}

/// Follows the stream; gives the numbers of the alerts of this run as they come, once the stream is
/// open.
async fn follow(load: &Load, run: u128) -> Result<Receiver<(usize, Instant)>> {
    let (noted, seen) = channel(SEEN_WAITING_MAX);
    let (opened, open) = oneshot::channel();
    let (address, token) = (load.address, load.token.clone());
    tokio::spawn(async move {
        let stream = subscribe(address, &token).await;
        let (connection, length) = match stream {
            Ok(stream) => stream,
            Err(error) => return drop(opened.send(Err(error))),
        };
        if opened.send(Ok(())).is_ok() {
            read(connection, length, run, noted).await;
        }
    });
    open.await.context("the subscriber ended")??;
    Ok(seen)
}

async fn subscribe(address: SocketAddr, token: &str) -> Result<(Connection, Length)> {
    let mut connection = Connection::open(address).await?;
    let headers = format!("Authorization: Bearer {token}\r\nAccept: text/event-stream\r\n");
    let head = connection.begin("GET /events/security", &headers, b"").await?;
    ensure!(head.status == 200, "the stream was refused with {}", head.status);
    Ok((connection, head.length))
}

/// Reads until the stream ends or nobody listens any more. What is not seen is reported.
async fn read(mut connection: Connection, length: Length, run: u128, noted: Sender<(usize, Instant)>) {
    let mut reader = sse::Reader::default();
    loop {
        let bytes = match length {
            Length::Chunks => connection.chunk().await.ok().flatten().unwrap_or_default(),
            Length::Bytes(_) | Length::Open => connection.some().await.unwrap_or_default(),
        };
        let at = Instant::now();
        if bytes.is_empty() {
            return;
        }
        for event in reader.feed(&bytes).iter().filter(|event| event.name == "alert") {
            if let Some(number) = marked(&event.data, run)
                && noted.send((number, at)).await.is_err()
            {
                return;
            }
        }
    }
}

/// The number of the body whose event raised this alert, if it is of this run.
fn marked(data: &str, run: u128) -> Option<usize> {
    let mark = format!("mark-{run}-");
    let rest = &data[data.find(&mark)? + mark.len()..];
    rest[..rest.find('.')?].parse().ok()
}

fn report(load: &Load, bodies: &[Sent], alerts: &BTreeMap<usize, Instant>) -> Value {
    let mut statuses: BTreeMap<String, usize> = BTreeMap::new();
    bodies.iter().for_each(|sent| *statuses.entry(sent.status.to_string()).or_default() += 1);
    let taken: Vec<&Sent> = bodies.iter().filter(|sent| sent.status == 202).collect();
    let pairs: Vec<(Instant, Instant)> =
        taken.iter().filter_map(|sent| Some((sent.answered, *alerts.get(&sent.number)?))).collect();
    let began = bodies.iter().map(|sent| sent.due).min();
    let ended = bodies.iter().map(|sent| sent.answered).max();
    let seconds = began.zip(ended).map_or(0.0, |(began, ended)| (ended - began).as_secs_f64());
    json!({
        "rate_asked": load.rate,
        "rate": (taken.len() * load.events) as f64 / seconds.max(load.time.as_secs_f64()),
        "events_a_body": load.events,
        "seconds": seconds,
        "statuses": statuses,
        "marked": taken.iter().filter(|sent| sent.number.is_multiple_of(load.every)).count(),
        "seen": pairs.len(),
        "seen_before_answer": pairs.iter().filter(|(answered, seen)| seen < answered).count(),
        "late_ms": percentiles::of(bodies.iter().map(|sent| sent.sent - sent.due).collect()),
        "answered_ms": percentiles::of(taken.iter().map(|sent| sent.answered - sent.due).collect()),
        "seen_ms": percentiles::of(
            pairs.iter().map(|(answered, seen)| seen.saturating_duration_since(*answered)).collect(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_of_one_run_and_one_body() {
        let data = r#"{"key":{"user.name":"mark-77-12."},"event":{"user_id":"mark-77-12."}}"#;
        assert_eq!(marked(data, 77), Some(12));
        assert_eq!(marked(data, 7), None);
        assert_eq!(marked(r#"{"a":"mark-77-"}"#, 77), None);
    }

    #[test]
    fn a_line_loses_its_time_and_nothing_else() {
        assert_eq!(untimed(r#"{"timestamp":"x","a":1}"#).as_deref(), Some(r#","a":1}"#));
        assert_eq!(untimed(r#"{"a":1}"#), None);
    }
}
