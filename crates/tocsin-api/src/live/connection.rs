//! One connection, from its first bytes to its last: catch up, go live, fall behind, catch up
//! again. It runs only while its body is polled, and ends with it; a socket that stalls is cut by
//! who owns the socket.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use metrics::counter;
use serde_json::json;
use tocsin_pipeline::commit::StoreError;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::warn;

use super::Live;
use super::catch_up::{Content, Page, Stretch, page};
use super::frame::{Cursor, lines};
use super::hub::Subscription;
use super::limits::{CHUNK_BYTES_MAX, LAST_ROUND_FRAMES_MAX, ROUNDS_MAX};
use super::queue::{Lag, Subscriber, Taken, Viewer};
use super::resume::Tag;
use super::slots::Slot;
use crate::stop::Stopping;

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// With what comes next.
    Now,
    /// After a place the client has seen.
    After(Cursor),
    /// With what comes next: the place the client named is not one of this stream.
    Unknown,
}

/// An open connection.
pub(super) struct Connection {
    live: Arc<Live>,
    viewer: Viewer,
    tag: Tag,
    expires: Option<Instant>,
    out: mpsc::Sender<Bytes>,
    /// Held for as long as the connection lives.
    _slot: Slot,
    stopping: Stopping,
    next_beat: Instant,
    chunk: Vec<u8>,
    /// Everything up to here was written or may not be seen.
    cursor: Cursor,
    /// The place of the last `id:` line.
    told: Cursor,
}

/// Why a stream ends.
enum End {
    /// The credential ended, or the server goes down.
    Over,
    /// The client is gone.
    Gone,
    /// History cannot be read.
    Broken(StoreError),
}

/// What a client missed.
struct Gap {
    reason: &'static str,
    missed: Option<u64>,
}

/// What a connection is made of.
pub(super) struct ConnectionParts {
    pub(super) live: Arc<Live>,
    pub(super) viewer: Viewer,
    pub(super) tag: Tag,
    /// The second since 1970 in which the credential ends.
    pub(super) expires: Option<u64>,
    pub(super) out: mpsc::Sender<Bytes>,
    pub(super) slot: Slot,
}

impl Connection {
    pub(super) fn new(parts: ConnectionParts) -> Connection {
        let ConnectionParts { live, viewer, tag, expires, out, slot } = parts;
        let left = expires.map(|end| Duration::from_secs(end).saturating_sub(unix_time()));
        Connection {
            viewer,
            tag,
            // Beyond what the clock can count a credential never ends.
            expires: left.and_then(|left| Instant::now().checked_add(left)),
            out,
            _slot: slot,
            stopping: live.stopping.clone(),
            next_beat: Instant::now() + live.config.heartbeat,
            chunk: Vec::new(),
            cursor: Cursor::default(),
            told: Cursor::default(),
            live,
        }
    }

    /// Runs to the end of the stream.
    pub(super) async fn run(mut self, start: Start) {
        let Err(end) = self.follow(start).await;
        match end {
            End::Gone => {}
            End::Over => {
                self.push_place();
                // Whoever is gone needs no last id.
                self.flush().await.unwrap_or_default();
            }
            End::Broken(error) => {
                counter!("tocsin_sse_broken_total").increment(1);
                warn!(%error, "live stream closed: history cannot be read; the client may come back");
            }
        }
    }

    async fn follow(&mut self, start: Start) -> Result<Infallible, End> {
        let subscription = self.begin(start).await?;
        let subscriber = subscription.subscriber();
        loop {
            self.check().await?;
            match subscriber.take(CHUNK_BYTES_MAX) {
                Taken::Frames(frames) => {
                    frames.iter().for_each(|frame| self.push(&frame.text, frame.at));
                    self.flush().await?;
                }
                Taken::Lag(lag) => self.recover(&lag).await?,
                Taken::Nothing(offered) => {
                    self.cursor = self.cursor.max(offered);
                    self.idle(&subscription).await?;
                }
            }
        }
    }

    /// Sends the first bytes and, to who comes back, what was committed since.
    async fn begin(&mut self, start: Start) -> Result<Subscription, End> {
        if let Start::After(cursor) = start {
            self.cursor = cursor;
            self.greet().await?;
            return self.catch_up().await;
        }
        let (subscription, at) = self.join();
        self.cursor = at;
        self.greet().await?;
        if start == Start::Unknown {
            self.push_gap(&Gap { reason: "unknown_id", missed: None });
            self.flush().await?;
        }
        Ok(subscription)
    }

    /// How long to wait before coming back, and from where.
    async fn greet(&mut self) -> Result<(), End> {
        let retry = jittered(self.live.config.retry_ms);
        self.chunk.extend_from_slice(format!("retry: {retry}\n").as_bytes());
        self.push_place();
        self.flush().await
    }

    /// Reads until little is left, joins the hub at an exact place, and reads what is left.
    async fn catch_up(&mut self) -> Result<Subscription, End> {
        counter!("tocsin_sse_catch_ups_total").increment(1);
        for _ in 0..ROUNDS_MAX {
            let until = self.live.hub.current();
            let frames = self.read(until, Content::Everything).await?;
            if frames <= LAST_ROUND_FRAMES_MAX {
                break;
            }
        }
        let (subscription, at) = self.join();
        self.read(at, Content::Everything).await?;
        self.tell_place().await?;
        Ok(subscription)
    }

    fn join(&self) -> (Subscription, Cursor) {
        self.live.hub.join(Subscriber::new(self.viewer.clone(), self.live.config.queue))
    }

    /// Tells what was skipped and reads the changes of that stretch: alerts are never lost.
    async fn recover(&mut self, lag: &Lag) -> Result<(), End> {
        counter!("tocsin_sse_overflows_total").increment(1);
        if lag.missed > 0 {
            counter!("tocsin_sse_missed_events_total").increment(lag.missed);
            self.push_gap(&Gap { reason: "overflow", missed: Some(lag.missed) });
        }
        self.read(lag.until, Content::Changes).await?;
        self.tell_place().await
    }

    /// Sends what history holds up to a place; the number of frames.
    async fn read(&mut self, until: Cursor, content: Content) -> Result<usize, End> {
        let mut frames = 0;
        let mut is_cut_told = false;
        while self.cursor < until {
            self.check().await?;
            let from = self.cursor;
            let page = self.page(Stretch { from, until, content }).await?;
            if page.is_cut && !is_cut_told {
                is_cut_told = true;
                self.push_gap(&Gap { reason: "too_old", missed: None });
            }
            for frame in &page.frames {
                self.push(&frame.text, frame.at);
                if self.chunk.len() >= CHUNK_BYTES_MAX {
                    self.flush().await?;
                }
            }
            self.flush().await?;
            if page.reached <= from {
                return Err(End::Broken(StoreError("history does not move on".to_string())));
            }
            self.cursor = page.reached;
            frames += page.frames.len();
        }
        Ok(frames)
    }

    /// Reads a page on a blocking thread, when it is this connection's turn. The turn belongs to a
    /// task of its own: a connection whose socket stalls must not hold one.
    async fn page(&self, stretch: Stretch) -> Result<Page, End> {
        let turns = Arc::clone(&self.live.catching_up);
        let (history, viewer) = (Arc::clone(&self.live.history), self.viewer.clone());
        let mut reading = JoinSet::new();
        reading.spawn(async move {
            let turn = turns.acquire_owned().await;
            let read = move || {
                let read = page(&*history, &viewer, &stretch);
                drop(turn);
                read
            };
            tokio::task::spawn_blocking(read).await
        });
        match reading.join_next().await {
            Some(Ok(Ok(read))) => read.map_err(End::Broken),
            _ => Err(End::Broken(StoreError("reading history was broken off".to_string()))),
        }
    }

    /// Waits for whatever comes first: a frame, the time to say that we live, the end.
    async fn idle(&mut self, subscription: &Subscription) -> Result<(), End> {
        tokio::select! {
            () = subscription.subscriber().ready() => return Ok(()),
            () = sleep_until(self.next_beat) => {}
            () = over(self.expires, &mut self.stopping) => return Err(End::Over),
        }
        if let Some(at) = subscription.idle_at() {
            self.cursor = self.cursor.max(at);
        }
        self.beat();
        self.tell_place().await
    }

    /// What is due even while there is always something to send.
    async fn check(&mut self) -> Result<(), End> {
        let now = Instant::now();
        if self.stopping.has_begun() || self.expires.is_some_and(|end| end <= now) {
            return Err(End::Over);
        }
        if self.next_beat <= now {
            self.beat();
            self.flush().await?;
        }
        Ok(())
    }

    fn beat(&mut self) {
        self.next_beat = Instant::now() + self.live.config.heartbeat;
        let beat = format!(": heartbeat {}\n\n", unix_time().as_secs());
        self.chunk.extend_from_slice(beat.as_bytes());
    }

    fn push_gap(&mut self, gap: &Gap) {
        counter!("tocsin_sse_gaps_total", "reason" => gap.reason).increment(1);
        let text = lines("gap", &json!({ "reason": gap.reason, "missed": gap.missed }));
        self.push(&text, self.cursor);
    }

    /// A bare `id:` block: the place, and nothing to show.
    fn push_place(&mut self) {
        self.push(&[], self.cursor);
    }

    /// Sends what is there, and the place where nothing was shown on the way to it.
    async fn tell_place(&mut self) -> Result<(), End> {
        if self.cursor > self.told {
            self.push_place();
        }
        self.flush().await
    }

    fn push(&mut self, text: &[u8], at: Cursor) {
        self.chunk.extend_from_slice(text);
        self.chunk.extend_from_slice(self.tag.line(at).as_bytes());
        self.chunk.push(b'\n');
        self.cursor = at;
        self.told = at;
    }

    async fn flush(&mut self) -> Result<(), End> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = Bytes::from(std::mem::take(&mut self.chunk));
        self.out.send(chunk).await.map_err(|_| End::Gone)
    }
}

/// Resolves when the credential ends or the server goes down.
async fn over(expires: Option<Instant>, stopping: &mut Stopping) {
    let expired = async {
        match expires {
            Some(end) => sleep_until(end).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = expired => {}
        () = stopping.begun() => {}
    }
}

/// Between two and five thirds of what is configured (of 3 s: 2 to 5 s), so that the clients of a
/// server that went down do not come back all at once.
fn jittered(retry_ms: u64) -> u64 {
    let third = retry_ms / 3;
    let spread = third.saturating_mul(3).saturating_add(1);
    third.saturating_mul(2).saturating_add(getrandom::u64().unwrap_or_default() % spread)
}

/// What the clock on the wall says.
fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
