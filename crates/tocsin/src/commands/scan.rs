//! `tocsin scan`: recorded logs in, alerts out.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, StdoutLock};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::json;
use tocsin_alert::Alert;
use tocsin_core::batch::{Notes, Quarantined, Reason};
use tocsin_core::detector::Emission;
use tocsin_core::engine::{EngineConfig, MatchedBatch};
use tocsin_core::matcher::{RuleIdx, RuleStats};
use tocsin_core::offset::PartitionId;
use tocsin_core::plan::Plan;
use tocsin_core::rule::Level;
use tocsin_core::time::{Span, Timestamp};
use tocsin_decode::registry::FORMATS;
use tocsin_io::evidence::ScanRecords;
use tocsin_io::sources::file::FileSource;
use tocsin_io::sources::stdin::StdinSource;
use tocsin_pipeline::cutter::Cutter;
use tocsin_pipeline::plan::Loaded;
use tocsin_pipeline::scan::{ScanConfig, Summary, Watcher};
use tocsin_pipeline::source::Source;

use crate::cli::{LevelArg, ScanArgs};
use crate::commands::{FAILED, FINDINGS, FINE, UsageError};
use crate::loading;
use crate::output::alerts::{AlertWriter, Shape, count_map};
use crate::output::matches::MatchWriter;
use crate::output::progress::Progress;
use crate::output::stats::Stats;
use crate::output::{complain, is_closed_pipe};

/// Unreadable records told one by one, and as many with unusual values; those after it are only
/// counted.
const TOLD_RECORDS_MAX: u64 = 20;

/// What is said of a value that could not be taken as sent: its note, field, and what became of it.
const VALUE_NOTES: [(Notes, &str, &str); 3] = [
    (Notes::UNREADABLE_TIME, "event_time", "not a time; the newest time before it is taken"),
    (Notes::TIME_CLAMPED, "event_time", "later than the reference time; the newest time before it is taken"),
    (Notes::NOT_AN_ADDRESS, "source.ip", "not an address; the field stays empty"),
];

/// How far beyond the reference time an event may lie.
const FUTURE: Span = Span::seconds(60);

/// Bytes of output gathered before they are written.
const OUTPUT_BYTES: usize = 64 << 10;

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a defect that ends the scan.
pub fn run(args: &ScanArgs) -> anyhow::Result<u8> {
    let started = Instant::now();
    let format = format(&args.format)?;
    let as_of = args.as_of.as_deref().map(|text| loading::time_argument("--as-of", text)).transpose()?;
    // The process ends with the scan: nobody gains by freeing some hundred thousand parts of rules.
    let loaded = ManuallyDrop::new(loading::rules(&args.rules, &args.local, !args.ungated)?);
    for diagnostic in loading::worth_telling(&loaded.diagnostics) {
        complain(&loading::written(diagnostic));
    }
    if loaded.rules.rules.is_empty() {
        return Err(UsageError("no rule is left to run; `tocsin check` says why".to_string()).into());
    }
    let load_seconds = started.elapsed().as_secs_f64();
    let mut inputs = Inputs::open(args, as_of)?;
    let config = ScanConfig {
        engine: EngineConfig { emission: Emission::Closed, latest: inputs.latest, ..EngineConfig::default() },
        as_of: as_of.unwrap_or(inputs.started),
        format,
        threads: threads(args.threads)?,
        tenant: "default".to_string(),
        matches_only: args.matches,
    };
    let mut report = Report::new(args, &loaded, &inputs)?;
    let began = Instant::now();
    let cutters = std::mem::take(&mut inputs.cutters);
    let outcome =
        tocsin_pipeline::scan::run(&loaded.plan, cutters, &mut inputs.records, &config, &mut report);
    report.progress.finish();
    let summary = outcome?;
    let seconds = began.elapsed().as_secs_f64();
    report.finish(args, &loaded.plan, &summary, seconds, load_seconds, inputs.failed)
}

fn format(name: &str) -> anyhow::Result<Option<String>> {
    if name == "auto" {
        return Ok(None);
    }
    let known = FORMATS.iter().any(|entry| entry.name == name) || name == "ndjson";
    if known {
        return Ok(Some(name.to_string()));
    }
    let names: Vec<&str> = FORMATS.iter().map(|entry| entry.name).collect();
    let message =
        format!("--format: there is no format `{name}`; there are auto, ndjson, {}", names.join(", "));
    Err(UsageError(message).into())
}

fn threads(asked: Option<usize>) -> anyhow::Result<usize> {
    match asked {
        Some(0) => Err(UsageError("--threads: at least one is needed".to_string()).into()),
        Some(threads) => Ok(threads.min(64)),
        None => Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
    }
}

/// The inputs that could be opened.
struct Inputs {
    cutters: Vec<Cutter>,
    names: Vec<String>,
    records: ScanRecords,
    total: Option<u64>,
    failed: bool,
    started: Timestamp,
    latest: Timestamp,
}

impl Inputs {
    /// Opens what can be opened; tells what cannot. Partitions are numbered in the order of the
    /// names, whatever the order of the arguments.
    fn open(args: &ScanArgs, as_of: Option<Timestamp>) -> anyhow::Result<Inputs> {
        let started = loading::timestamp(SystemTime::now())?;
        let mut paths: Vec<&Path> = args.files.iter().map(std::path::PathBuf::as_path).collect();
        paths.sort_unstable();
        paths.dedup();
        if paths.len() > tocsin_core::limits::PARTITIONS_MAX {
            return Err(UsageError(format!("{} files are too many for one scan", paths.len())).into());
        }
        let mut inputs = Inputs {
            cutters: Vec::new(),
            names: Vec::new(),
            records: ScanRecords::default(),
            total: Some(0),
            failed: false,
            started,
            latest: as_of.unwrap_or(started).plus(FUTURE),
        };
        for path in paths {
            if let Err(error) = inputs.add(path, as_of) {
                complain(&format!("tocsin: {}: {error}", path.display()));
                inputs.failed = true;
            }
        }
        Ok(inputs)
    }

    fn add(&mut self, path: &Path, as_of: Option<Timestamp>) -> io::Result<()> {
        let partition = PartitionId(self.names.len() as u16);
        let mut reference = self.started;
        let source: Box<dyn Source> = if path == Path::new("-") {
            Box::new(StdinSource::open()?)
        } else {
            let source = FileSource::open(path)?;
            let modified = std::fs::metadata(path)?.modified()?;
            reference = loading::timestamp(modified).unwrap_or(self.started);
            if let Some(path) = source.rereadable() {
                self.records.reread(partition, &path)?;
            }
            Box::new(source)
        };
        self.latest = self.latest.max(as_of.map_or(reference.plus(FUTURE), |_| self.latest));
        self.total = self.total.zip(source.size()).map(|(total, size)| total + size);
        self.names.push(source.name().to_string());
        let reference = as_of.unwrap_or(reference);
        self.cutters.push(Cutter::new(source, partition, None).with_reference(reference));
        Ok(())
    }
}

/// Where results go.
enum Results {
    Alerts(AlertWriter<BufWriter<StdoutLock<'static>>>),
    Matches(MatchWriter<BufWriter<StdoutLock<'static>>>),
    /// The reader has gone; nothing more is written.
    Closed,
}

/// Tells what the scan finds as it goes.
struct Report {
    results: Results,
    progress: Progress,
    names: Vec<String>,
    /// The format asked for, `auto` without.
    format: String,
    told: u64,
    untold: u64,
    told_values: u64,
    failed: bool,
    by_rule: BTreeMap<String, u64>,
    highest: Option<Level>,
    output_error: Option<io::Error>,
}

impl Report {
    fn new(args: &ScanArgs, loaded: &Loaded, inputs: &Inputs) -> anyhow::Result<Report> {
        let out = BufWriter::with_capacity(OUTPUT_BYTES, io::stdout().lock());
        let results = if args.matches {
            Results::Matches(MatchWriter::new(out, &Arc::clone(&loaded.plan), &inputs.names))
        } else {
            Results::Alerts(AlertWriter::new(shape(args), out)?)
        };
        Ok(Report {
            results,
            progress: Progress::new(inputs.total),
            names: inputs.names.clone(),
            format: args.format.clone(),
            told: 0,
            untold: 0,
            told_values: 0,
            failed: false,
            by_rule: BTreeMap::new(),
            highest: None,
            output_error: None,
        })
    }

    fn name(&self, partition: PartitionId) -> &str {
        self.names.get(usize::from(partition.0)).map_or("?", String::as_str)
    }

    fn tell_values(&mut self, batch: &MatchedBatch) {
        for (record, notes) in &batch.noted {
            for (note, field, what) in VALUE_NOTES.iter().filter(|(note, ..)| notes.contains(*note)) {
                if self.told_values >= TOLD_RECORDS_MAX {
                    return;
                }
                self.told_values += 1;
                let line = batch.raw.first_record + u64::from(*record) + 1;
                let name = self.name(batch.raw.partition);
                let told = format!("{name}:{line}: field `{field}`: {what} [{}]", note.name());
                self.progress.suspend(|| complain(&told));
            }
        }
    }

    fn note(&mut self, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.results = Results::Closed;
            if !is_closed_pipe(&error) {
                self.output_error.get_or_insert(error);
            }
        }
    }

    fn finish(
        mut self,
        args: &ScanArgs,
        plan: &Plan,
        summary: &Summary,
        seconds: f64,
        load_seconds: f64,
        failed_to_open: bool,
    ) -> anyhow::Result<u8> {
        let outcome = match std::mem::replace(&mut self.results, Results::Closed) {
            Results::Alerts(writer) => writer.finish(),
            Results::Matches(mut writer) => writer.flush(),
            Results::Closed => Ok(()),
        };
        self.note(outcome);
        if self.untold > 0 {
            complain(&format!("… and {} more unreadable records", self.untold));
        }
        let line = if shape(args) == Shape::Json || args.matches {
            self.json_summary(summary, seconds, load_seconds)
        } else {
            self.text_summary(summary, seconds)
        };
        for told in failed_rules(plan, summary) {
            complain(&told);
        }
        complain(&line);
        if args.stats {
            tell_stats(args, &Stats::new(plan, summary));
        }
        if let Some(error) = self.output_error {
            return Err(error.into());
        }
        let failed = failed_to_open || self.failed;
        let findings = args.fail_on.is_some_and(|level| self.highest >= Some(level.level()));
        Ok(if failed {
            FAILED
        } else if findings {
            FINDINGS
        } else {
            FINE
        })
    }

    fn json_summary(&self, summary: &Summary, seconds: f64, load_seconds: f64) -> String {
        let summary = json!({
            "events": summary.events,
            "bytes": summary.bytes,
            "seconds": seconds,
            "load_seconds": load_seconds,
            "rejected": summary.rejected,
            "notes": summary.notes,
            "matches": summary.matches,
            "late": summary.late,
            "without_key": summary.without_key,
            "without_value": summary.without_value,
            "state_evicted": summary.evicted,
            "state_sketched": summary.sketched,
            "alerts": count_map(&self.by_rule),
        });
        summary.to_string()
    }

    fn text_summary(&self, summary: &Summary, seconds: f64) -> String {
        let alerts: u64 = self.by_rule.values().sum();
        let rejected: u64 = summary.rejected.values().sum();
        let rate = summary.events as f64 / seconds.max(1e-9);
        let mut line = format!(
            "{} events in {seconds:.2} s ({rate:.0} events/s), {alerts} alerts from {} rules, {rejected} unreadable",
            summary.events,
            self.by_rule.len()
        );
        let counted = summary.notes.iter().map(|(name, count)| (*name, *count));
        let others = [
            ("late", summary.late),
            ("state_evicted", summary.evicted),
            ("state_sketched", summary.sketched),
        ];
        for (name, count) in counted.chain(others).filter(|(_, count)| *count > 0) {
            line.push_str(&format!(", {count} {}", name.replace('_', " ")));
        }
        line
    }
}

impl Watcher for Report {
    fn on_batch(&mut self, batch: &MatchedBatch) {
        self.tell_values(batch);
        if let Results::Matches(writer) = &mut self.results {
            let outcome = writer.write(batch);
            self.note(outcome);
        }
    }

    fn on_quarantined(&mut self, partition: PartitionId, line: u64, quarantined: &Quarantined) {
        if self.told >= TOLD_RECORDS_MAX {
            self.untold += 1;
            return;
        }
        self.told += 1;
        let field =
            quarantined.field.as_deref().map(|field| format!("field `{field}`: ")).unwrap_or_default();
        let what = match (quarantined.reason, self.format.as_str()) {
            (Reason::UnknownFormat, "auto") => "no known log format (name one with --format)",
            (Reason::UnknownFormat, _) => "not of the format named with --format",
            (reason, _) => reason.describe(),
        };
        let told = format!(
            "{}:{line}:{}: {field}{what} [{}]",
            self.name(partition),
            quarantined.at + 1,
            quarantined.reason.as_str()
        );
        self.progress.suspend(|| complain(&told));
    }

    fn on_failed_input(&mut self, name: &str, error: &io::Error) {
        self.failed = true;
        self.progress.suspend(|| complain(&format!("tocsin: {name}: {error}")));
    }

    fn on_alert(&mut self, alert: Alert) {
        *self.by_rule.entry(alert.rule.id.clone()).or_default() += 1;
        self.highest = self.highest.max(Some(alert.severity));
        if let Results::Alerts(writer) = &mut self.results {
            let outcome = writer.write(&alert);
            self.note(outcome);
        }
    }

    fn on_progress(&mut self, consumed: u64, events: u64) {
        self.progress.update(consumed, events);
    }
}

/// What is said of rules that failed on events.
fn failed_rules(plan: &Plan, summary: &Summary) -> Vec<String> {
    let rules = summary.workers.matcher.rules.iter().zip(0..).filter(|(stats, _)| stats.panics > 0);
    let told = |(stats, index): (&RuleStats, u32)| {
        let id = &plan.meta(RuleIdx(index)).id;
        format!(
            "tocsin: rule `{id}` failed on {} events, which are left out; please report this as a defect",
            stats.panics
        )
    };
    rules.map(told).collect()
}

fn tell_stats(args: &ScanArgs, stats: &Stats<'_>) {
    if shape(args) == Shape::Json || args.matches {
        return complain(&stats.json().to_string());
    }
    stats.lines().iter().for_each(|line| complain(line));
}

fn shape(args: &ScanArgs) -> Shape {
    if args.csv {
        Shape::Csv
    } else if args.table || (!args.json && io::stdout().is_terminal()) {
        Shape::Table
    } else {
        Shape::Json
    }
}

impl LevelArg {
    fn level(self) -> Level {
        match self {
            LevelArg::Informational => Level::Informational,
            LevelArg::Low => Level::Low,
            LevelArg::Medium => Level::Medium,
            LevelArg::High => Level::High,
            LevelArg::Critical => Level::Critical,
        }
    }
}
