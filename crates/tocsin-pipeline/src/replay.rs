//! A replay: frames of a journal through the engine, once, to the end. Alerts come out as a scan
//! gives them: final, each once, in order. Each frame meets the rules it met then, or the same ones
//! throughout.

use std::collections::BTreeMap;
use std::sync::Arc;

use tocsin_alert::Alert;
use tocsin_core::batch::TenantId;
use tocsin_core::decoder::Decoder;
use tocsin_core::detection::Detection;
use tocsin_core::detector::Emission;
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage};
use tocsin_core::offset::{PartitionId, SourceId};
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;

use crate::finalise::Finaliser;
use crate::journal::{Frame, FrameBody};
use crate::records::Records;
use crate::rules::{RuleSetId, RuleSets};

/// What a replay comes to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReplaySummary {
    /// Frames read.
    pub frames: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of their records.
    pub bytes: u64,
    /// Records that could not be read.
    pub quarantined: u64,
    /// Events too late for any window.
    pub late: u64,
    /// Times that rules became active which are not there any more: the rules before them went on.
    pub lost_rules: u64,
}

/// Whose rules a replay runs.
pub enum ReplayRules<'a> {
    /// The same from begin to end.
    Fixed,
    /// Those that were active, the first of which have this id.
    Recorded(Option<RuleSetId>, &'a mut dyn RuleSets),
}

struct Replay<'a> {
    plan: Arc<Plan>,
    rules: ReplayRules<'a>,
    config: EngineConfig,
    decoder: RecordDecoder,
    matching: MatchStage,
    correlator: Correlator,
    tenants: BTreeMap<String, TenantId>,
    finalisers: Vec<Finaliser>,
    records: &'a mut dyn Records,
    on_alert: &'a mut dyn FnMut(Alert),
    summary: ReplaySummary,
}

/// Replays frames. Idleness that was noticed live is in them; no other is noticed here. `plan` are
/// the rules where nothing says which were active.
pub fn run<'a>(
    plan: &Arc<Plan>,
    mut rules: ReplayRules<'a>,
    config: EngineConfig,
    frames: impl Iterator<Item = Frame>,
    records: &'a mut dyn Records,
    on_alert: &'a mut dyn FnMut(Alert),
) -> ReplaySummary {
    let config = EngineConfig { emission: Emission::Closed, ..config };
    let mut summary = ReplaySummary::default();
    let mut first = None;
    if let ReplayRules::Recorded(Some(id), sets) = &mut rules {
        first = sets.find(*id).map(|rules| Arc::clone(&rules.plan));
        summary.lost_rules += u64::from(first.is_none());
    }
    let plan = first.as_ref().unwrap_or(plan);
    let mut replay = Replay {
        plan: Arc::clone(plan),
        rules,
        config,
        decoder: decoder(plan, &config),
        matching: MatchStage::new(Arc::clone(plan), &config),
        correlator: Correlator::new(Arc::clone(plan), config),
        tenants: BTreeMap::new(),
        finalisers: Vec::new(),
        records,
        on_alert,
        summary,
    };
    frames.for_each(|frame| replay.take(frame));
    replay.finish()
}

impl Replay<'_> {
    fn take(&mut self, frame: Frame) {
        self.summary.frames += 1;
        match frame.body {
            FrameBody::Tick(now) => {
                let detections = self.correlator.pass(now).detections;
                self.hand_out(detections);
            }
            FrameBody::Rules { id, .. } => self.change_rules(id),
            FrameBody::Events { tenant, source, mut raw, .. } => {
                raw.tenant = self.tenant(tenant);
                raw.source = SourceId::of(&source);
                self.summary.bytes += raw.bytes.len() as u64;
                let mut matched = self.matching.step(self.decoder.decode(raw));
                self.summary.events += matched.events;
                self.summary.quarantined += matched.quarantined.len() as u64;
                let output = self.correlator.step(&mut matched);
                self.summary.late += output.late_dropped;
                self.hand_out(output.detections);
            }
        }
    }

    fn change_rules(&mut self, id: RuleSetId) {
        let ReplayRules::Recorded(_, sets) = &mut self.rules else { return };
        let Some(rules) = sets.find(id) else {
            self.summary.lost_rules += 1;
            return;
        };
        if Arc::ptr_eq(&rules.plan, &self.plan) {
            return;
        }
        let detections = self.correlator.activate(Arc::clone(&rules.plan)).detections;
        self.hand_out(detections);
        self.plan = Arc::clone(&rules.plan);
        self.decoder = decoder(&self.plan, &self.config);
        let failures = self.matching.failures();
        self.matching = MatchStage::new(Arc::clone(&self.plan), &self.config);
        self.matching.go_on_from(&failures);
        for finaliser in &mut self.finalisers {
            finaliser.change_rules(&self.plan);
        }
    }

    fn tenant(&mut self, name: String) -> TenantId {
        if let Some(id) = self.tenants.get(&name) {
            return *id;
        }
        let id = TenantId(self.finalisers.len() as u32);
        self.finalisers.push(Finaliser::new(Arc::clone(&self.plan), &name, self.config.latest));
        self.tenants.insert(name, id);
        id
    }

    fn hand_out(&mut self, detections: Vec<Detection>) {
        let mut by_tenant: BTreeMap<TenantId, Vec<Detection>> = BTreeMap::new();
        for detection in detections {
            by_tenant.entry(detection.tenant).or_default().push(detection);
        }
        for (tenant, detections) in by_tenant {
            if let Some(finaliser) = self.finalisers.get_mut(tenant.0 as usize) {
                finaliser.take(detections);
                let watermark = self.correlator.watermark(tenant);
                finaliser.release(watermark, self.records, self.on_alert);
            }
        }
    }

    fn finish(mut self) -> ReplaySummary {
        for index in 0..self.finalisers.len() {
            let output = self.correlator.leave(TenantId(index as u32), PartitionId::default());
            self.hand_out(output.detections);
        }
        for finaliser in &mut self.finalisers {
            finaliser.release(Timestamp::MAX, self.records, self.on_alert);
        }
        self.summary
    }
}

fn decoder(plan: &Plan, config: &EngineConfig) -> RecordDecoder {
    let taxonomy = Taxonomy::new(Arc::clone(&plan.table));
    RecordDecoder::auto(FormatContext { taxonomy, as_of: config.latest })
}
