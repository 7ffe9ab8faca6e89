//! The limits of the machine on the bytes of one file, as JSON: what a program that only split
//! lines, checked UTF-8 or picked fields would reach. One thread, the file in memory.
//!
//! ```text
//! limits FILE [PASSES]
//! ```

use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use anyhow::{Context, Result};
use memchr::memchr_iter;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use sonic_rs::{PointerTree, pointer};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().context("usage: limits FILE [PASSES]")?;
    let passes = arguments.next().map_or(Ok(3), |text| text.parse()).context("PASSES is a number")?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {path}"))?;
    let events = memchr_iter(b'\n', &bytes).count() as u64;
    // The fields one rule on logins asks for, with those every alert names.
    let mut tree = PointerTree::new();
    for field in ["event_type", "status", "timestamp", "source_ip", "user_id", "host"] {
        tree.add_path(pointer![field].iter());
    }
    let limits = [
        limit("newline split (memchr)", passes, || memchr_iter(b'\n', &bytes).count()),
        limit("UTF-8 check (std)", passes, || usize::from(std::str::from_utf8(&bytes).is_ok())),
        limit("six fields (sonic-rs get_many)", passes, || picked(&bytes, &tree)),
        limit("every field (sonic-rs to_object_iter)", passes, || walked(&bytes)),
    ];
    let report = json!({ "events": events, "bytes": bytes.len(), "limits": limits });
    writeln!(std::io::stdout(), "{report}").context("cannot write")
}

/// Reads the fields of every line, checking the JSON, and counts those found.
fn picked(bytes: &[u8], tree: &PointerTree) -> usize {
    let mut found = 0;
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes) {
        if let Ok(values) = sonic_rs::get_many(&bytes[start..end], tree) {
            found += values.iter().flatten().count();
            black_box(&values);
        }
        start = end + 1;
    }
    found
}

/// Walks over the fields of every line, checking the JSON and building nothing, and counts them.
fn walked(bytes: &[u8]) -> usize {
    let mut found = 0;
    let mut start = 0;
    for end in memchr_iter(b'\n', bytes) {
        found += sonic_rs::to_object_iter(&bytes[start..end]).map_while(Result::ok).map(black_box).count();
        start = end + 1;
    }
    found
}

/// The fastest of some passes, and what the work came to, so that it can be seen to be done.
fn limit(name: &str, passes: u32, mut work: impl FnMut() -> usize) -> Value {
    let mut best = (f64::INFINITY, f64::INFINITY);
    let mut result = 0;
    for _ in 0..passes.max(1) {
        let (cpu, wall) = (thread_seconds(), Instant::now());
        result = black_box(work());
        let took = (thread_seconds() - cpu, wall.elapsed().as_secs_f64());
        best = (best.0.min(took.0), best.1.min(took.1));
    }
    json!({ "name": name, "cpu_seconds": best.0, "wall_seconds": best.1, "result": result })
}

/// CPU time of this thread.
fn thread_seconds() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}
