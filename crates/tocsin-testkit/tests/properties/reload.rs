//! Rules that change between any two batches: what is stored live is what a replay of the same frames
//! gives, over a restore between any two of them too; and rules that are the same in every set never
//! notice.

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tocsin_core::batch::{RawBatch, TenantId};
use tocsin_core::checkpoint::Checkpoint;
use tocsin_core::decoder::Decoder;
use tocsin_core::detector::Emission;
use tocsin_core::engine::{Correlator, EngineConfig, MatchStage};
use tocsin_core::plan::Plan;
use tocsin_core::time::{Span, Timestamp};
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_pipeline::journal::{Frame, FrameBody};
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};
use tocsin_pipeline::replay::{self, ReplayRules};
use tocsin_pipeline::rules::{ReadyRules, RuleSetId, RuleSets};
use tocsin_pipeline::stage::detect::Step;
use tocsin_sigma::ast::{Diagnostic, Severity};

use crate::harness::{Kept, START_MS, Told, World, batches, canonical};
use crate::live::Live;

const BASE: &str = "
title: Failure
name: failure
logsource: {category: authentication}
detection: {sel: {event.outcome: failure}, condition: sel}
level: informational
---
title: Five failures
name: five
correlation: {type: event_count, rules: [failure], group-by: [source.ip], timespan: 1m, condition: {gte: 5}}
level: high
tocsin: {episode: 3m}
";

/// Rules that come, go and change, in some order: what stands in each set beside the base.
/// In the last one five failures raise no alert.
const OTHERS: [&[&str]; 6] =
    [&[ROOT, ROW], &[ROW_EDITED], &[TWICE, ROOT], &[TWICE_EDITED, ROW], &[SUCCESS], &[ALONE]];

const ROOT: &str = "
title: Root is mentioned
logsource: {category: authentication}
detection: {sel: {user.name: root}, condition: sel}
level: low
";

const ROW: &str = "
title: Many of a user
name: row
correlation: {type: event_count, rules: [failure], group-by: [user.name], timespan: 30s, condition: {gte: 3}}
level: high
";

const ROW_EDITED: &str = "
title: Many of a user
name: row
correlation: {type: event_count, rules: [failure], group-by: [user.name], timespan: 40s, condition: {gte: 4}}
level: high
";

/// Counts how often five failures begin.
const TWICE: &str = "
title: Again and again
name: twice
correlation: {type: event_count, rules: [five], group-by: [source.ip], timespan: 8m, condition: {gte: 2}, generate: true}
level: critical
";

const TWICE_EDITED: &str = "
title: Again and again
name: twice
correlation: {type: event_count, rules: [five], group-by: [source.ip], timespan: 9m, condition: {gte: 2}, generate: true}
level: critical
";

const ALONE: &str = "
title: Again and again
name: twice
correlation: {type: event_count, rules: [five], group-by: [source.ip], timespan: 8m, condition: {gte: 2}}
level: critical
";

const SUCCESS: &str = "
title: Success
logsource: {category: authentication}
detection: {sel: {event.outcome: success}, condition: sel}
level: low
";

fn set(number: usize) -> Arc<ReadyRules> {
    // Its words change in one of them.
    let base =
        BASE.replace("Five failures", if number == 4 { "Very many failures" } else { "Five failures" });
    let mut texts = vec![base.as_str()];
    texts.extend(OTHERS[number]);
    // The base stands elsewhere in every other set.
    if number % 2 == 1 {
        texts.reverse();
    }
    let file = RuleFile { path: PathBuf::from("rules.yml"), text: texts.join("---") };
    let loaded = load(&[file], LoadOptions { gate: true, seed: 7, ..LoadOptions::default() });
    let is_error = |found: &&Diagnostic| found.severity == Severity::Error;
    assert!(!loaded.diagnostics.iter().any(|found| is_error(&found)), "{:?}", loaded.diagnostics);
    Arc::new(ReadyRules::new(RuleSetId([number as u8; 16]), &loaded, "test"))
}

struct Sets(Vec<Arc<ReadyRules>>);

impl RuleSets for Sets {
    fn find(&mut self, id: RuleSetId) -> Option<Arc<ReadyRules>> {
        self.0.iter().find(|rules| rules.id == id).cloned()
    }
}

/// What the journal holds.
#[derive(Clone, Copy, Debug)]
enum Held<'a> {
    Events(&'a RawBatch),
    Rules(usize),
    Tick(Timestamp),
}

fn copied(raw: &RawBatch) -> RawBatch {
    RawBatch { bytes: raw.bytes.clone(), records: raw.records.clone(), ..*raw }
}

/// Frames of these batches; `changes` are the sets that become active, and before which batch.
fn frames<'a>(batches: &'a [RawBatch], changes: &[(usize, usize)]) -> Vec<Held<'a>> {
    let mut frames = vec![Held::Rules(0)];
    for (index, raw) in batches.iter().enumerate() {
        let due = changes.iter().filter(|(at, _)| at % batches.len() == index);
        frames.extend(due.map(|(_, set)| Held::Rules(*set)));
        frames.push(Held::Events(raw));
    }
    let hours = |hours: i64| Timestamp(START_MS * 1_000_000).plus(Span::seconds(hours * 3_600));
    frames.extend([3, 6, 9].map(|number| Held::Tick(hours(number))));
    frames
}

fn replayed(sets: &[Arc<ReadyRules>], frames: &[Held<'_>], kept: &mut Kept) -> Vec<String> {
    let frame = |(index, held): (usize, &Held<'_>)| {
        let body = match held {
            Held::Events(raw) => FrameBody::Events {
                tenant: "default".to_string(),
                source: "test".to_string(),
                raw: copied(raw),
                requests: Vec::new(),
            },
            Held::Rules(set) => FrameBody::Rules { id: sets[*set].id, at: Timestamp(0), by: String::new() },
            Held::Tick(now) => FrameBody::Tick(*now),
        };
        Frame { start: index as u64, end: index as u64 + 1, body }
    };
    let frames = frames.iter().enumerate().map(frame);
    let mut alerts = Vec::new();
    let mut recorded = Sets(sets.to_vec());
    let rules = ReplayRules::Recorded(None, &mut recorded);
    replay::run(&sets[0].plan, rules, World::config(true), frames, kept, &mut |alert| {
        alerts.push(canonical(serde_json::to_value(alert).unwrap()));
    });
    alerts.sort();
    alerts
}

/// One engine, as the detect stage drives it.
struct Engine {
    rules: Arc<ReadyRules>,
    config: EngineConfig,
    decoder: RecordDecoder,
    matching: MatchStage,
    correlator: Correlator,
}

impl Engine {
    fn new(rules: &Arc<ReadyRules>) -> Engine {
        let config = EngineConfig { emission: Emission::Live, ..World::config(true) };
        Engine {
            rules: Arc::clone(rules),
            config,
            decoder: decoder(&rules.plan),
            matching: MatchStage::new(Arc::clone(&rules.plan), &config),
            correlator: Correlator::new(Arc::clone(&rules.plan), config),
        }
    }

    /// An engine that was restored from what this one keeps.
    fn restored(self) -> Engine {
        let bytes = self.correlator.checkpoint().to_bytes();
        let mut engine = Engine::new(&self.rules);
        engine.correlator.restore(&Checkpoint::from_bytes(&bytes).unwrap()).unwrap();
        engine
    }

    fn take(&mut self, sets: &[Arc<ReadyRules>], number: usize, held: &Held<'_>) -> Step {
        let rules = Arc::clone(&self.rules);
        let detections = match held {
            Held::Tick(now) => self.correlator.pass(*now).detections,
            Held::Events(raw) => {
                let mut matched = self.matching.step(self.decoder.decode(copied(raw)));
                self.correlator.step(&mut matched).detections
            }
            Held::Rules(set) => {
                let found = self.correlator.activate(Arc::clone(&sets[*set].plan)).detections;
                self.rules = Arc::clone(&sets[*set]);
                self.decoder = decoder(&self.rules.plan);
                self.matching = MatchStage::new(Arc::clone(&self.rules.plan), &self.config);
                found
            }
        };
        let at = Timestamp(START_MS * 1_000_000).plus(Span::seconds(10_000 + number as i64 * 2));
        Step {
            end: number as u64 * 1_000 + 1_000,
            tenant: TenantId::default(),
            position: number as u64 * 1_000,
            at,
            raw: None,
            processed: 0,
            quarantined: 0,
            detections,
            requests: Vec::new(),
            rules,
            activated: None,
            checkpoint: None,
        }
    }
}

fn decoder(plan: &Plan) -> RecordDecoder {
    let taxonomy = Taxonomy::new(Arc::clone(&plan.table));
    RecordDecoder::auto(FormatContext { taxonomy, as_of: Timestamp::MAX })
}

/// The alerts that stand in the end of a live run; the engine is restored every so many frames.
fn stored(sets: &[Arc<ReadyRules>], frames: &[Held<'_>], kept: &mut Kept, restore: usize) -> Vec<String> {
    let mut engine = Engine::new(&sets[0]);
    let mut steps = Vec::new();
    for (number, held) in frames.iter().enumerate() {
        steps.push(engine.take(sets, number, held));
        if number % restore == restore - 1 {
            engine = engine.restored();
        }
    }
    let live = Live::of_steps(&sets[0].plan, &steps, kept);
    live.check_changes();
    let mut alerts = live.final_alerts();
    alerts.sort();
    alerts
}

fn prepared(told: &[Told], cut: usize, kept: &mut Kept) -> Vec<RawBatch> {
    let told: Vec<Told> = told.iter().map(|one| Told { partition: 0, ..one.clone() }).collect();
    let mut batches = batches(&told, cut, kept);
    for raw in &mut batches {
        raw.ingest = Some(Timestamp(START_MS * 1_000_000).plus(Span::seconds(3_600)));
        raw.backfill = true;
    }
    batches
}

/// The alerts of the rule that no set changes.
fn of_five(alerts: Vec<String>) -> Vec<String> {
    let is_of_five = |alert: &String| {
        let alert: serde_json::Value = serde_json::from_str(alert).unwrap();
        alert["rule"]["id"] == "five"
    };
    alerts.into_iter().filter(is_of_five).collect()
}

fn changes(sets: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((any::<usize>(), 0..sets), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_stored_live_is_what_a_replay_gives(
        told in crate::harness::events(), changes in changes(OTHERS.len()), cut in 1..12_usize, restore in 1..20_usize
    ) {
        let mut kept = Kept::default();
        let batches = prepared(&told, cut, &mut kept);
        let frames = frames(&batches, &changes);
        let sets: Vec<Arc<ReadyRules>> = (0..OTHERS.len()).map(set).collect();
        let expect = replayed(&sets, &frames, &mut kept);
        prop_assert_eq!(&stored(&sets, &frames, &mut kept, usize::MAX), &expect);
        prop_assert_eq!(&stored(&sets, &frames, &mut kept, restore), &expect, "restored every {} frames", restore);
    }

    #[test]
    fn a_rule_that_no_set_changes_never_notices(
        told in crate::harness::events(), changes in changes(5), cut in 1..12_usize
    ) {
        let mut kept = Kept::default();
        let batches = prepared(&told, cut, &mut kept);
        let sets: Vec<Arc<ReadyRules>> = (0..OTHERS.len()).map(set).collect();
        let expect = of_five(replayed(&sets, &frames(&batches, &[]), &mut kept));
        let got = of_five(stored(&sets, &frames(&batches, &changes), &mut kept, usize::MAX));
        prop_assert_eq!(ids(&got), ids(&expect));
    }
}

/// What does not depend on other rules' claims about the same event.
fn ids(alerts: &[String]) -> Vec<String> {
    let told = |alert: &String| {
        let alert: serde_json::Value = serde_json::from_str(alert).unwrap();
        format!("{} {} {}", alert["alert_id"], alert["count"], alert["last_seen"])
    };
    let mut told: Vec<String> = alerts.iter().map(told).collect();
    told.sort();
    told
}
