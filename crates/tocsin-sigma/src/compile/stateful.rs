//! Stateful rules: what they ask for, and who feeds them.

use hashbrown::HashSet;
use tocsin_core::correlation::{CorrelationSpec, ROLE_COUNTS, ROLE_FOLLOWS, ROLE_INTERRUPTS};
use tocsin_core::matcher::RuleIdx;

use super::{Compiler, Refused};
use crate::ast::{Alias, Body, Correlation, Document, Head, Place, Severity};
use crate::canonical;
use crate::correlations::Link;
use crate::limits::CHAIN_DEPTH_MAX;
use crate::parse::is_sequence;
use crate::ruleset::Feed;

/// What to do about a correlation that leads back to itself.
const RING: &str = "refer to the rules it counts, or to correlations that do not lead back here";

impl Compiler {
    pub(super) fn stateful(&mut self, document: Document) {
        let Body::Correlation(correlation) = &document.body else { return };
        if !self.admit(&document) {
            return;
        }
        let feeds = match self.feeds(&document.head, correlation) {
            Ok(feeds) => feeds,
            Err(refused) => return self.report(&document, Severity::Error, refused),
        };
        self.check_aliases(&document, correlation, &feeds);
        let spec = spec(correlation);
        let mut text = canonical::spec(&spec, &correlation.group_by);
        for feed in &feeds {
            let logic_hash = &self.rules[feed.rule.index()].meta.logic_hash;
            canonical::feed(feed, logic_hash, &mut text);
        }
        if !correlation.generate {
            for feed in &feeds {
                self.rules[feed.rule.index()].meta.alerts = false;
            }
        }
        let meta = self.meta(&document, &text, correlation.group_by.clone(), Some(correlation.timespan));
        self.enter(document, meta, Some((spec, feeds)), None, Vec::new());
    }

    fn feeds(&mut self, head: &Head, correlation: &Correlation) -> Result<Vec<Feed>, Refused> {
        let mut feeds: Vec<Feed> = Vec::new();
        let sequence = is_sequence(&correlation.kind);
        let groups = [
            (&correlation.rules, ROLE_COUNTS),
            (&correlation.interrupted_by, ROLE_INTERRUPTS),
            (&correlation.followed_by, ROLE_FOLLOWS),
        ];
        for (references, role) in groups {
            for (index, (reference, place)) in references.iter().enumerate() {
                let rule = self.referenced(head, reference, *place)?;
                let role = if sequence { index as u8 } else { role };
                let again = feeds.iter().any(|feed| feed.rule == rule && (sequence || feed.role == role));
                if again && correlation.kind != "temporal_ordered" {
                    let reason =
                        format!("`{reference}` is a rule that stands here under another name already");
                    return Err(refused(*place, "duplicate_rule", reason));
                }
                let named = |field: &String| self.aliased(correlation, field, reference, rule);
                let key: Vec<String> = correlation.group_by.iter().map(named).collect();
                let value: Vec<String> = correlation.fields.iter().map(named).collect();
                self.check_inner(correlation, reference, rule, &key, &value)?;
                feeds.push(Feed { rule, role, key, value });
            }
        }
        for feed in &feeds {
            self.intern_fields(correlation, feed)?;
        }
        Ok(feeds)
    }

    /// Asks for the fields a feed reads from events; those of a correlation come with its key.
    fn intern_fields(&mut self, correlation: &Correlation, feed: &Feed) -> Result<(), Refused> {
        if self.rules[feed.rule.index()].stateful.is_some() {
            return Ok(());
        }
        for field in feed.key.iter().chain(&feed.value) {
            self.table
                .intern(field)
                .map_err(|full| refused(correlation.place, "too_many_fields", full.to_string()))?;
        }
        Ok(())
    }

    /// What a correlation counts of another one must be part of that one's group key: nothing else
    /// is known of its detections.
    fn check_inner(
        &self,
        correlation: &Correlation,
        reference: &str,
        rule: RuleIdx,
        key: &[String],
        value: &[String],
    ) -> Result<(), Refused> {
        let inner = &self.rules[rule.index()];
        if inner.stateful.is_none() {
            return Ok(());
        }
        let known = &inner.meta.key_fields;
        for (fields, place, what) in
            [(key, correlation.group_by_place, "group-by"), (value, correlation.fields_place, "field")]
        {
            if let Some(field) = fields.iter().find(|field| !known.contains(*field)) {
                let reason = format!(
                    "`{what}` names `{field}`, by which the correlation `{reference}` does not group"
                );
                let hint = if known.is_empty() {
                    format!("add `{field}` to the `group-by` of `{reference}`")
                } else {
                    format!("it groups by {}; add `{field}` there, or leave it out here", known.join(", "))
                };
                return Err(Refused { hint: Some(hint), ..refused(place, "chain_group_by", reason) });
            }
        }
        Ok(())
    }

    fn referenced(&self, head: &Head, reference: &str, place: Place) -> Result<RuleIdx, Refused> {
        let (code, reason, hint) = match self.correlations.link(reference, head) {
            Link::Itself => ("correlation_cycle", "the correlation refers to itself".to_string(), RING),
            Link::Back => {
                ("correlation_cycle", format!("`{reference}` refers back to this correlation"), RING)
            }
            Link::TooDeep => {
                let reason =
                    format!("more than {CHAIN_DEPTH_MAX} correlations stand one upon the other here");
                ("chain_too_deep", reason, "refer to the rules at the other end of the chain")
            }
            Link::Onward => match self.by_reference.get(reference) {
                Some(rule) => return Ok(*rule),
                None => {
                    let reason =
                        format!("there is no rule with the id or name `{reference}`, or it did not load");
                    ("unknown_rule", reason, "name the file or folder that holds it too")
                }
            },
        };
        Err(Refused { hint: Some(hint.to_string()), ..refused(place, code, reason) })
    }

    /// The field a name of the correlation stands for in the events of a rule.
    fn aliased(&self, correlation: &Correlation, field: &str, reference: &str, rule: RuleIdx) -> String {
        let alias = correlation.aliases.iter().find(|alias| alias.name == field);
        let is_meant = |name: &str| name == reference || self.by_reference.get(name) == Some(&rule);
        let mapped = alias.and_then(|alias| alias.fields.iter().find(|(name, _)| is_meant(name)));
        mapped.map_or_else(|| field.to_string(), |(_, mapped)| mapped.clone())
    }

    /// Tells of aliases that nobody uses, that speak of other rules, or that leave rules out.
    fn check_aliases(&mut self, document: &Document, correlation: &Correlation, feeds: &[Feed]) {
        let fed: HashSet<RuleIdx> = feeds.iter().map(|feed| feed.rule).collect();
        let mut found = Vec::new();
        for Alias { name, place, fields } in &correlation.aliases {
            let mut tell = |reason: String| found.push((*place, reason));
            if !correlation.group_by.contains(name) && !correlation.fields.contains(name) {
                tell(format!("neither `group-by` nor `field` uses the alias `{name}`"));
                continue;
            }
            let mut spoken_of = HashSet::new();
            for (rule, _) in fields {
                match self.by_reference.get(rule).filter(|rule| fed.contains(*rule)) {
                    Some(rule) => _ = spoken_of.insert(*rule),
                    None => tell(format!("the alias `{name}` speaks of `{rule}`, to which nothing refers")),
                }
            }
            if spoken_of.len() < fed.len() {
                let count = fed.len() - spoken_of.len();
                let rules = if count == 1 { "one rule" } else { "some rules" };
                tell(format!("the alias `{name}` does not say which field it is in {rules}"));
            }
        }
        for (place, reason) in found {
            self.report(document, Severity::Warning, refused(place, "alias_rules", reason));
        }
    }
}

fn refused(place: Place, code: &'static str, reason: String) -> Refused {
    Refused { place, code, reason, hint: None }
}

fn spec(correlation: &Correlation) -> CorrelationSpec {
    CorrelationSpec {
        windowing: correlation.windowing,
        condition: correlation.condition.clone(),
        seen: correlation.seen.clone(),
        references: correlation.rules.len().min(usize::from(u8::MAX)) as u8,
        percentile: correlation.percentile,
        leak: correlation.leak,
        followed: !correlation.followed_by.is_empty(),
        ..CorrelationSpec::new(&correlation.kind, correlation.timespan)
    }
}
