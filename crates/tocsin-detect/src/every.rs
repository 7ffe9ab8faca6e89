//! Every event is a detection: the episodes of stateless rules.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tocsin_core::detector::Detector;
use tocsin_core::limits::EVIDENCE_IDS_MAX;
use tocsin_core::machine::{Contributing, Entries, Entry, Machine, fold_buckets};
use tocsin_core::matcher::RuleIdx;
use tocsin_core::time::{Span, Timestamp};

/// Length of the buckets a burst is folded in.
const BUCKET: Span = Span::seconds(60);

struct Every;

/// The last entry, until it is handed out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Last(Option<Entry>);

/// The detector of a stateless rule.
pub(crate) fn detector(rule: RuleIdx, episode: Span) -> Arc<dyn Detector> {
    crate::keyed::keyed(Every, rule, episode)
}

impl Machine for Every {
    type State = Last;

    fn advance(&self, state: &mut Last, entry: &Entry) -> bool {
        state.0 = Some(*entry);
        true
    }

    fn advance_late(&self, state: &mut Last, entry: &Entry) -> Option<Timestamp> {
        state.0 = Some(*entry);
        Some(entry.time)
    }

    fn contributing(&self, state: &mut Last, _: Contributing, out: &mut Vec<Entry>) {
        out.extend(state.0.take());
    }

    fn in_window(&self, _: &Last) -> u64 {
        1
    }

    fn possible(&self, _: &Last, more: u64) -> bool {
        more > 0
    }

    fn lasts_until(&self, _: &Last) -> Timestamp {
        Timestamp::MIN
    }

    fn expire(&self, _: &mut Last, _: Timestamp) -> bool {
        true
    }

    fn fold(&self, waiting: &mut Entries, boundary: Option<Timestamp>) {
        fold_buckets(waiting, boundary, BUCKET, EVIDENCE_IDS_MAX, 1);
    }
}
