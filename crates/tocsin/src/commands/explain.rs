//! `tocsin explain`: why a rule matches an event or does not, condition by condition.

use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::time::SystemTime;

use anyhow::Context;
use serde_json::{Value as Json, json};
use tocsin_core::batch::{EventBatch, RawBatch, RecordSpan};
use tocsin_core::decoder::Decoder;
use tocsin_core::matcher::RuleIdx;
use tocsin_core::offset::PartitionId;
use tocsin_core::time::Timestamp;
use tocsin_core::value::Value;
use tocsin_decode::decoder::RecordDecoder;
use tocsin_decode::format::FormatContext;
use tocsin_decode::taxonomy::Taxonomy;
use tocsin_io::sources::file::FileSource;
use tocsin_io::sources::stdin::StdinSource;
use tocsin_pipeline::cutter::Cutter;
use tocsin_pipeline::plan::Loaded;
use tocsin_pipeline::source::Source;
use tocsin_sigma::ast::{Body, Severity};
use tocsin_sigma::explain::{EventValues, Fed, Node, explain, feeds};
use tocsin_sigma::ruleset::Rule;

use crate::cli::ExplainArgs;
use crate::commands::{FAILED, FINDINGS, FINE, USAGE, UsageError};
use crate::loading;
use crate::output::tree::{Colours, TreeWriter, takes_part};
use crate::output::{complain, tree_json, unless_closed};

/// Rules explained whether they match or not; of more only those that match.
const SHOWN_RULES_MAX: usize = 5;

/// Runs the command.
///
/// # Errors
/// Wrong usage, or an event that cannot be read.
pub fn run(args: &ExplainArgs) -> anyhow::Result<u8> {
    let as_of = args.as_of.as_deref().map(|text| loading::time_argument("--as-of", text)).transpose()?;
    let loaded = loading::rules(&args.rules, &args.local, true)?;
    for diagnostic in loading::worth_telling(&loaded.diagnostics) {
        complain(&loading::written(diagnostic));
    }
    if loaded.rules.rules.is_empty() {
        return Err(UsageError("no rule is left to explain; `tocsin check` says why".to_string()).into());
    }
    let input = Input::read(&args.event, as_of)?;
    let Some(batch) = input.decode(&loaded) else { return Ok(FAILED) };
    let explained = Explained::new(&loaded, &batch);
    let shown = explained.shown(args);
    unless_closed(if args.json { explained.write_json(&shown) } else { explained.write_text(&shown) })?;
    let hidden = explained.rules.len() - shown.len();
    if hidden > 0 {
        complain(&format!("{hidden} more rules have nothing to do with this event"));
    }
    let broken = loaded.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    // A rule that did not load might be the one that was asked about.
    Ok(if explained.any_match() {
        FINE
    } else if broken {
        USAGE
    } else {
        FINDINGS
    })
}

/// The one event of an input.
struct Input {
    name: String,
    as_of: Timestamp,
    raw: RawBatch,
    /// The record within the batch.
    span: RecordSpan,
}

impl Input {
    /// Reads an input as far as its first record.
    fn read(path: &Path, as_of: Option<Timestamp>) -> anyhow::Result<Input> {
        let now = loading::timestamp(SystemTime::now())?;
        let context = || path.display().to_string();
        let mut reference = now;
        let source: Box<dyn Source> = if path == Path::new("-") {
            Box::new(StdinSource::open().with_context(context)?)
        } else {
            let source = FileSource::open(path).with_context(context)?;
            let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
            reference = modified.ok().and_then(|time| loading::timestamp(time).ok()).unwrap_or(now);
            Box::new(source)
        };
        let name = source.name().to_string();
        let mut cutter = Cutter::new(source, PartitionId::default(), None);
        while let Some(raw) = cutter.next_batch().with_context(context)? {
            let mut records = raw.records.iter().filter(|span| span.len > 0);
            if let Some(span) = records.next().copied() {
                if records.next().is_some() {
                    complain(&format!("{name}: there is more than one event; the first is explained"));
                }
                return Ok(Input { name, as_of: as_of.unwrap_or(reference), raw, span });
            }
        }
        anyhow::bail!("{name}: there is no event in it")
    }

    /// Reads the event; what cannot be read is told with its place.
    fn decode(&self, loaded: &Loaded) -> Option<EventBatch> {
        let taxonomy = Taxonomy::new(loaded.plan.table.clone());
        let mut decoder = RecordDecoder::auto(FormatContext { taxonomy, as_of: self.as_of });
        let (start, len) = (self.span.start as usize, self.span.len);
        let bytes = self.raw.bytes[start..start + len as usize].to_vec();
        let records = vec![RecordSpan { start: 0, len }];
        let batch = decoder.decode(RawBatch { bytes, records, ..RawBatch::default() });
        let Some(quarantined) = batch.quarantined.first() else { return Some(batch) };
        let (line, column) = self.place(start + quarantined.at as usize);
        let field =
            quarantined.field.as_deref().map(|field| format!("field `{field}`: ")).unwrap_or_default();
        let (reason, code) = (quarantined.reason.describe(), quarantined.reason.as_str());
        complain(&format!("{}:{line}:{column}: {field}{reason} [{code}]", self.name));
        None
    }

    /// Line and column of a byte, from 1.
    fn place(&self, at: usize) -> (u64, usize) {
        let before = &self.raw.bytes[..at.min(self.raw.bytes.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let lines = before.iter().filter(|byte| **byte == b'\n').count() as u64;
        let earlier = if self.raw.offsets.from == 0 { 0 } else { self.raw.first_record };
        let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
        (earlier + lines + 1, column)
    }
}

/// What there is to say about one rule.
enum Told<'a> {
    Stateless(Node<'a>),
    Correlation(Vec<Fed<'a>>),
}

/// What there is to say about one event.
struct Explained<'a> {
    loaded: &'a Loaded,
    rules: Vec<Told<'a>>,
    /// Which rules match, or count the event.
    matched: Vec<bool>,
}

impl<'a> Explained<'a> {
    fn new(loaded: &'a Loaded, batch: &'a EventBatch) -> Explained<'a> {
        let values = |field: &str| -> Vec<Value<'a>> {
            let (Some(field), Some(event)) = (batch.table.get(field), batch.events.first()) else {
                return Vec::new();
            };
            let slots = batch.slots(event).iter().filter(|slot| slot.field == field);
            slots.map(|slot| batch.value(slot)).collect()
        };
        let record = std::str::from_utf8(&batch.raw.bytes).unwrap_or_default();
        let event = EventValues { values: &values, record };
        let is_stateful = |rule: RuleIdx| loaded.rules.rules[rule.index()].stateful.is_some();
        let tell = |rule: &Rule| match (&rule.document.body, &rule.stateful) {
            (Body::Detection(detection), _) => Told::Stateless(explain(detection, &event)),
            (_, Some((_, sources))) => Told::Correlation(feeds(sources, &is_stateful, &event)),
            (Body::Correlation(_) | Body::Filter(_), None) => Told::Correlation(Vec::new()),
        };
        let rules: Vec<Told<'a>> = loaded.rules.rules.iter().map(tell).collect();
        // Rules stand behind those that feed them.
        let mut matched: Vec<bool> = Vec::with_capacity(rules.len());
        for told in &rules {
            matched.push(match told {
                Told::Stateless(tree) => tree.holds,
                Told::Correlation(feeds) => feeds.iter().any(|fed| takes_part(fed, &matched)),
            });
        }
        Explained { loaded, rules, matched }
    }

    fn any_match(&self) -> bool {
        self.matched.contains(&true)
    }

    /// Whether the event matches a rule, or counts for it.
    fn concerns(&self, told: &Told<'_>) -> bool {
        match told {
            Told::Stateless(tree) => tree.holds,
            Told::Correlation(feeds) => feeds.iter().any(|fed| takes_part(fed, &self.matched)),
        }
    }

    /// The rules to tell about: all, or of many those that concern the event.
    fn shown(&self, args: &ExplainArgs) -> Vec<usize> {
        let single_file = matches!(args.rules.as_slice(), [path] if path.is_file());
        let all = single_file || self.rules.len() <= SHOWN_RULES_MAX;
        (0..self.rules.len()).filter(|index| all || self.concerns(&self.rules[*index])).collect()
    }

    fn write_text(&self, shown: &[usize]) -> io::Result<()> {
        let rules = &self.loaded.rules;
        let mut writer = TreeWriter::new(BufWriter::new(io::stdout().lock()), Colours::for_stdout());
        for index in shown {
            let rule = &rules.rules[*index];
            match &self.rules[*index] {
                Told::Stateless(tree) => writer.stateless(rule, tree)?,
                Told::Correlation(feeds) => writer.correlation(rules, rule, feeds, &self.matched)?,
            }
        }
        writer.flush()
    }

    fn write_json(&self, shown: &[usize]) -> io::Result<()> {
        let rules = &self.loaded.rules;
        let tell = |index: &usize| {
            let rule = &rules.rules[*index];
            match &self.rules[*index] {
                Told::Stateless(tree) => tree_json::stateless(rule, tree),
                Told::Correlation(feeds) => tree_json::correlation(rules, rule, feeds, &self.matched),
            }
        };
        let object = json!({
            "matches": self.any_match(),
            "rules": shown.iter().map(tell).collect::<Json>(),
            "not_shown": self.rules.len() - shown.len(),
        });
        let mut out = io::stdout().lock();
        writeln!(out, "{object}")?;
        out.flush()
    }
}
