//! From lines to stories.

use tocsin_core::time::{Span, Timestamp};

use super::expectation::{self, Said};
use super::record::render;
use super::{
    Block, BlockKind, DEFAULT_START, Expected, ExpectedAlert, INPUTS_MAX, Record, STORY_LINES_MAX, Story,
    Trace,
};

/// What a line may begin with.
const WORDS: &str =
    "with, ungated, rule, placeholders, logsources, story, about, start, restart, +offset, expect";

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
    /// The block being read.
    block: Option<Block>,
    /// The names of the inputs of the story being read; the first has none.
    inputs: Vec<String>,
}

/// Reads a whole file.
///
/// # Errors
/// All faults, in order of lines.
pub fn parse(text: &str) -> Result<Trace, Vec<Fault>> {
    let mut reader = Reader {
        trace: Trace::default(),
        faults: Vec::new(),
        start: Timestamp::parse(DEFAULT_START.as_bytes()).unwrap_or_default(),
        nothing: false,
        block: None,
        inputs: Vec::new(),
    };
    let mut last = 1;
    for (index, line) in text.lines().enumerate() {
        last = index as u32 + 1;
        if let Err(reason) = reader.take(line, last) {
            reader.faults.push((last, reason));
        }
    }
    reader.close_block();
    reader.close_story();
    if reader.trace.stories.is_empty() {
        reader.faults.push((last, "there is no story in this file".into()));
    }
    reader.faults.sort_by_key(|(line, _)| *line);
    if reader.faults.is_empty() { Ok(reader.trace) } else { Err(reader.faults) }
}

impl Reader {
    /// A line as it stands: of the block being read, or of the trace.
    fn take(&mut self, line: &str, number: u32) -> Result<(), String> {
        if let Some(block) = &mut self.block {
            if line.is_empty() || line.starts_with(char::is_whitespace) {
                return block.push(line);
            }
            self.close_block();
        }
        self.read(line.trim(), number)
    }

    fn read(&mut self, line: &str, number: u32) -> Result<(), String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if line.starts_with('+') {
            return self.read_event(line, number);
        }
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim();
        if let Some((_, kind)) = BlockKind::WORDS.iter().find(|(known, _)| *known == word) {
            self.block = Some(Block::open(*kind, rest, number)?);
            return Ok(());
        }
        match word {
            "with" => self.read_with(rest, number),
            "ungated" => self.read_ungated(rest),
            "story" => self.open_story(rest, number),
            "about" => self.read_about(rest),
            "start" => self.read_start(rest),
            "restart" => self.read_restart(rest),
            "expect" => self.read_expect(rest, number),
            other => Err(format!("`{other}` begins no line (known: {WORDS})")),
        }
    }

    /// A block stands in the story it is in, or in the trace for all of them.
    fn close_block(&mut self) {
        let Some(block) = self.block.take() else { return };
        if block.lines.iter().all(String::is_empty) {
            self.faults.push((block.line, "this block is empty: indent what belongs to it".into()));
        }
        let blocks = match self.trace.stories.last_mut() {
            Some(story) => &mut story.blocks,
            None => &mut self.trace.blocks,
        };
        blocks.push(block);
    }

    fn read_ungated(&mut self, rest: &str) -> Result<(), String> {
        if !rest.is_empty() || !self.trace.stories.is_empty() {
            return Err("`ungated` stands alone, before the first story".into());
        }
        self.trace.ungated = true;
        Ok(())
    }

    fn read_about(&mut self, rest: &str) -> Result<(), String> {
        let words = rest.split_whitespace().map(str::to_string);
        let about = &mut self.story()?.about;
        about.extend(words);
        if about.is_empty() { Err("say what the story is about".into()) } else { Ok(()) }
    }

    fn read_restart(&mut self, rest: &str) -> Result<(), String> {
        if !rest.is_empty() {
            return Err("nothing may follow `restart`".into());
        }
        let story = self.story()?;
        story.restarts.push(story.records.len());
        Ok(())
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
            ..Story::default()
        });
        self.inputs = vec![String::new()];
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
        let (input, rest) = self.input(rest.trim_start())?;
        let (every, times, template) = repetition(rest)?;
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
            story.records.push(Record { time, text, line: number, input });
            time = time.plus(every);
        }
        Ok(())
    }

    /// `from NAME` in front of a record: the number of the input, and the rest.
    fn input<'t>(&mut self, text: &'t str) -> Result<(u16, &'t str), String> {
        let Some(rest) = text.strip_prefix("from ") else { return Ok((0, text)) };
        let (name, rest) =
            rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim_start(), ""));
        let known = self.inputs.iter().position(|input| input == name);
        let index = known.unwrap_or_else(|| {
            self.inputs.push(name.to_string());
            self.inputs.len() - 1
        });
        match u16::try_from(index) {
            Ok(input) if index < INPUTS_MAX => Ok((input, rest.trim_start())),
            _ => Err(format!("a story has at most {INPUTS_MAX} inputs")),
        }
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
