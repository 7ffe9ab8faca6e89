//! What the engine has cost and found so far, and what it holds: measured every few seconds by the
//! thread that runs it, never event by event, and read by whoever asks.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use tocsin_core::batch::TenantId;
use tocsin_core::detector::Usage;
use tocsin_core::engine::{Correlator, MatchStage};
use tocsin_core::field::FieldId;
use tocsin_core::matcher::{FieldStats, MatcherStats, RuleIdx};
use tocsin_core::plan::Plan;
use tocsin_core::time::Timestamp;

use crate::rules::{ReadyRules, RuleSetId};
use crate::telemetry;

/// How often is measured while frames come. Looking at all state costs up to milliseconds.
const MEASURE_EVERY: Duration = Duration::from_secs(5);

/// What the engine has cost and found since the server started.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// When the last frame before the measurement was taken in.
    pub at: Option<Timestamp>,
    /// Events taken in.
    pub events: u64,
    /// Time spent matching them.
    pub matching: Duration,
    /// Time spent on state.
    pub correlating: Duration,
    /// How often values of each field were known already, by its name; fields that no value was
    /// looked at of are not among them.
    pub fields: BTreeMap<String, FieldStats>,
    /// Events whose combination of values was known.
    pub signature_hits: u64,
    /// Events whose rules had to be worked out.
    pub signature_misses: u64,
    /// How often the memory of values was full and everything was forgotten.
    pub forgets: u64,
    /// Matches that filters kept back, by rule and filter; not those that kept back none.
    pub suppressed: BTreeMap<(String, String), u64>,
    /// All state.
    pub usage: Usage,
    /// Bytes of state one tenant's rules may hold.
    pub state_bytes_max: u64,
    /// The rules that were active.
    rule_set: RuleSetId,
    /// State by tenant and rule of that set.
    by_rule: HashMap<(TenantId, RuleIdx), Usage>,
    /// Watermarks by tenant.
    watermarks: Vec<Timestamp>,
}

impl Measured {
    /// The watermark of a tenant of whom anything came.
    #[must_use]
    pub fn watermark(&self, tenant: TenantId) -> Option<Timestamp> {
        self.watermarks.get(tenant.0 as usize).copied().filter(|at| *at > Timestamp::MIN)
    }

    /// State of a tenant.
    #[must_use]
    pub fn of_tenant(&self, tenant: TenantId) -> Usage {
        let mine = self.by_rule.iter().filter(|((owner, _), _)| *owner == tenant);
        mine.map(|(_, usage)| *usage).fold(Usage::default(), Usage::and)
    }

    /// State of one of its rules, which is of this set; not known yet of a set that just became active.
    #[must_use]
    pub fn of_rule(&self, active: &ReadyRules, tenant: TenantId, rule: RuleIdx) -> Usage {
        let known = self.by_rule.get(&(tenant, rule)).filter(|_| active.id == self.rule_set);
        known.copied().unwrap_or_default()
    }

    /// How often something was known already, and how often not: values, pieces of long ones, and
    /// combinations.
    #[must_use]
    pub fn memo(&self) -> (u64, u64) {
        let fields = self.fields.values();
        fields.fold((self.signature_hits, self.signature_misses), |(hits, misses), field| {
            (hits + field.hits + field.line_hits, misses + field.misses + field.line_misses)
        })
    }

    /// Adds what a matcher of this plan has counted.
    fn add(&mut self, plan: &Plan, stats: &MatcherStats) {
        for (index, counted) in stats.fields.iter().enumerate().filter(|(_, field)| field.looked_at() > 0) {
            let name = plan.table.name(FieldId(index as u16)).to_string();
            let field = self.fields.entry(name).or_default();
            field.hits += counted.hits;
            field.misses += counted.misses;
            field.line_hits += counted.line_hits;
            field.line_misses += counted.line_misses;
        }
        for (rule, filter, kept) in plan.suppressed(stats).filter(|(_, _, kept)| *kept > 0) {
            *self.suppressed.entry((rule.to_string(), filter.to_string())).or_default() += kept;
        }
        self.signature_hits += stats.signature_hits;
        self.signature_misses += stats.signature_misses;
        self.forgets += stats.forgets;
    }
}

/// Where the last measurement is read. Cheap to clone; all clones say the same.
#[derive(Clone, Debug, Default)]
pub struct Measurements(Arc<RwLock<Arc<Measured>>>);

impl Measurements {
    /// The last one.
    #[must_use]
    pub fn last(&self) -> Arc<Measured> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, measured: Measured) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(measured);
    }
}

/// What was told of a rule to those who count.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    matches: u64,
    /// As the matcher counts.
    evaluated: u64,
}

/// Measures.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    last: Measurements,
    /// Events, times, and what matchers that are gone have counted.
    total: Measured,
    told: Vec<Told>,
    measured: Option<Instant>,
    is_stale: bool,
}

impl Meter {
    /// Where measurements are read.
    pub(crate) fn measurements(&self) -> Measurements {
        self.last.clone()
    }

    /// A frame was taken in.
    pub(crate) fn pass(&mut self, at: Timestamp) {
        self.is_stale = true;
        self.total.at = self.total.at.max(Some(at));
    }

    /// A batch was taken in: matched within one time, its state changed within another.
    pub(crate) fn took(&mut self, events: u64, matching: Duration, correlating: Duration) {
        self.total.events += events;
        self.total.matching += matching;
        self.total.correlating += correlating;
    }

    /// Whether frames came since the last measurement.
    pub(crate) fn is_stale(&self) -> bool {
        self.is_stale
    }

    /// Whether the last measurement is old.
    pub(crate) fn is_due(&self) -> bool {
        self.is_stale && self.measured.is_none_or(|measured| measured.elapsed() >= MEASURE_EVERY)
    }

    /// Measures.
    pub(crate) fn measure(&mut self, matching: &MatchStage, correlator: &Correlator, rules: &ReadyRules) {
        self.measured = Some(Instant::now());
        self.is_stale = false;
        let stats = matching.matcher_stats();
        self.tell_rules(&stats, rules);
        let mut now = self.total.clone();
        now.add(&rules.plan, &stats);
        now.rule_set = rules.id;
        now.usage = correlator.usage();
        now.state_bytes_max = correlator.state_bytes_max() as u64;
        correlator.each_usage(|tenant, rule, usage| {
            let known = now.by_rule.entry((tenant, rule)).or_default();
            *known = known.and(usage);
        });
        now.watermarks = correlator.watermarks_by_tenant();
        telemetry::state(now.usage);
        telemetry::memo(now.memo());
        self.last.tell(now);
    }

    /// The matcher that counted this is about to go, and so may be the rules.
    pub(crate) fn close(&mut self, matching: &MatchStage, rules: &ReadyRules) {
        let stats = matching.matcher_stats();
        self.tell_rules(&stats, rules);
        self.total.add(&rules.plan, &stats);
        self.is_stale = true;
    }

    /// A matcher of these rules begins to count.
    pub(crate) fn begin(&mut self, rules: &ReadyRules) {
        let told = |rule: &crate::rules::ReadyRule| Told { matches: rule.matches(), evaluated: 0 };
        self.told = rules.rules.iter().map(told).collect();
    }

    /// Counts what rules cost and found since it was told last.
    fn tell_rules(&mut self, stats: &MatcherStats, rules: &ReadyRules) {
        self.told.resize(rules.rules.len(), Told::default());
        let counted = stats.rules.iter().map(|rule| rule.evaluated).chain(std::iter::repeat(0));
        for (((rule, meta), told), evaluated) in
            rules.rules.iter().zip(rules.of_files()).zip(&mut self.told).zip(counted)
        {
            let (matches, more) = (rule.matches(), evaluated.saturating_sub(told.evaluated));
            telemetry::rule(&meta.id, matches.saturating_sub(told.matches), more);
            rule.count_evaluated(more);
            *told = Told { matches, evaluated };
        }
    }
}
