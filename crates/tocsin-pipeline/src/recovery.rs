//! Recovery: after a start the journal is read again from the newest checkpoint on. Steps whose
//! results are stored only rebuild state; those after them go the usual way. Each frame meets the
//! rules it met then.

use std::sync::Arc;

use tocsin_core::batch::TenantId;
use tocsin_core::decoder::Decoder;
use tocsin_core::offset::{PartitionId, SourceId};
use tocsin_core::time::Timestamp;

use crate::channel::Sender;
use crate::journal::{Frame, FrameBody, RequestMark};
use crate::ledger::Ledger;
use crate::rules::{NewRules, ReadyRules, RuleSetId, RuleSets};
use crate::stage::decode::Decoders;
use crate::stage::detect::{Detect, Step};
use crate::stage::ingest::{Accepted, AcceptedBody};
use crate::tenants::Tenants;

/// What a recovery came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Frames read.
    pub frames: u64,
    /// Events in them.
    pub events: u64,
    /// Frames whose results were not stored yet.
    pub unsettled: u64,
    /// Frames of tenants nobody knows, left out.
    pub unknown: u64,
    /// Requests that may be repeated and that the store may not have yet.
    pub requests: Vec<(TenantId, RequestMark)>,
    /// Rule sets that are not there any more: frames met the rules before them instead.
    pub lost_rules: Vec<RuleSetId>,
    /// The newest time in the journal: the clock goes on from there.
    pub newest: Timestamp,
}

/// What recovery works with.
pub struct Recovery<'a> {
    /// The engine, in the state of the checkpoint.
    pub detect: &'a mut Detect,
    /// Makes readers of records.
    pub decoders: &'a Decoders,
    /// The rules that were active at the checkpoint.
    pub rules: Arc<ReadyRules>,
    /// Those that became active later.
    pub sets: &'a mut dyn RuleSets,
    /// Tenants' numbers.
    pub tenants: &'a Tenants,
    /// What became of records.
    pub ledger: &'a Ledger,
    /// X: results of frames before it are stored.
    pub committed: u64,
    /// Where the results of later frames go.
    pub next: &'a Sender<Step>,
}

impl Recovery<'_> {
    /// Reads these frames, which begin at the checkpoint.
    pub fn run(mut self, frames: impl Iterator<Item = Frame>) -> Recovered {
        let mut recovered = Recovered { newest: Timestamp::MIN, ..Recovered::default() };
        let mut decoder = (self.decoders)(&self.rules.plan);
        for frame in frames {
            recovered.frames += 1;
            let Some(accepted) = self.accepted(frame, &mut decoder, &mut recovered) else { continue };
            let step = self.detect.take(accepted);
            recovered.events += step.processed;
            recovered.newest = recovered.newest.max(step.at);
            if step.end > self.committed {
                recovered.unsettled += 1;
                recovered.requests.extend(step.requests.iter().map(|mark| (step.tenant, mark.clone())));
                if step.processed + step.quarantined > 0 {
                    self.ledger.accept(step.tenant, step.processed + step.quarantined);
                }
                let bytes = step.bytes();
                if self.next.send(step, bytes).is_err() {
                    break;
                }
            }
        }
        recovered
    }

    /// What the stages would have been given; nothing for frames of a tenant nobody knows.
    fn accepted(
        &mut self,
        frame: Frame,
        decoder: &mut Box<dyn Decoder>,
        recovered: &mut Recovered,
    ) -> Option<Accepted> {
        let body = match frame.body {
            FrameBody::Tick(now) => AcceptedBody::Tick(now),
            FrameBody::Rules { id, at, .. } => {
                if id != self.rules.id {
                    match self.sets.find(id) {
                        Some(rules) => {
                            *decoder = (self.decoders)(&rules.plan);
                            self.rules = rules;
                        }
                        None => recovered.lost_rules.push(id),
                    }
                }
                AcceptedBody::Rules(NewRules::unasked(Arc::clone(&self.rules)), at)
            }
            FrameBody::Events { tenant, source, mut raw, requests } => {
                recovered.newest = recovered.newest.max(raw.ingest.unwrap_or(Timestamp::MIN));
                let Some(known) = self.tenants.id(&tenant) else {
                    recovered.unknown += 1;
                    return None;
                };
                raw.tenant = known;
                raw.partition = PartitionId::default();
                raw.source = SourceId::of(&source);
                AcceptedBody::Events { batch: Box::new(decoder.decode(raw)), requests }
            }
        };
        Some(Accepted { start: frame.start, end: frame.end, body })
    }
}
