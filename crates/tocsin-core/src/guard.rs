//! A matcher that panics is a defect, and must not take the house with it: the event it fails on is
//! quarantined, the rule that fails is named, and switched off when it goes on failing.
//!
//! Nothing of this costs anything until something fails.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::{Deserialize, Serialize};

use crate::batch::{Event, EventBatch, Quarantined, Reason};
use crate::limits::RULE_PANICS_MAX;
use crate::matcher::{Matcher, MatcherStats, RuleIdx, RuleMatch};

/// A rule and how many events it failed on, under what names it in any rule set: a rule whose logic is
/// edited has failed on none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The rule's id.
    pub rule_id: String,
    /// The hash of its logic.
    pub logic_hash: String,
    /// Events it failed on.
    pub events: u32,
}

impl Failure {
    /// Whether the rule is switched off.
    #[must_use]
    pub fn is_off(&self) -> bool {
        self.events >= RULE_PANICS_MAX
    }
}

/// A rule failed on an event.
#[derive(Clone, Copy, Debug)]
pub struct Blamed {
    /// The rule.
    pub rule: RuleIdx,
    /// The event, which is in the batch no longer.
    pub event: Event,
    /// Whether the rule was switched off for it.
    pub is_off: bool,
}

/// A matcher whose panics are caught.
pub struct Guarded {
    matcher: Box<dyn Matcher>,
    /// How many events each rule failed on, in order of rule.
    panics: Vec<(RuleIdx, u32)>,
    /// What failed since this was asked last.
    blamed: Vec<Blamed>,
    /// What matchers before this one have counted.
    before: MatcherStats,
    /// Their memo hits.
    hits_before: u64,
}

impl Guarded {
    /// Guards a matcher.
    #[must_use]
    pub fn new(matcher: Box<dyn Matcher>) -> Guarded {
        Guarded {
            matcher,
            panics: Vec::new(),
            blamed: Vec::new(),
            before: MatcherStats::default(),
            hits_before: 0,
        }
    }

    /// Rules have failed on so many events before this matcher was made; those that failed too often are
    /// off.
    pub fn go_on_from(&mut self, mut panics: Vec<(RuleIdx, u32)>) {
        panics.sort_unstable();
        if panics != self.panics {
            self.panics = panics;
            self.renew();
        }
    }

    /// Appends every match of the batch, as [`Matcher::matches`]. Events on which that panics are
    /// taken out of the batch and put among its quarantined records.
    pub fn matches(&mut self, batch: &mut EventBatch, out: &mut Vec<RuleMatch>) {
        let start = out.len();
        if catch_unwind(AssertUnwindSafe(|| self.matcher.matches(batch, out))).is_err() {
            out.truncate(start);
            self.renew();
            self.one_by_one(batch, out);
        }
    }

    /// How many events each rule failed on.
    #[must_use]
    pub fn panics(&self) -> &[(RuleIdx, u32)] {
        &self.panics
    }

    /// The rules that failed since this was asked last, each with its event, in order of event.
    pub fn take_blamed(&mut self) -> Vec<Blamed> {
        std::mem::take(&mut self.blamed)
    }

    /// How often so far something seen before did not have to be judged again.
    #[must_use]
    pub fn memo_hits(&self) -> u64 {
        self.hits_before + self.matcher.memo_hits()
    }

    /// What was counted, and all panics.
    #[must_use]
    pub fn stats(&self) -> MatcherStats {
        let mut stats = self.matcher.stats();
        stats.add(&self.before);
        for (rule, panics) in &self.panics {
            if let Some(rule) = stats.rules.get_mut(rule.index()) {
                rule.panics = u64::from(*panics);
            }
        }
        stats
    }

    /// Matches each event alone.
    fn one_by_one(&mut self, batch: &mut EventBatch, out: &mut Vec<RuleMatch>) {
        let mut kept = Vec::with_capacity(batch.events.len());
        for event in std::mem::take(&mut batch.events) {
            batch.events.clear();
            batch.events.push(event);
            let start = out.len();
            if catch_unwind(AssertUnwindSafe(|| self.matcher.matches(batch, out))).is_ok() {
                out[start..].iter_mut().for_each(|found| found.event = kept.len() as u32);
                kept.push(event);
                continue;
            }
            out.truncate(start);
            self.blame(batch);
            self.renew();
            let quarantined =
                Quarantined { record: event.record, reason: Reason::Unreadable, at: 0, field: None };
            let place = batch.quarantined.partition_point(|other| other.record <= event.record);
            batch.quarantined.insert(place, quarantined);
        }
        batch.events = kept;
    }

    /// Finds the rules that fail on the only event of a batch, each by running it alone.
    fn blame(&mut self, batch: &EventBatch) {
        for rule in self.matcher.rules() {
            let fails = catch_unwind(AssertUnwindSafe(|| {
                if let Some(mut alone) = self.matcher.only(rule) {
                    alone.matches(batch, &mut Vec::new());
                }
            }))
            .is_err();
            if !fails {
                continue;
            }
            let at = match self.panics.binary_search_by_key(&rule, |(rule, _)| *rule) {
                Ok(at) => at,
                Err(at) => {
                    self.panics.insert(at, (rule, 0));
                    at
                }
            };
            self.panics[at].1 += 1;
            let is_off = self.panics[at].1 >= RULE_PANICS_MAX;
            self.blamed.extend(batch.events.first().map(|event| Blamed { rule, event: *event, is_off }));
        }
    }

    /// Takes a fresh matcher, for what the old one remembers may be half written; without the rules
    /// that have failed too often.
    fn renew(&mut self) {
        let off = self.panics.iter().filter(|(_, panics)| *panics >= RULE_PANICS_MAX);
        let off: Vec<RuleIdx> = off.map(|(rule, _)| *rule).collect();
        self.before.add(&self.matcher.stats());
        self.hits_before += self.matcher.memo_hits();
        self.matcher = self.matcher.without(&off);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::batch::{Event, Notes, RawBatch, RecordSpan};
    use crate::field::FieldTable;
    use crate::time::Timestamp;

    /// Rule n matches records that hold digit n, and fails on those that hold letter n too.
    struct Brittle {
        rules: Vec<u32>,
        seen: u64,
    }

    impl Matcher for Brittle {
        fn matches(&mut self, batch: &EventBatch, out: &mut Vec<RuleMatch>) {
            for (index, event) in batch.events.iter().enumerate() {
                let record = batch.raw.record(event.record);
                for rule in &self.rules {
                    assert!(!record.contains(&(b'a' + *rule as u8)), "injected");
                    if record.contains(&(b'0' + *rule as u8)) {
                        out.push(RuleMatch { event: index as u32, rule: RuleIdx(*rule) });
                    }
                }
                self.seen += 1;
            }
        }

        fn memo_hits(&self) -> u64 {
            self.seen
        }

        fn rules(&self) -> Vec<RuleIdx> {
            self.rules.iter().map(|rule| RuleIdx(*rule)).collect()
        }

        fn only(&self, rule: RuleIdx) -> Option<Box<dyn Matcher>> {
            Some(Box::new(Brittle { rules: vec![rule.0], seen: 0 }))
        }

        fn without(&self, rules: &[RuleIdx]) -> Box<dyn Matcher> {
            let kept = self.rules.iter().copied().filter(|rule| !rules.contains(&RuleIdx(*rule)));
            Box::new(Brittle { rules: kept.collect(), seen: 0 })
        }
    }

    fn batch(records: &[&str]) -> EventBatch {
        let mut batch = EventBatch::new(RawBatch::default(), Arc::new(FieldTable::new()));
        for (index, record) in records.iter().enumerate() {
            let start = batch.raw.bytes.len() as u32;
            batch.raw.bytes.extend_from_slice(record.as_bytes());
            batch.raw.records.push(RecordSpan { start, len: record.len() as u32 });
            batch.events.push(Event {
                time: Timestamp::MIN,
                record: index as u32,
                slots_start: 0,
                slots_len: 0,
                weight: 1,
                notes: Notes::default(),
            });
        }
        batch
    }

    /// The matches of a batch as (record, rule), and its quarantined records.
    fn run(guard: &mut Guarded, records: &[&str]) -> (Vec<(u32, u32)>, Vec<u32>) {
        let mut batch = batch(records);
        let mut out = Vec::new();
        guard.matches(&mut batch, &mut out);
        let found = out.iter().map(|found| (batch.events[found.event as usize].record, found.rule.0));
        assert!(batch.quarantined.iter().all(|quarantined| quarantined.reason == Reason::Unreadable));
        (found.collect(), batch.quarantined.iter().map(|quarantined| quarantined.record).collect())
    }

    fn guarded() -> Guarded {
        Guarded::new(Box::new(Brittle { rules: vec![0, 1, 2], seen: 0 }))
    }

    #[test]
    fn an_event_that_fails_is_quarantined_and_its_rule_is_named() {
        let mut guard = guarded();
        let (found, quarantined) = run(&mut guard, &["01", "1b", "2", "0"]);
        assert_eq!(found, [(0, 0), (0, 1), (2, 2), (3, 0)]);
        assert_eq!(quarantined, [1]);
        assert_eq!(guard.panics(), [(RuleIdx(1), 1)]);
    }

    #[test]
    fn a_rule_that_goes_on_failing_is_switched_off_and_the_others_go_on() {
        let mut guard = guarded();
        for _ in 0..RULE_PANICS_MAX {
            assert_eq!(run(&mut guard, &["12b"]), (vec![], vec![0]));
        }
        assert_eq!(run(&mut guard, &["12b", "02"]), (vec![(0, 2), (1, 0), (1, 2)], vec![]));
        assert_eq!(guard.panics(), [(RuleIdx(1), RULE_PANICS_MAX)]);
        let blamed = guard.take_blamed();
        let off: Vec<bool> = blamed.iter().map(|blamed| blamed.is_off).collect();
        assert_eq!(off, [false, false, true]);
        assert!(guard.take_blamed().is_empty());
    }

    #[test]
    fn what_failed_before_still_counts() {
        let mut guard = guarded();
        guard.go_on_from(vec![(RuleIdx(2), RULE_PANICS_MAX - 1), (RuleIdx(0), RULE_PANICS_MAX)]);
        assert_eq!(run(&mut guard, &["01a", "2"]), (vec![(0, 1), (1, 2)], vec![]));
        assert_eq!(run(&mut guard, &["1c"]), (vec![], vec![0]));
        assert_eq!(run(&mut guard, &["1c", "2"]), (vec![(0, 1)], vec![]));
    }

    #[test]
    fn all_rules_that_fail_on_an_event_are_named() {
        let mut guard = guarded();
        assert_eq!(run(&mut guard, &["ac", "1"]), (vec![(1, 1)], vec![0]));
        assert_eq!(guard.panics(), [(RuleIdx(0), 1), (RuleIdx(2), 1)]);
    }
}
