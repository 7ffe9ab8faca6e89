//! Where the time of a scan went: by stage, by field, by rule.

use std::cmp::Reverse;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use tocsin_core::field::FieldId;
use tocsin_core::matcher::{FieldStats, RuleIdx, RuleStats};
use tocsin_core::plan::Plan;
use tocsin_pipeline::scan::Summary;

/// Fields and rules told; the others cost less.
const TOLD_MAX: usize = 15;

/// The counts of a scan, ready to be shown.
pub struct Stats<'a> {
    summary: &'a Summary,
    /// The fields with most values, those with most first.
    fields: Vec<(&'a str, FieldStats)>,
    /// The rules worked out most often, those worked out most often first.
    rules: Vec<(&'a str, RuleStats)>,
    /// Rule, filter, and the matches it kept back: the filters that kept back most first.
    filters: Vec<(&'a str, &'a str, u64)>,
}

impl<'a> Stats<'a> {
    /// The counts of a scan with these rules.
    #[must_use]
    pub fn new(plan: &'a Plan, summary: &'a Summary) -> Stats<'a> {
        let matcher = &summary.workers.matcher;
        let named = |(index, stats): (usize, &FieldStats)| (plan.table.name(FieldId(index as u16)), *stats);
        let mut fields: Vec<(&str, FieldStats)> = matcher.fields.iter().enumerate().map(named).collect();
        fields.retain(|(_, stats)| stats.looked_at() > 0);
        fields.sort_by_key(|(name, stats)| (Reverse(stats.looked_at()), *name));
        fields.truncate(TOLD_MAX);
        let named =
            |(index, stats): (usize, &RuleStats)| (plan.meta(RuleIdx(index as u32)).id.as_str(), *stats);
        let mut rules: Vec<(&str, RuleStats)> = matcher.rules.iter().enumerate().map(named).collect();
        rules.retain(|(_, stats)| stats.evaluated + stats.matches > 0);
        rules.sort_by_key(|(id, stats)| (Reverse((stats.evaluated, stats.matches)), *id));
        rules.truncate(TOLD_MAX);
        let mut filters: Vec<_> = plan.suppressed(matcher).filter(|(_, _, kept)| *kept > 0).collect();
        filters.sort_by_key(|(rule, filter, kept)| (Reverse(*kept), *rule, *filter));
        filters.truncate(TOLD_MAX);
        Stats { summary, fields, rules, filters }
    }

    /// Time an event took in each stage, in nanoseconds, added up over all threads.
    fn stages(&self) -> [(&'static str, f64); 3] {
        let workers = &self.summary.workers;
        let each = |time: Duration| time.as_nanos() as f64 / self.summary.events.max(1) as f64;
        [
            ("decode", each(workers.decode)),
            ("match", each(workers.matching)),
            ("correlate", each(self.summary.correlate)),
        ]
    }

    /// As one JSON object.
    #[must_use]
    pub fn json(&self) -> Value {
        let matcher = &self.summary.workers.matcher;
        let stages: serde_json::Map<String, Value> =
            self.stages().into_iter().map(|(name, nanos)| (format!("{name}_ns"), json!(nanos))).collect();
        let field = |(name, stats): &(&str, FieldStats)| {
            json!({
                "field": name, "hits": stats.hits, "misses": stats.misses,
                "line_hits": stats.line_hits, "line_misses": stats.line_misses,
            })
        };
        let rule = |(id, stats): &(&str, RuleStats)| json!({ "rule": id, "matches": stats.matches, "evaluated": stats.evaluated });
        let filter = |(rule, filter, kept): &(&str, &str, u64)| json!({ "rule": rule, "filter": filter, "suppressed": kept });
        json!({ "stats": {
            "per_event": stages,
            "signatures": { "hits": matcher.signature_hits, "misses": matcher.signature_misses },
            "forgets": matcher.forgets,
            "fields": self.fields.iter().map(field).collect::<Vec<_>>(),
            "rules": self.rules.iter().map(rule).collect::<Vec<_>>(),
            "filters": self.filters.iter().map(filter).collect::<Vec<_>>(),
        }})
    }

    /// As tables, line by line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let matcher = &self.summary.workers.matcher;
        let stages = self.stages().map(|(name, nanos)| format!("{name} {nanos:.0} ns"));
        let mut lines = vec![
            format!("an event, over all threads: {}", stages.join(", ")),
            format!(
                "combinations of values: {} known; the memory was full {} times",
                share(matcher.signature_hits, matcher.signature_misses),
                matcher.forgets
            ),
        ];
        let mut fields = table(&["field", "values", "known", "lines", "known"]);
        for (name, stats) in &self.fields {
            fields.add_row([
                (*name).to_string(),
                (stats.hits + stats.misses).to_string(),
                share(stats.hits, stats.misses),
                (stats.line_hits + stats.line_misses).to_string(),
                share(stats.line_hits, stats.line_misses),
            ]);
        }
        let mut rules = table(&["rule", "worked out", "matches"]);
        for (id, stats) in &self.rules {
            rules.add_row([(*id).to_string(), stats.evaluated.to_string(), stats.matches.to_string()]);
        }
        let mut filters = table(&["rule", "filter", "matches kept back"]);
        for (rule, filter, kept) in &self.filters {
            filters.add_row([(*rule).to_string(), (*filter).to_string(), kept.to_string()]);
        }
        for table in [fields, rules, filters].into_iter().filter(|table| table.row_count() > 0) {
            lines.extend(table.to_string().lines().map(|line| line.trim_end().to_string()));
        }
        lines
    }
}

/// A table with these heads; what follows the first column is aligned to the right.
pub fn table(heads: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY).set_header(heads.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// How many of all, in percent; `-` of none.
pub fn share(hits: u64, misses: u64) -> String {
    match hits + misses {
        0 => "-".to_string(),
        all => format!("{:.1} %", 100.0 * hits as f64 / all as f64),
    }
}
