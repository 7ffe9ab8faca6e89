//! JUnit's report format, as build servers read it: a suite per trace, a case per story.

use std::fmt::Write as _;

use tocsin_testkit::Report;
use tocsin_testkit::report::{Failure, StoryReport};

/// The whole report of a command as XML.
#[must_use]
pub fn document(command: &str, reports: &[Report]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let sum = |count: fn(&Report) -> usize| reports.iter().map(count).sum::<usize>();
    let counts = counts(sum(cases), sum(failures), sum(errors));
    let _ = writeln!(xml, "<testsuites name=\"{command}\" {counts}>");
    reports.iter().for_each(|report| suite(report, &mut xml));
    xml.push_str("</testsuites>\n");
    xml
}

fn counts(cases: usize, failures: usize, errors: usize) -> String {
    format!("tests=\"{cases}\" failures=\"{failures}\" errors=\"{errors}\"")
}

/// A trace that cannot be played counts as one case.
fn cases(report: &Report) -> usize {
    report.stories.len() + errors(report)
}

fn failures(report: &Report) -> usize {
    report.stories.iter().filter(|story| !story.passed()).count()
}

fn errors(report: &Report) -> usize {
    usize::from(!report.faults.is_empty())
}

fn suite(report: &Report, xml: &mut String) {
    let file = escaped(&report.file.display().to_string());
    let counts = counts(cases(report), failures(report), errors(report));
    let _ = writeln!(xml, "  <testsuite name=\"{file}\" {counts}>");
    if let Some(first) = report.faults.first() {
        let _ = writeln!(xml, "    <testcase name=\"reads\" classname=\"{file}\">");
        let (message, all) = (escaped(first), escaped(&report.faults.join("\n")));
        let _ = writeln!(xml, "      <error message=\"{message}\">{all}</error>");
        xml.push_str("    </testcase>\n");
    }
    report.stories.iter().for_each(|story| case(story, &file, xml));
    xml.push_str("  </testsuite>\n");
}

fn case(story: &StoryReport, file: &str, xml: &mut String) {
    let name = escaped(&story.name);
    let open = format!("    <testcase name=\"{name}\" classname=\"{file}\" line=\"{}\"", story.line);
    let Some(first) = story.failures.first() else {
        let _ = writeln!(xml, "{open}/>");
        return;
    };
    let texts: Vec<String> = story.failures.iter().map(text).collect();
    let (message, all) = (escaped(&first.reason), escaped(&texts.join("\n")));
    let _ = writeln!(xml, "{open}>\n      <failure message=\"{message}\">{all}</failure>\n    </testcase>");
}

fn text(failure: &Failure) -> String {
    let place = if failure.line > 0 { format!("line {}: ", failure.line) } else { String::new() };
    let details: String = failure.details.iter().map(|detail| format!("\n  {detail}")).collect();
    format!("{place}{}{details}", failure.reason)
}

/// Text for an attribute or an element. What XML 1.0 cannot hold becomes U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            control if control.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use tocsin_testkit::report::Cases;

    use super::*;

    #[test]
    fn a_report_is_well_formed_whatever_it_holds() {
        let failure =
            Failure { line: 7, reason: "<a> & \"b\"".into(), details: vec!["got: \u{1b}[2J".into()] };
        let story =
            |failures| StoryReport { name: "it's".into(), line: 3, failures, ..StoryReport::default() };
        let played = Report {
            file: "x.trace".into(),
            faults: Vec::new(),
            stories: vec![story(Vec::new()), story(vec![failure])],
            cases: Cases::Stories,
        };
        let faults = vec!["y.trace:1: no".into()];
        let broken = Report { file: "y.trace".into(), faults, stories: Vec::new(), cases: Cases::Stories };
        assert_eq!(
            document("tocsin test", &[played, broken]),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"tocsin test\" tests=\"3\" failures=\"1\" errors=\"1\">\n  \
             <testsuite name=\"x.trace\" tests=\"2\" failures=\"1\" errors=\"0\">\n    \
             <testcase name=\"it&apos;s\" classname=\"x.trace\" line=\"3\"/>\n    \
             <testcase name=\"it&apos;s\" classname=\"x.trace\" line=\"3\">\n      \
             <failure message=\"&lt;a&gt; &amp; &quot;b&quot;\">line 7: &lt;a&gt; &amp; &quot;b&quot;&#10;  got: \u{fffd}[2J</failure>\n    \
             </testcase>\n  </testsuite>\n  \
             <testsuite name=\"y.trace\" tests=\"1\" failures=\"0\" errors=\"1\">\n    \
             <testcase name=\"reads\" classname=\"y.trace\">\n      \
             <error message=\"y.trace:1: no\">y.trace:1: no</error>\n    \
             </testcase>\n  </testsuite>\n</testsuites>\n"
        );
    }
}
