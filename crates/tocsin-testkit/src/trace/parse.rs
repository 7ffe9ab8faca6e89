//! From lines to stories.

use tocsin_core::time::{Span, Timestamp};

use super::expectation::{self, Said};
use super::record::render;
use super::{DEFAULT_START, Expected, ExpectedAlert, Record, STORY_LINES_MAX, Story, Trace};

/// A line and what is wrong with it.
pub type Fault = (u32, String);

/// The file so far.
struct Reader {
    trace: Trace,
    faults: Vec<Fault>,
    /// Start of stories that name none.
    start: Timestamp,
    /// Whether the story being read says `expect nothing`.
    nothing: bool,
}

/// Reads a whole file.
///
/// # Errors
/// All faults, in order of lines.
pub fn parse(text: &str) -> Result<Trace, Vec<Fault>> {
    let mut reader = Reader {
        trace: Trace { with: Vec::new(), stories: Vec::new() },
        faults: Vec::new(),
        start: Timestamp::parse(DEFAULT_START.as_bytes()).unwrap_or_default(),
        nothing: false,
    };
    let mut last = 1;
    for (index, line) in text.lines().enumerate() {
        last = index as u32 + 1;
        if let Err(reason) = reader.read(line.trim(), last) {
            reader.faults.push((last, reason));
        }
    }
    reader.close_story();
    if reader.trace.stories.is_empty() {
        reader.faults.push((last, "there is no story in this file".into()));
    }
    reader.faults.sort_by_key(|(line, _)| *line);
    if reader.faults.is_empty() { Ok(reader.trace) } else { Err(reader.faults) }
}

impl Reader {
    fn read(&mut self, line: &str, number: u32) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('+') {
            return self.read_event(line, number);
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        match word {
            "with" => self.read_with(rest, number),
            "story" => self.open_story(rest, number),
            "start" => self.read_start(rest),
            "expect" => self.read_expect(rest, number),
            other => Err(format!("`{other}` begins no line (known: with, story, start, +offset, expect)")),
        }
    }

    fn read_with(&mut self, path: &str, number: u32) -> Result<(), String> {
        if path.is_empty() {
            return Err("name the rule file to load".into());
        }
        if !self.trace.stories.is_empty() {
            return Err("`with` stands before the first story".into());
        }
        self.trace.with.push((path.to_string(), number));
        Ok(())
    }

    fn open_story(&mut self, name: &str, number: u32) -> Result<(), String> {
        self.close_story();
        self.trace.stories.push(Story {
            name: name.to_string(),
            line: number,
            start: self.start,
            records: Vec::new(),
            expected: Vec::new(),
        });
        if name.is_empty() {
            return Err("a story needs a name".into());
        }
        Ok(())
    }

    /// A story must say what comes of it, and not both something and nothing.
    fn close_story(&mut self) {
        let Some(story) = self.trace.stories.last() else { return };
        let alerts = story.expected.iter().any(|e| matches!(e, Expected::Alert(_)));
        if alerts && self.nothing {
            self.faults.push((story.line, "this story expects alerts and nothing at once".into()));
        } else if story.expected.is_empty() && !self.nothing {
            self.faults.push((story.line, "this story expects neither an alert nor nothing".into()));
        }
        self.nothing = false;
    }

    fn story(&mut self) -> Result<&mut Story, String> {
        self.trace.stories.last_mut().ok_or_else(|| "this belongs into a story; begin one before it".into())
    }

    fn read_start(&mut self, text: &str) -> Result<(), String> {
        let start = Timestamp::parse(text.as_bytes())
            .ok_or_else(|| format!("`{text}` is no time: write it as {DEFAULT_START}"))?;
        match self.trace.stories.last_mut() {
            None => self.start = start,
            Some(story) if story.records.is_empty() && story.expected.is_empty() => story.start = start,
            Some(_) => return Err("`start` stands before the events of its story".into()),
        }
        Ok(())
    }

    fn read_event(&mut self, line: &str, number: u32) -> Result<(), String> {
        let start = self.story()?.start;
        let (offset, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let first = expectation::time(offset, start)?;
        let (every, times, template) = repetition(rest.trim_start())?;
        if template.is_empty() {
            return Err("a record must follow the offset".into());
        }
        let story = self.story()?;
        if story.records.len() as u64 + times > STORY_LINES_MAX as u64 {
            return Err(format!("a story holds at most {STORY_LINES_MAX} events"));
        }
        let mut time = first;
        for repeat in 1..=times {
            let text = render(template, time, repeat)?;
            story.records.push(Record { time, text, line: number });
            time = time.plus(every);
        }
        Ok(())
    }

    fn read_expect(&mut self, text: &str, number: u32) -> Result<(), String> {
        let start = self.story()?.start;
        match expectation::parse(text, start, number)? {
            Said::Nothing => self.nothing = true,
            Said::Expect(expected) => self.story()?.expected.push(expected),
            Said::Message(text) => self.last_alert()?.message = Some(text),
            Said::Details(text) => self.last_alert()?.details = Some(text),
        }
        Ok(())
    }

    fn last_alert(&mut self) -> Result<&mut ExpectedAlert, String> {
        match self.story()?.expected.last_mut() {
            Some(Expected::Alert(alert)) => Ok(alert),
            _ => Err("this belongs to an alert; expect one before it".into()),
        }
    }
}

/// `every <span> xN` in front of a record: the span, the number of repeats, the record.
fn repetition(text: &str) -> Result<(Span, u64, &str), String> {
    let Some(rest) = text.strip_prefix("every ") else { return Ok((Span(0), 1, text)) };
    let form =
        || "repeats are written `every <span> x<number> <record>`, such as `every 29s x10`".to_string();
    let (span, rest) = rest.trim_start().split_once(char::is_whitespace).ok_or_else(form)?;
    let (times, record) =
        rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim_start(), ""));
    let span = Span::parse(span).ok_or_else(form)?;
    let times: u64 = times.strip_prefix('x').and_then(|n| n.parse().ok()).ok_or_else(form)?;
    if times == 0 {
        return Err(form());
    }
    Ok((span, times, record.trim_start()))
}
