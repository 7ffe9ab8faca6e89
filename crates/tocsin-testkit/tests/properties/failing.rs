//! A rule that panics, as the stages of a server meet it: the event is quarantined, the rule is named,
//! and switched off after three, which an alert tells; over restarts, reloads and replays alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tocsin_core::batch::{EventBatch, RawBatch, RecordSpan};
use tocsin_core::checkpoint::Checkpoint;
use tocsin_core::decoder::Decoder;
use tocsin_core::engine::{Correlator, MatchStage};
use tocsin_core::limits::RULE_PANICS_MAX;
use tocsin_core::matcher::{Matcher, RuleIdx, RuleMatch};
use tocsin_core::offset::OffsetRange;
use tocsin_core::plan::Plan;
use tocsin_core::time::{Span, Timestamp};
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_pipeline::journal::{Frame, FrameBody};
use tocsin_pipeline::plan::{LoadOptions, RuleFile, load};
use tocsin_pipeline::records::Records;
use tocsin_pipeline::replay::{self, ReplayRules};
use tocsin_pipeline::rules::{ActiveRules, Disabled, NewRules, ReadyRule, ReadyRules, RuleSetId, RuleSets};
use tocsin_pipeline::stage::detect::{CheckpointPlan, Detect, Step};
use tocsin_pipeline::stage::ingest::{Accepted, AcceptedBody};

use crate::harness::{Kept, START_MS, World, canonical};
use crate::live::Live;

const BRITTLE: &str = "
title: Brittle
id: brittle
logsource: {category: authentication}
detection: {sel: {user.name: root}, condition: sel}
level: low
";

const SOUND: &str = "
---
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
";

/// A matcher of which one rule panics on records that say `poison`.
struct Poisoned {
    inner: Box<dyn Matcher>,
    rule: RuleIdx,
}

impl Matcher for Poisoned {
    fn matches(&mut self, batch: &EventBatch, out: &mut Vec<RuleMatch>) {
        let runs = self.inner.rules().contains(&self.rule);
        for event in batch.events.iter().filter(|_| runs) {
            let record = batch.raw.record(event.record);
            assert!(!record.windows(6).any(|six| six == b"poison"), "injected");
        }
        self.inner.matches(batch, out);
    }

    fn rules(&self) -> Vec<RuleIdx> {
        self.inner.rules()
    }

    fn only(&self, rule: RuleIdx) -> Option<Box<dyn Matcher>> {
        Some(Box::new(Poisoned { inner: self.inner.only(rule)?, rule: self.rule }))
    }

    fn without(&self, rules: &[RuleIdx]) -> Box<dyn Matcher> {
        Box::new(Poisoned { inner: self.inner.without(rules), rule: self.rule })
    }
}

/// Rules of which the one with id `brittle` panics.
fn rules(number: u8, text: &str) -> Arc<ReadyRules> {
    let file = RuleFile { path: PathBuf::from("rules.yml"), text: text.to_string() };
    let mut loaded = load(&[file], LoadOptions { gate: true, seed: 7, ..LoadOptions::default() });
    let Some(mut plan) = Arc::into_inner(loaded.plan) else { panic!("the plan is shared") };
    let brittle = plan.rules.iter().position(|rule| rule.meta.id == "brittle").unwrap();
    let inner = plan.matcher;
    plan.matcher = Box::new(move || Box::new(Poisoned { inner: inner(), rule: RuleIdx(brittle as u32) }));
    loaded.plan = Arc::new(plan);
    Arc::new(ReadyRules::new(RuleSetId([number; 16]), &loaded, "test"))
}

/// What comes: failed logins, a second apart.
#[derive(Clone, Copy, Debug)]
enum Comes {
    Fine,
    Poison,
    Rules(usize),
}

struct Sets(Vec<Arc<ReadyRules>>);

impl RuleSets for Sets {
    fn find(&mut self, id: RuleSetId) -> Option<Arc<ReadyRules>> {
        self.0.iter().find(|rules| rules.id == id).cloned()
    }
}

fn record(second: usize, user: &str) -> String {
    let time = Timestamp(START_MS * 1_000_000).plus(Span::seconds(second as i64));
    format!(
        r#"{{"timestamp":"{time}","type":"login","status":"failure","source_ip":"192.0.2.7","user":"root","note":"{user}"}}"#
    )
}

/// The journal of what comes: a frame of one record each, then time passes.
fn frames(sets: &[Arc<ReadyRules>], comes: &[Comes], kept: &mut Kept) -> Vec<Frame> {
    let start = Timestamp(START_MS * 1_000_000);
    let mut frames = Vec::new();
    let mut end = 0;
    for (second, what) in comes.iter().enumerate() {
        let at = start.plus(Span::seconds(second as i64 + 1));
        let from = end;
        let bytes = match what {
            Comes::Fine => record(second, "fine"),
            Comes::Poison => record(second, "poison"),
            Comes::Rules(set) => {
                end += 8;
                let body = FrameBody::Rules { id: sets[*set].id, at, by: String::new() };
                frames.push(Frame { start: from, end, body });
                continue;
            }
        };
        end += bytes.len() as u64;
        let raw = RawBatch {
            records: vec![RecordSpan { start: 0, len: bytes.len() as u32 }],
            offsets: OffsetRange { from, to: end },
            ingest: Some(at),
            bytes: bytes.into_bytes(),
            ..RawBatch::default()
        };
        kept.keep(raw.position(0), raw.record(0));
        let body = FrameBody::Events {
            tenant: "default".to_string(),
            source: "test".to_string(),
            raw,
            requests: Vec::new(),
        };
        frames.push(Frame { start: from, end, body });
    }
    for hours in [3, 6, 9] {
        let body = FrameBody::Tick(start.plus(Span::seconds(hours * 3_600)));
        frames.push(Frame { start: end, end: end + 8, body });
        end += 8;
    }
    frames
}

fn copied(body: &FrameBody) -> FrameBody {
    match body {
        FrameBody::Tick(now) => FrameBody::Tick(*now),
        FrameBody::Rules { id, at, by } => FrameBody::Rules { id: *id, at: *at, by: by.clone() },
        FrameBody::Events { tenant, source, raw, .. } => FrameBody::Events {
            tenant: tenant.clone(),
            source: source.clone(),
            raw: RawBatch { bytes: raw.bytes.clone(), records: raw.records.clone(), ..*raw },
            requests: Vec::new(),
        },
    }
}

fn decoder(plan: &Plan) -> RecordDecoder {
    let taxonomy = Taxonomy::new(Arc::clone(&plan.table));
    RecordDecoder::auto(FormatContext { taxonomy, as_of: Timestamp::MAX })
}

fn stage(active: &ActiveRules, checkpoint: Option<&Checkpoint>) -> Detect {
    let config = World::config(true);
    let mut correlator = Correlator::new(Arc::clone(&active.now().plan), config);
    let matchers = Box::new(move |plan: &Arc<Plan>| MatchStage::new(Arc::clone(plan), &config));
    if let Some(checkpoint) = checkpoint {
        correlator.restore(checkpoint).unwrap();
    }
    // A checkpoint after each step.
    let each = CheckpointPlan { bytes: 0, interval: Duration::ZERO };
    let mut detect = Detect::new(matchers, correlator, active.clone(), each, 0);
    if let Some(checkpoint) = checkpoint {
        detect.go_on_from(checkpoint.failures.counting());
    }
    detect
}

/// Runs frames; begins anew from a checkpoint after so many of them. The rules that are active then.
fn run(sets: &[Arc<ReadyRules>], frames: &[Frame], restart: usize) -> (Vec<Step>, Arc<ReadyRules>) {
    let mut active = ActiveRules::new(Arc::clone(&sets[0]));
    let mut detect = stage(&active, None);
    let mut steps = Vec::new();
    for (number, frame) in frames.iter().enumerate() {
        let body = match copied(&frame.body) {
            FrameBody::Tick(now) => AcceptedBody::Tick(now),
            FrameBody::Rules { id, at, .. } => {
                let rules = Sets(sets.to_vec()).find(id).unwrap();
                AcceptedBody::Rules(NewRules::unasked(rules), at)
            }
            FrameBody::Events { raw, .. } => {
                let batch = Box::new(decoder(&active.now().plan).decode(raw));
                AcceptedBody::Events { batch, requests: Vec::new() }
            }
        };
        steps.push(detect.take(Accepted { start: frame.start, end: frame.end, body }));
        if number + 1 == restart {
            let bytes = detect.checkpoint(frame.end).bytes;
            active = ActiveRules::new(active.now());
            detect = stage(&active, Some(&Checkpoint::from_bytes(&bytes).unwrap()));
        }
    }
    (steps, active.now())
}

fn stored(sets: &[Arc<ReadyRules>], steps: &[Step], kept: &mut Kept) -> Vec<String> {
    let live = Live::of_steps(&sets[0].plan, steps, kept);
    live.check_changes();
    let mut alerts = live.final_alerts();
    alerts.sort();
    alerts
}

fn replayed(sets: &[Arc<ReadyRules>], frames: &[Frame], kept: &mut Kept) -> Vec<String> {
    let frames = frames.iter().map(|f| Frame { start: f.start, end: f.end, body: copied(&f.body) });
    let mut recorded = Sets(sets.to_vec());
    let rules = ReplayRules::Recorded(None, &mut recorded);
    let mut alerts = Vec::new();
    replay::run(&sets[0].plan, rules, World::config(true), frames, kept, &mut |alert| {
        alerts.push(canonical(serde_json::to_value(alert).unwrap()));
    });
    alerts.sort();
    alerts
}

/// How many events were quarantined.
fn quarantined(steps: &[Step]) -> u64 {
    steps.iter().map(|step| step.quarantined).sum()
}

/// Alerts of the rule of this id.
fn of<'a>(alerts: &'a [String], rule: &str) -> Vec<&'a String> {
    let id = format!("\"id\":\"{rule}\"");
    alerts.iter().filter(|alert| alert.contains(&id) && !alert.contains("\"detections\":[]")).collect()
}

/// More poison than it takes, among events that are fine.
const COMES: [Comes; 9] = [
    Comes::Fine,
    Comes::Poison,
    Comes::Poison,
    Comes::Fine,
    Comes::Poison,
    Comes::Poison,
    Comes::Fine,
    Comes::Poison,
    Comes::Fine,
];

#[test]
fn the_rule_is_switched_off_after_three_events_and_an_alert_says_so() {
    let sets = [rules(1, &[BRITTLE, SOUND].concat())];
    let mut kept = Kept::default();
    let frames = frames(&sets, &COMES, &mut kept);
    let (steps, active) = run(&sets, &frames, usize::MAX);
    assert_eq!(quarantined(&steps), u64::from(RULE_PANICS_MAX));
    assert_eq!(steps.iter().map(|step| step.processed).sum::<u64>(), 6);
    let brittle = active.of_files().position(|meta| meta.id == "brittle").unwrap();
    let off: Vec<Option<Disabled>> = active.rules.iter().map(ReadyRule::disabled).collect();
    assert_eq!(off.iter().flatten().count(), 1);
    assert_eq!(off[brittle], Some(Disabled::Failed(3)));
    let alerts = stored(&sets, &steps, &mut kept);
    let told = of(&alerts, "tocsin.rule_disabled");
    assert_eq!(told.len(), 1, "{alerts:#?}");
    assert!(told[0].contains("Rule brittle went on failing"), "{}", told[0]);
    // The event it was switched off for is its evidence.
    assert!(told[0].contains("poison"), "{}", told[0]);
    assert_eq!(of(&alerts, "five").len(), 1, "the others go on: {alerts:#?}");
}

#[test]
fn no_restart_shows_and_a_replay_gives_the_same() {
    let sets = [rules(1, &[BRITTLE, SOUND].concat())];
    let mut kept = Kept::default();
    let frames = frames(&sets, &COMES, &mut kept);
    let expect = replayed(&sets, &frames, &mut kept);
    for restart in 1..=frames.len() {
        let (steps, active) = run(&sets, &frames, restart);
        assert_eq!(quarantined(&steps), u64::from(RULE_PANICS_MAX), "after frame {restart}");
        assert_eq!(stored(&sets, &steps, &mut kept), expect, "after frame {restart}");
        assert_eq!(active.rules.iter().filter(|rule| rule.disabled().is_some()).count(), 1);
    }
}

#[test]
fn it_stays_off_among_other_rules_until_its_logic_is_edited() {
    let more = "
---
title: Another
id: another
logsource: {category: authentication}
detection: {sel: {user.name: nobody}, condition: sel}
";
    let edited = BRITTLE.replace("user.name: root", "user.name: [root, toor]");
    let sets = [
        rules(1, &[BRITTLE, SOUND].concat()),
        rules(2, &[&more[4..], SOUND, "---", BRITTLE].concat()),
        rules(3, &[&edited, SOUND].concat()),
    ];
    let mut kept = Kept::default();
    let three = [Comes::Poison; RULE_PANICS_MAX as usize];
    let comes = [&three[..], &[Comes::Rules(1), Comes::Poison, Comes::Rules(2), Comes::Poison]].concat();
    let frames = frames(&sets, &comes, &mut kept);
    let expect = replayed(&sets, &frames, &mut kept);
    for restart in 1..=frames.len() {
        let (steps, active) = run(&sets, &frames, restart);
        let each: Vec<u64> = steps.iter().take(comes.len()).map(|step| step.quarantined).collect();
        assert_eq!(each, [1, 1, 1, 0, 0, 0, 1], "after frame {restart}");
        assert_eq!(stored(&sets, &steps, &mut kept), expect, "after frame {restart}");
        assert!(active.rules.iter().all(|rule| rule.disabled().is_none()), "the edited rule runs again");
    }
}
