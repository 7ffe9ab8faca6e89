//! The matcher, its memories warm, against what `explain` says of each rule and event.

use std::path::PathBuf;
use std::sync::Arc;

use proptest::prelude::*;
use tocsin_core::batch::{Event, EventBatch, Notes, RawBatch, RecordSpan};
use tocsin_core::guard::Guarded;
use tocsin_core::time::Timestamp;
use tocsin_core::value::{Kind, Slot};

use super::*;
use crate::ast::Body;
use crate::compile::{Options, compile};
use crate::explain::{EventValues, explain};
use crate::ruleset::RuleSet;
use crate::whole_event::text;

/// One rule of every kind of test there is, in conditions of every kind.
const DETECTIONS: [&str; 12] = [
    "{s: {a|contains: [kab, 'b-k']}, condition: s}",
    "{s: {a|startswith: ka, b|endswith: 'KB'}, condition: s}",
    "{s: {a|contains|windash: ' -b '}, f: {b: kb}, condition: s and not f}",
    "{s: {a|re: '(?i)k.*ab$'}, condition: s}",
    "{s: {a|re|m: '^ab'}, t: {b|re: '[^k]{3}'}, condition: s or t}",
    "{s: {a: 'k*a?b*'}, condition: s}",
    "{s: {a|contains|cased: Kab}, condition: s}",
    "{s: {n|gt: 3}, t: {n: 7}, condition: s and not t}",
    "{s: {n|cidr: 10.0.0.0/8}, condition: s}",
    "{s: {a|contains: ab}, r: {a|fieldref: b}, condition: s and r}",
    "{words: [kab, 'x\\y'], s: {b|contains: k}, condition: words and s}",
    "{words: ['a-k'], gone: {b: null}, condition: words or gone}",
];

fn rules() -> RuleSet {
    let rule = |(number, detection): (usize, &&str)| {
        format!("title: R{number}\nid: rule-{number}\nlogsource: {{product: any}}\ndetection: {detection}\n")
    };
    let text = DETECTIONS.iter().enumerate().map(rule).collect::<Vec<_>>().join("---\n");
    let (documents, diagnostics) = crate::parse(Arc::new(PathBuf::from("rules.yml")), &text);
    assert_eq!(documents.len(), DETECTIONS.len(), "{diagnostics:?}");
    let (rules, diagnostics) = compile(documents, Options { gate: false });
    assert_eq!(rules.rules.len(), DETECTIONS.len(), "{diagnostics:?}");
    rules
}

/// An event of text fields, each with its values.
type Fields = Vec<(&'static str, Vec<String>)>;

/// A batch of JSON records, read as a decoder would.
fn batch(rules: &RuleSet, events: &[Fields]) -> EventBatch {
    let mut batch = EventBatch::new(RawBatch::default(), Arc::default());
    for fields in events {
        let (record, slots) = (batch.raw.bytes.len(), batch.slots.len());
        batch.raw.bytes.extend_from_slice(b"{");
        for (name, values) in fields {
            batch.raw.bytes.extend_from_slice(format!("\"{name}\":[").as_bytes());
            for value in values {
                let json = serde_json::to_string(value).expect("text is JSON");
                let start = batch.raw.bytes.len() as u32 + 1;
                let len = json.len() as u32 - 2;
                let kind = if json.contains('\\') { Kind::Escaped } else { Kind::Text };
                batch.raw.bytes.extend_from_slice(json.as_bytes());
                batch.raw.bytes.push(b',');
                batch.slots.extend(rules.table.get(name).map(|field| Slot { field, kind, start, len }));
            }
            batch.raw.bytes.extend_from_slice(b"],");
        }
        batch.raw.bytes.extend_from_slice(b"}");
        let len = (batch.raw.bytes.len() - record) as u32;
        batch.events.push(Event {
            time: Timestamp::MIN,
            record: batch.raw.records.len() as u32,
            slots_start: slots as u32,
            slots_len: (batch.slots.len() - slots) as u32,
            weight: 1,
            notes: Notes::default(),
        });
        batch.raw.records.push(RecordSpan { start: record as u32, len });
    }
    batch
}

/// The rules an event matches, as `explain` sees it.
fn expected(rules: &RuleSet, batch: &EventBatch, event: &Event) -> Vec<RuleIdx> {
    let values = |name: &str| {
        let field = rules.table.get(name);
        let slots = batch.slots(event).iter().filter(|slot| Some(slot.field) == field);
        slots.map(|slot| batch.value(slot)).collect()
    };
    let record = std::str::from_utf8(batch.raw.record(event.record)).expect("JSON is UTF-8");
    assert!(text(record).starts_with('{'));
    let seen = EventValues { values: &values, record };
    let holds = |index: &usize| match &rules.rules[*index].document.body {
        Body::Detection(detection) => explain(detection, &seen).children[1].holds,
        _ => false,
    };
    (0..rules.rules.len()).filter(holds).map(|index| RuleIdx(index as u32)).collect()
}

fn value() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        "[kKab -]{0,6}",
        "[kab\u{212a}\u{17f}é/-]{0,6}",
        Just("0123456789 0123456789 0123456789 0123456789 0123456789 ".to_string()),
        Just(r"x\y".to_string()),
    ];
    prop_oneof![
        4 => line.clone(),
        2 => prop::collection::vec(line, 2..14).prop_map(|lines| lines.join("\r\n")),
        1 => prop::sample::select(&["7", "8", "-1", "10.1.2.3", "11.0.0.1"][..]).prop_map(str::to_string),
    ]
}

fn fields() -> impl Strategy<Value = Fields> {
    let values = || prop::collection::vec(value(), 0..3);
    (values(), values(), values()).prop_map(|(a, b, n)| vec![("a", a), ("b", b), ("n", n)])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_warm_matcher_says_what_explain_says(
        batches in prop::collection::vec(prop::collection::vec(fields(), 1..12), 1..5),
        forget in 0..5_usize,
    ) {
        let rules = rules();
        let mut matcher = SigmaMatcher::new(Arc::clone(&rules.compiled), 7);
        // Twice, so that everything is known the second time.
        for (number, events) in batches.iter().chain(&batches).enumerate() {
            let batch = batch(&rules, events);
            let mut found = Vec::new();
            matcher.matches(&batch, &mut found);
            for (index, event) in batch.events.iter().enumerate() {
                let of_event = found.iter().filter(|found| found.event as usize == index);
                let mine: Vec<RuleIdx> = of_event.map(|found| found.rule).collect();
                let record = String::from_utf8_lossy(batch.raw.record(event.record));
                prop_assert_eq!(mine, expected(&rules, &batch, event), "{}", record);
            }
            if number == forget {
                matcher.forget();
            }
        }
        prop_assert_eq!(matcher.stats().forgets, u64::from(forget < 2 * batches.len()));
    }
}

#[test]
fn lines_seen_before_are_not_judged_again() {
    let rules = rules();
    let mut matcher = SigmaMatcher::new(Arc::clone(&rules.compiled), 7);
    let shared: Vec<String> =
        (0..8).map(|n| format!("line {n} that is long enough to stand alone in a value")).collect();
    let value = |number: usize| vec![format!("{}\nnumber {number}", shared.join("\n"))];
    let events: Vec<Fields> = (0..10).map(|number| vec![("a", value(number))]).collect();
    matcher.matches(&batch(&rules, &events), &mut Vec::new());
    let field = rules.table.get("a").expect("rules test it");
    let stats = matcher.stats().fields[field.index()];
    assert_eq!((stats.hits, stats.misses), (0, 0));
    assert_eq!((stats.line_hits, stats.line_misses), (9 * 8, 8 + 10));
}

/// Rules of which the second fails on values with `poison` in them.
fn brittle() -> RuleSet {
    let tests = ["a|contains: ab", "a|re: 'poison|ab'", "b|contains: ab"];
    let rule = |(number, test): (usize, &&str)| {
        format!(
            "title: R{number}\nid: r{number}\nlogsource: {{product: any}}\ndetection: {{s: {{{test}}}, condition: s}}\n"
        )
    };
    let text = tests.iter().enumerate().map(rule).collect::<Vec<_>>().join("---\n");
    let (documents, _) = crate::parse(Arc::new(PathBuf::from("rules.yml")), &text);
    compile(documents, Options { gate: false }).0
}

#[test]
fn a_rule_that_fails_is_named_and_then_switched_off_while_the_others_go_on() {
    let rules = brittle();
    let event = |text: &str| vec![("a", vec![text.to_string()]), ("b", vec!["ab".to_string()])];
    let mut guard = Guarded::new(Box::new(SigmaMatcher::new(Arc::clone(&rules.compiled), 7)));
    let mut run = |texts: &[&str]| {
        let mut batch = batch(&rules, &texts.iter().map(|text| event(text)).collect::<Vec<_>>());
        let mut found = Vec::new();
        guard.matches(&mut batch, &mut found);
        let of = |found: &RuleMatch| (batch.events[found.event as usize].record, found.rule.0);
        let found: Vec<(u32, u32)> = found.iter().map(of).collect();
        let quarantined: Vec<u32> = batch.quarantined.iter().map(|quarantined| quarantined.record).collect();
        (found, quarantined, guard.panics().to_vec())
    };
    let all = vec![(0, 0), (0, 1), (0, 2), (2, 0), (2, 1), (2, 2)];
    for times in 1..=2 {
        let outcome = run(&["ab", "ab poison", "abab"]);
        assert_eq!(outcome, (all.clone(), vec![1], vec![(RuleIdx(1), times)]));
    }
    let (found, quarantined, panics) = run(&["ab", "ab poison", "abab"]);
    assert_eq!(found, [(0, 0), (0, 1), (0, 2), (2, 0), (2, 2)]);
    assert_eq!((quarantined, panics), (vec![1], vec![(RuleIdx(1), 3)]));
    let (found, quarantined, _) = run(&["ab", "ab poison", "abab"]);
    assert_eq!(found, [(0, 0), (0, 2), (1, 0), (1, 2), (2, 0), (2, 2)]);
    assert_eq!(quarantined, [0_u32; 0]);
    assert_eq!(guard.stats().rules[1].panics, 3);
}

#[test]
fn a_matcher_of_one_rule_makes_no_test_of_another() {
    let rules = brittle();
    let matcher = SigmaMatcher::new(Arc::clone(&rules.compiled), 7);
    assert_eq!(matcher.rules(), [RuleIdx(0), RuleIdx(1), RuleIdx(2)]);
    assert!(matcher.only(RuleIdx(3)).is_none());
    let batch = batch(&rules, &[vec![("a", vec!["ab poison".to_string()])]]);
    let mut found = Vec::new();
    matcher.only(RuleIdx(0)).expect("it runs").matches(&batch, &mut found);
    matcher.without(&[RuleIdx(1)]).matches(&batch, &mut found);
    assert_eq!(found, [RuleMatch { event: 0, rule: RuleIdx(0) }; 2]);
}
