//! What a trace came to, for people and for machines.

use std::fmt;
use std::path::PathBuf;

/// The result of one trace file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// What stands in it.
    pub cases: Cases,
    /// Why it could not be played at all, one `file:line: reason` each.
    pub faults: Vec<String>,
    /// Its stories, in order.
    pub stories: Vec<StoryReport>,
}

/// What a file tests its rules with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cases {
    /// The stories of a trace.
    #[default]
    Stories,
    /// The examples that stand in a rule.
    Examples,
}

impl Cases {
    /// The word for so many of them.
    #[must_use]
    pub fn word(self, count: usize) -> &'static str {
        match (self, count) {
            (Cases::Stories, 1) => "story",
            (Cases::Stories, _) => "stories",
            (Cases::Examples, 1) => "example",
            (Cases::Examples, _) => "examples",
        }
    }
}

/// The result of one story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoryReport {
    /// What it is called.
    pub name: String,
    /// Its line in the file.
    pub line: u32,
    /// What it is about.
    pub about: Vec<String>,
    /// Events played.
    pub events: usize,
    /// Alerts raised, those of rules nobody asked about left out.
    pub alerts: usize,
    /// What differs; empty when the story passed.
    pub failures: Vec<Failure>,
}

/// One difference between what a story expects and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// The line it is about; 0 where there is none.
    pub line: u32,
    /// What is wrong, in a sentence without full stop.
    pub reason: String,
    /// More lines, for example expected and got one below the other.
    pub details: Vec<String>,
}

impl Report {
    /// Whether everything is as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.faults.is_empty() && self.stories.iter().all(StoryReport::passed)
    }
}

impl StoryReport {
    /// Whether the story came out as expected.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Failure {
    /// A difference in one sentence.
    #[must_use]
    pub fn new(line: u32, reason: String) -> Failure {
        Failure { line, reason, details: Vec::new() }
    }
}

impl fmt::Display for Report {
    /// Only what failed: faults, then each failed story with its differences.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        let file = self.file.display();
        for story in self.stories.iter().filter(|story| !story.passed()) {
            writeln!(f, "{file}:{}: {} {}", story.line, self.cases.word(1), story.name)?;
            for line in story.failures.iter().map(Failure::to_string) {
                line.lines().try_for_each(|line| writeln!(f, "  {line}"))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Failure {
    /// The sentence with its line, and what belongs to it below, indented.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => writeln!(f, "{}", self.reason)?,
            line => writeln!(f, "line {line}: {}", self.reason)?,
        }
        self.details.iter().try_for_each(|detail| writeln!(f, "  {detail}"))
    }
}
