//! `tocsin replay`: what a server took in, through the engine once more.

use std::io::{self, BufWriter, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;
use tocsin_pipeline::journal::Frame;
use tocsin_pipeline::replay::{self, ReplayRules};
use tocsin_pipeline::rules::RuleSetId;
use tocsin_store::journal::{Frames, Hole, JournalRecords, Read};
use tocsin_store::{DATABASE_FILE, Reader, RuleSetStore};

use crate::cli::{ReplayArgs, RunArgs};
use crate::commands::run::plan;
use crate::commands::{FAILED, FINE, UsageError};
use crate::loading;
use crate::output::alerts::{AlertWriter, Shape};
use crate::output::{complain, unless_closed};
use crate::server::{JOURNAL_FOLDER, Recorded, engine};

/// Runs the command.
///
/// # Errors
/// Wrong usage, or a journal that cannot be read.
pub fn run(args: &ReplayArgs) -> anyhow::Result<u8> {
    let folder = journal_folder(&args.journal)?;
    let plan = plan(
        &RunArgs { config: args.config.clone(), local: args.local.clone(), ..RunArgs::default() },
        None,
    )?;
    let rules = if args.rules.is_empty() { &plan.rules } else { &args.rules };
    let is_fixed = args.current_rules || !args.rules.is_empty();
    let loaded = loading::rules(rules, &plan.local, true)?;
    for diagnostic in loading::worth_telling(&loaded.diagnostics).filter(|_| is_fixed) {
        complain(&loading::written(diagnostic));
    }
    if loaded.rules.rules.is_empty() {
        return Err(UsageError("no rule is left to run; `tocsin check` says why".to_string()).into());
    }
    let shape = if args.json || !io::stdout().is_terminal() { Shape::Json } else { Shape::Table };
    let mut writer = AlertWriter::new(shape, BufWriter::new(io::stdout().lock()))?;
    let mut outcome = Ok(());
    let mut alerts = 0_u64;
    let mut damage = Damage::default();
    let frames = Frames::all(&folder).with_context(|| folder.display().to_string())?;
    let data = folder.parent().unwrap_or(Path::new("."));
    let mut sets = Recorded::new(RuleSetStore::new(data), loading::seed());
    let rules = if is_fixed {
        ReplayRules::Fixed
    } else {
        ReplayRules::Recorded(rules_at(data, frames.position())?, &mut sets)
    };
    let frames = frames.filter_map(|read| damage.pass(read));
    let mut records = JournalRecords::new(&folder);
    let mut write = |alert| {
        alerts += 1;
        if outcome.is_ok() {
            outcome = writer.write(&alert);
        }
    };
    let summary = replay::run(&loaded.plan, rules, engine(&plan), frames, &mut records, &mut write);
    if summary.lost_rules > 0 {
        complain(&format!(
            "{} times rules became active that are not kept any more: those before them went on",
            summary.lost_rules
        ));
    }
    let lost = damage.lost;
    unless_closed(outcome.and_then(|()| writer.finish()))?;
    let told = json!({ "frames": summary.frames, "events": summary.events, "bytes": summary.bytes,
        "quarantined": summary.quarantined, "late": summary.late, "lost_bytes": lost, "alerts": alerts });
    if shape == Shape::Json {
        complain(&told.to_string());
    } else {
        complain(&format!("{} events in {} frames, {alerts} alerts", summary.events, summary.frames));
    }
    Ok(if lost > 0 { FAILED } else { FINE })
}

/// The rules that were active at a position, if the database beside the journal knows. None where
/// there is no database: it would be made.
fn rules_at(data: &Path, position: u64) -> anyhow::Result<Option<RuleSetId>> {
    if !data.join(DATABASE_FILE).is_file() {
        return Ok(None);
    }
    Ok(Reader::open(data)?.rules_at(position)?)
}

/// The journal of a data folder, or the folder itself.
fn journal_folder(given: &Path) -> Result<PathBuf, UsageError> {
    let inside = given.join(JOURNAL_FOLDER);
    let folder = if inside.is_dir() { inside } else { given.to_path_buf() };
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(UsageError(format!("--journal: there is no folder {}", given.display())))
}

/// The damage of a journal on the way through it.
#[derive(Default)]
struct Damage {
    /// Bytes that cannot be read.
    lost: u64,
    /// Damage behind which no frame has been seen yet.
    last: Option<Hole>,
}

impl Damage {
    /// A frame; the damage before it is told and counted. What is unreadable at the very end is no
    /// damage: a server is writing there, or a crash cut short what nobody was told of.
    fn pass(&mut self, read: Read) -> Option<Frame> {
        let frame = match read {
            Read::Frame(frame) => frame,
            Read::Hole(hole) => {
                self.last = Some(hole);
                return None;
            }
        };
        if let Some(hole) = self.last.take() {
            self.lost += hole.bytes();
            let what = hole.reason.describe();
            complain(&format!("the journal is damaged from {} to {}: {what}", hole.from, hole.to));
        }
        Some(frame)
    }
}
