//! From closed detections to alerts in order: (timestamp, alert id), evidence read again, claims
//! about the same event joined.

use std::collections::BTreeMap;
use std::sync::Arc;

use tocsin_alert::Alert;
use tocsin_alert::group::join_claims;
use tocsin_core::alert_id::AlertId;
use tocsin_core::detection::{Detection, Phase};
use tocsin_core::offset::Position;
use tocsin_core::plan::Plan;
use tocsin_core::time::{Span, Timestamp};

use crate::records::Records;
use crate::teller::Teller;

/// An episode that nothing touches is closed within this much event time after its end: the width
/// of a bucket of the expiry wheel, and of a tick.
const IDLE_CLOSE: Span = Span::seconds(5);

/// A detection with the rules it is of.
struct Held {
    plan: Arc<Plan>,
    detection: Detection,
}

/// Holds closed detections back until no earlier one can come any more.
pub struct Finaliser {
    teller: Teller,
    tenant: String,
    held: BTreeMap<(Timestamp, AlertId), Held>,
    /// Detections older than what was handed out already: of events far behind the watermark.
    overdue: BTreeMap<(Timestamp, AlertId), Held>,
    released: Timestamp,
    /// How long after t0 a detection may still be open: the longest episode of any rule, and the
    /// time until an idle key is looked at.
    longest: Span,
}

impl Finaliser {
    /// A finaliser for one tenant. `as_of` is the reference time of lines without a year.
    #[must_use]
    pub fn new(plan: Arc<Plan>, tenant: &str, as_of: Timestamp) -> Finaliser {
        let longest = longest(&plan);
        Finaliser {
            teller: Teller::new(plan, as_of),
            tenant: tenant.to_string(),
            held: BTreeMap::new(),
            overdue: BTreeMap::new(),
            released: Timestamp::MIN,
            longest,
        }
    }

    /// Detections are of these rules from now on.
    pub fn change_rules(&mut self, plan: &Arc<Plan>) {
        self.teller.change_rules(plan);
        self.longest = self.longest.max(longest(plan));
    }

    /// Takes in detections; only closed ones count.
    pub fn take(&mut self, detections: Vec<Detection>) {
        for detection in detections {
            if detection.phase == Phase::Closed && self.teller.plan().meta(detection.rule).alerts {
                let id = self.teller.source(&self.tenant, &detection).id();
                let overdue = detection.t0 < self.released;
                let list = if overdue { &mut self.overdue } else { &mut self.held };
                let plan = Arc::clone(self.teller.plan());
                list.insert((detection.t0, id), Held { plan, detection });
            }
        }
    }

    /// Hands out the alerts that are complete and in order at a watermark, one time after the
    /// other: only those of one event need each other. At the end of input the overdue ones
    /// follow, in order among themselves.
    pub fn release(&mut self, watermark: Timestamp, records: &mut dyn Records, out: &mut dyn FnMut(Alert)) {
        let ended = watermark == Timestamp::MAX;
        let until = if ended { watermark } else { watermark.minus(self.longest) };
        self.released = self.released.max(until);
        self.release_until(until, records, out);
        if ended {
            self.held = std::mem::take(&mut self.overdue);
            self.release_until(until, records, out);
        }
    }

    fn release_until(&mut self, until: Timestamp, records: &mut dyn Records, out: &mut dyn FnMut(Alert)) {
        let active = Arc::clone(self.teller.plan());
        while let Some(t0) = self.held.first_key_value().map(|(key, _)| key.0).filter(|t0| *t0 < until) {
            let mut alerts = Vec::new();
            while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0 == t0) {
                let Held { plan, detection } = entry.remove();
                self.teller.change_rules(&plan);
                let told = self.teller.tell(&self.tenant, &detection, records);
                alerts.push((detection.completing, told.alert));
            }
            join_claims(&mut alerts);
            alerts.into_iter().for_each(|(_, alert)| out(alert));
        }
        self.teller.change_rules(&active);
    }
}

/// How long after its begin an episode of any of these rules may still be open.
fn longest(plan: &Plan) -> Span {
    let longest = plan.rules.iter().map(|rule| rule.meta.episode).max().unwrap_or_default();
    Span(longest.0.saturating_add(IDLE_CLOSE.0))
}

/// Position of a record of a batch, for stores that keep what they may be asked for.
pub fn keep_signals(batch: &tocsin_core::engine::MatchedBatch, records: &mut dyn Records) {
    if records.must_keep(batch.raw.partition) {
        for position in batch.signal_positions() {
            keep(batch, position, records);
        }
    }
}

fn keep(batch: &tocsin_core::engine::MatchedBatch, position: Position, records: &mut dyn Records) {
    let start = (position.offset() - batch.raw.offsets.from) as u32;
    if let Ok(index) = batch.raw.records.binary_search_by_key(&start, |span| span.start) {
        records.keep(position, batch.raw.record(index as u32));
    }
}
