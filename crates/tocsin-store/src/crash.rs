//! Numbered places where a crash is worth a test: between write, sync, commit, checkpoint and rename.
//! In debug builds `TOCSIN_CRASH_AT=<number>[:<k>]` ends the process, without any clean-up, the k-th
//! time (from 1) that point is passed. In release builds nothing of this is there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The variable that says where to crash.
pub const VARIABLE: &str = "TOCSIN_CRASH_AT";

/// The places, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Point {
    /// A frame is about to be written to the journal.
    BeforeWrite = 1,
    /// Half of a frame's bytes are written.
    MidWrite = 2,
    /// A frame is written, not synced.
    AfterWrite = 3,
    /// The journal is about to be synced.
    BeforeSync = 4,
    /// The journal is synced, nobody has been told.
    AfterSync = 5,
    /// A new segment stands under its temporary name.
    SegmentTempWritten = 6,
    /// A new segment has its name, the folder is not synced.
    SegmentRenamed = 7,
    /// A transaction is about to be committed.
    BeforeCommit = 8,
    /// A transaction is committed, nothing has been shown.
    AfterCommit = 9,
    /// A checkpoint stands under its temporary name, not synced.
    CheckpointTempWritten = 10,
    /// A checkpoint is synced under its temporary name.
    CheckpointSynced = 11,
    /// A checkpoint has its name, nobody refers to it.
    CheckpointRenamed = 12,
    /// A checkpoint is recorded, the one before it still there.
    CheckpointRecorded = 13,
    /// A segment of the journal was deleted.
    SegmentFreed = 14,
}

impl Point {
    /// All points with their names, in order of number.
    pub const ALL: [(Point, &'static str); 14] = [
        (Point::BeforeWrite, "before_write"),
        (Point::MidWrite, "mid_write"),
        (Point::AfterWrite, "after_write"),
        (Point::BeforeSync, "before_sync"),
        (Point::AfterSync, "after_sync"),
        (Point::SegmentTempWritten, "segment_temp_written"),
        (Point::SegmentRenamed, "segment_renamed"),
        (Point::BeforeCommit, "before_commit"),
        (Point::AfterCommit, "after_commit"),
        (Point::CheckpointTempWritten, "checkpoint_temp_written"),
        (Point::CheckpointSynced, "checkpoint_synced"),
        (Point::CheckpointRenamed, "checkpoint_renamed"),
        (Point::CheckpointRecorded, "checkpoint_recorded"),
        (Point::SegmentFreed, "segment_freed"),
    ];

    /// The point's number in [`VARIABLE`].
    #[must_use]
    pub fn number(self) -> u16 {
        self as u16
    }
}

/// Passes a point: ends the process if that is what was asked for.
#[inline]
pub fn point(point: Point) {
    if due(point) {
        std::process::abort();
    }
}

/// Counts a pass of a point; whether the process must end at this one. For a point that has
/// something to do first.
#[inline]
pub(crate) fn due(point: Point) -> bool {
    cfg!(debug_assertions) && is_due(point)
}

/// What was asked for, and how often its point was passed.
struct Order {
    number: u16,
    pass: u32,
    passed: AtomicU32,
}

fn is_due(point: Point) -> bool {
    static ORDER: OnceLock<Option<Order>> = OnceLock::new();
    let order = ORDER.get_or_init(|| std::env::var(VARIABLE).ok().map(|text| Order::parse(&text)));
    order.as_ref().is_some_and(|order| order.is_due(point))
}

impl Order {
    /// A test that crashes nowhere would prove nothing, so an order that cannot be read ends the
    /// process at once.
    fn parse(text: &str) -> Order {
        let (number, pass) = text.split_once(':').unwrap_or((text, "1"));
        let known = |number: &u16| Point::ALL.iter().any(|(point, _)| point.number() == *number);
        match (number.parse().ok().filter(known), pass.parse()) {
            (Some(number), Ok(pass)) => Order { number, pass, passed: AtomicU32::new(0) },
            _ => panic!("{VARIABLE}={text}: write <number of a crash point>[:<how many passes>]"),
        }
    }

    fn is_due(&self, point: Point) -> bool {
        point.number() == self.number && self.passed.fetch_add(1, Ordering::Relaxed) + 1 == self.pass
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_numbered_from_one_in_order() {
        for (index, (point, name)) in Point::ALL.iter().enumerate() {
            assert_eq!(usize::from(point.number()), index + 1, "{name}");
        }
    }

    #[test]
    fn an_order_is_due_at_its_pass_only() {
        let order = Order::parse("4:3");
        let passes: Vec<bool> = (0..5).map(|_| order.is_due(Point::BeforeSync)).collect();
        assert_eq!(passes, [false, false, true, false, false]);
        assert!(!Order::parse("4").is_due(Point::AfterSync));
        assert!(Order::parse("4").is_due(Point::BeforeSync));
    }

    #[test]
    #[should_panic(expected = "TOCSIN_CRASH_AT=99")]
    fn an_order_for_no_point_is_refused() {
        Order::parse("99");
    }
}
