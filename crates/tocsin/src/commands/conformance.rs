//! `tocsin conformance`: the stories of known faults of other engines, and of every point of Sigma.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tocsin_io::rule_files::list;
use tocsin_testkit::Report;

use crate::cli::ConformanceArgs;
use crate::commands::stories::{Form, tell_all};
use crate::commands::{UsageError, test};
use crate::loading;
use crate::output::complain;

mod shipped {
    include!(concat!(env!("OUT_DIR"), "/conformance.rs"));
}

/// Runs the command.
///
/// # Errors
/// Wrong usage, or results that cannot be written.
pub fn run(args: &ConformanceArgs) -> anyhow::Result<u8> {
    let form = if args.json { Form::Json } else { Form::Stories };
    let tell = |reports: &mut dyn Iterator<Item = Report>| {
        tell_all(reports, "tocsin conformance", form, args.junit.as_ref())
    };
    let status = if args.paths.is_empty() {
        let named = |name: &str| Path::new("conformance").join(name);
        tell(&mut shipped::FILES.iter().map(|(name, text)| tocsin_testkit::run_text(&named(name), text)))
    } else {
        let traces = traces(&args.paths)?;
        tell(&mut traces.iter().map(|trace| tocsin_testkit::run(trace)))
    };
    status?.ok_or_else(|| UsageError("there is no .trace to run".to_string()).into())
}

/// The traces of these paths: one itself, or all in a folder.
fn traces(paths: &[PathBuf]) -> anyhow::Result<BTreeSet<PathBuf>> {
    let mut traces = BTreeSet::new();
    for path in paths {
        let found = list(path, &[test::TRACE]).map_err(|error| UsageError(error.to_string()))?;
        for problem in found.problems {
            complain(&loading::written(&loading::unreadable(problem)));
        }
        traces.extend(found.items);
    }
    Ok(traces)
}
