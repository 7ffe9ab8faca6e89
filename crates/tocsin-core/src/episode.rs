//! Episodes: the stretch of time that one alert covers, and what it has seen so far.

use serde::{Deserialize, Serialize};

use crate::batch::TenantId;
use crate::detection::{Clock, Detection, Evidence, Phase};
use crate::limits::EVIDENCE_IDS_MAX;
use crate::machine::Entry;
use crate::matcher::RuleIdx;
use crate::offset::Position;
use crate::time::{Span, Timestamp};

/// An alert in the making: [t0, end) of one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Episode {
    pub(crate) t0: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) completing: Position,
    pub(crate) first_seen: Timestamp,
    pub(crate) last_seen: Timestamp,
    pub(crate) count: u64,
    pub(crate) in_window: u64,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) late: bool,
    pub(crate) approximate: bool,
    pub(crate) clock: Clock,
    pub(crate) changed: bool,
}

/// What a provisional detection said, to notice when it no longer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claim {
    pub(crate) t0: Timestamp,
    pub(crate) completing: Position,
}

impl Episode {
    pub(crate) fn open(
        t0: Timestamp,
        length: Span,
        completing: Position,
        in_window: u64,
        entries: &[Entry],
    ) -> Episode {
        let mut episode = Episode {
            t0,
            end: t0.plus(length),
            completing,
            first_seen: t0,
            last_seen: t0,
            count: 0,
            in_window,
            evidence: Vec::new(),
            late: false,
            approximate: false,
            clock: Clock::Event,
            changed: true,
        };
        episode.extend(entries);
        episode
    }

    pub(crate) fn extend(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.count += u64::from(entry.weight);
            self.first_seen = self.first_seen.min(entry.time);
            self.last_seen = self.last_seen.max(entry.time);
            if self.evidence.len() < EVIDENCE_IDS_MAX {
                let (time, ingest, position) = (entry.time, entry.ingest(), entry.position);
                self.evidence.push(Evidence { time, ingest, position });
            }
            self.changed = true;
        }
    }

    pub(crate) fn detection(self, rule: RuleIdx, tenant: TenantId, key: &[u8], phase: Phase) -> Detection {
        Detection {
            tenant,
            rule,
            key: key.into(),
            phase,
            t0: self.t0,
            completing: self.completing,
            first_seen: self.first_seen,
            last_seen: self.last_seen,
            count: self.count,
            in_window: self.in_window,
            evidence: self.evidence,
            late: self.late,
            approximate: self.approximate,
            clock: self.clock,
        }
    }
}

impl Claim {
    pub(crate) fn detection(self, rule: RuleIdx, tenant: TenantId, key: &[u8], phase: Phase) -> Detection {
        Episode::open(self.t0, Span(0), self.completing, 0, &[]).detection(rule, tenant, key, phase)
    }
}
