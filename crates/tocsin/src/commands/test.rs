//! `tocsin test`: the stories that lie beside rules and the examples that stand in them, played.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tocsin_io::rule_files::{self, list};
use tocsin_pipeline::plan::RuleFile;
use tocsin_testkit::examples::{may_have_examples, run_examples};

use crate::cli::TestArgs;
use crate::commands::UsageError;
use crate::commands::stories::{Form, tell_all};
use crate::loading;
use crate::output::complain;

/// What is tested when nothing is named.
const DEFAULT_FOLDER: &str = "rules";

/// The ending of traces.
pub const TRACE: &str = "trace";

/// Runs the command.
///
/// # Errors
/// Wrong usage, or results that cannot be written.
pub fn run(args: &TestArgs) -> anyhow::Result<u8> {
    let Asked { traces, files } = asked(&args.paths)?;
    let (local, found) = loading::local(&args.local)?;
    found.iter().for_each(|finding| complain(&loading::written(finding)));
    let played = traces.iter().map(|trace| tocsin_testkit::run_with(trace, &local));
    let examples = files.iter().filter_map(|file| run_examples(file, &files, &local));
    let form = if args.json { Form::Json } else { Form::Files };
    let status = tell_all(played.chain(examples), "tocsin test", form, args.junit.as_ref())?;
    let message = "there is no test to run: no .trace, and no examples in rules";
    status.ok_or_else(|| UsageError(message.to_string()).into())
}

/// What is to be tested.
struct Asked {
    traces: BTreeSet<PathBuf>,
    /// Rules, of which some may hold examples.
    files: Vec<RuleFile>,
}

/// The tests of these paths: a trace itself, the one beside a rule, all in a folder.
fn asked(paths: &[PathBuf]) -> anyhow::Result<Asked> {
    let default = [PathBuf::from(DEFAULT_FOLDER)];
    let paths = if paths.is_empty() { &default } else { paths };
    let mut traces = BTreeSet::new();
    let mut rules = Vec::new();
    let mut alone = BTreeSet::new();
    let mut problems = BTreeSet::new();
    for path in paths {
        let found = list(path, &[TRACE]).map_err(|error| UsageError(error.to_string()))?;
        problems.extend(found.problems.into_iter().map(|p| loading::written(&loading::unreadable(p))));
        if path.is_dir() {
            traces.extend(found.items);
            rules.push(path.clone());
            continue;
        }
        let trace = path.with_extension(TRACE);
        if *path != trace {
            rules.push(path.clone());
        }
        if trace.is_file() {
            traces.insert(trace);
        } else {
            alone.insert(path);
        }
    }
    let found = rule_files::read(&rules).map_err(|error| UsageError(error.to_string()))?;
    problems.extend(found.problems.into_iter().map(|p| loading::written(&loading::unreadable(p))));
    problems.iter().for_each(|problem| complain(problem));
    let untested =
        found.items.iter().find(|file| alone.contains(&file.path) && !may_have_examples(&file.text));
    if let Some(file) = untested {
        let trace = file.path.with_extension(TRACE);
        let (file, trace) = (file.path.display(), trace.display());
        let message = format!("{file}: there is no test in it (`tests`) nor beside it ({trace})");
        return Err(UsageError(message).into());
    }
    Ok(Asked { traces, files: found.items })
}
