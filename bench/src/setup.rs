//! The parts of the engine as `scan` puts them together: rules, decoder, batches.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tocsin_core::batch::{EventBatch, RawBatch};
use tocsin_core::decoder::Decoder;
use tocsin_core::offset::OffsetRange;
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::framing::cut_lines;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_io::rule_files;
use tocsin_pipeline::cutter::BATCH_BYTES;
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};

/// The shipped rules.
#[must_use]
pub fn shipped_rules() -> PathBuf {
    root().join("../rules")
}

/// A rule of this folder.
#[must_use]
pub fn bench_rule(name: &str) -> PathBuf {
    root().join("rules").join(name)
}

/// Recordings and rules of others, where they lie beside the checkout.
#[must_use]
pub fn recordings() -> PathBuf {
    root().join("../../shared/data")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A plan of the rules under these paths.
///
/// # Panics
/// When they cannot be read.
#[must_use]
pub fn plan(paths: &[PathBuf]) -> Arc<Plan> {
    plan_of(&rule_files::read(paths).expect("the rules lie beside the benches").items, true)
}

/// A plan of these rules; `gate` as in [`LoadOptions`].
#[must_use]
pub fn plan_of(files: &[RuleFile], gate: bool) -> Arc<Plan> {
    load(files, LoadOptions { gate, seed: 1, ..LoadOptions::default() }).plan
}

/// A decoder of any format for the fields a plan wants.
///
/// # Panics
/// Never: the reference time is a constant.
#[must_use]
pub fn decoder(plan: &Plan) -> RecordDecoder {
    let as_of = Timestamp::parse(b"2026-01-16T00:00:00Z").expect("this is a time");
    RecordDecoder::auto(FormatContext { taxonomy: Taxonomy::new(Arc::clone(&plan.table)), as_of })
}

/// Cuts lines into batches as the cutter would.
#[must_use]
pub fn batches(text: &str) -> Vec<RawBatch> {
    let mut batches = Vec::new();
    let (mut from, mut line) = (0, 0);
    while from < text.len() {
        let to = text.floor_char_boundary(text.len().min(from + BATCH_BYTES));
        let end =
            if to == text.len() { to } else { text[from..to].rfind('\n').map_or(to, |at| from + at + 1) };
        let mut batch = RawBatch {
            offsets: OffsetRange { from: from as u64, to: end as u64 },
            first_record: line,
            bytes: text.as_bytes()[from..end].to_vec(),
            ..RawBatch::default()
        };
        cut_lines(&batch.bytes, 0, &mut batch.records);
        line += batch.records.len() as u64;
        batches.push(batch);
        from = end;
    }
    batches
}

/// Cuts and decodes lines for a plan.
#[must_use]
pub fn decoded(plan: &Plan, text: &str) -> Vec<EventBatch> {
    let mut decoder = decoder(plan);
    batches(text).into_iter().map(|batch| decoder.decode(batch)).collect()
}
