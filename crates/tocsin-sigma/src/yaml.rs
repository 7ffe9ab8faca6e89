//! YAML text as a tree in which every node knows its place.
//!
//! A tree of our own, because a rule needs what deserialising loses: whether a scalar was quoted
//! (`4625` is a number, `'4625'` is text), its spelling, and where it stands. Aliases are refused:
//! they are what makes small YAML files large.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use crate::ast::Place;
use crate::finding::Findings;
use crate::limits::{YAML_ALIASES_MAX, YAML_DEPTH_MAX};

/// One document's part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its text, with the `---` line that opens it.
    pub text: &'a str,
    /// The number of its first line in the file, from 1.
    pub first_line: u32,
}

impl Piece<'_> {
    /// The place of a byte of its text.
    #[must_use]
    pub fn place(&self, at: usize) -> Place {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        let lines = before.matches('\n').count() as u32;
        let column = before[line_start..].chars().count() as u32 + 1;
        Place { line: self.first_line + lines, column }
    }
}

/// A node with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub place: Place,
    /// Its bytes in the text of its [`Piece`]; empty for an empty value.
    pub source: Range<usize>,
    /// What it is.
    pub data: Data,
}

/// The kinds of nodes.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// A single value.
    Scalar(Scalar),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in the order written.
    Map(Vec<Entry>),
}

/// One `key: value` of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key begins.
    pub key_place: Place,
    /// The value. An empty one stands where its key does.
    pub value: Node,
}

/// A single value as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scalar {
    /// Its text, quotes and escapes undone.
    pub text: String,
    /// Whether it was written without quotes, so that it may be more than text.
    pub plain: bool,
}

/// What a scalar is under the YAML 1.2 core schema.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer or a floating-point number.
    Number(f64),
    /// Anything else, `yes`, `no` and dates among it.
    Text,
}

impl Scalar {
    /// What it is (YAML 1.2.2, section 10.3.2). `.inf` and `.nan` are read as text: in a rule they
    /// are file extensions.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if !self.plain {
            return Kind::Text;
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
            "true" | "True" | "TRUE" => Kind::Bool(true),
            "false" | "False" | "FALSE" => Kind::Bool(false),
            text => number(text).map_or(Kind::Text, Kind::Number),
        }
    }
}

impl Node {
    /// The scalar, if it is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.data {
            Data::Scalar(scalar) => Some(scalar),
            Data::List(_) | Data::Map(_) => None,
        }
    }

    /// The text of a scalar that is not null.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.scalar().filter(|scalar| scalar.kind() != Kind::Null).map(|scalar| scalar.text.as_str())
    }

    /// The entry of that key, if this is a mapping that has it.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The entries of a mapping; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        match &self.data {
            Data::Map(entries) => entries,
            Data::Scalar(_) | Data::List(_) => &[],
        }
    }

    /// Whether it is null: `null`, `~`, or nothing written.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|scalar| scalar.kind() == Kind::Null)
    }
}

/// The value of an integer (decimal, `0o`, `0x`) or a float of the core schema.
fn number(text: &str) -> Option<f64> {
    for (prefix, radix) in [("0o", 8), ("0x", 16)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let all_digits = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
            return if all_digits {
                u128::from_str_radix(digits, radix).ok().map(|n| n as f64)
            } else {
                None
            };
        }
    }
    // The schema's shapes are a subset of what the standard library reads: it would also take
    // `inf`, `nan` and `infinity`.
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let shaped = unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && unsigned.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if shaped { text.parse().ok() } else { None }
}

/// Cuts a file at its document markers. The markers count wherever they begin a line: YAML forbids
/// them inside scalars. Pieces without content are left out, so that one broken document hides
/// none of the others.
#[must_use]
pub fn split(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut first_line = 1;
    let mut at = 0;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        if is_marker(line, "---") {
            pieces.push(Piece { text: &text[start..at], first_line });
            (start, first_line) = (at, number);
        }
        at += line.len();
        if is_marker(line, "...") {
            pieces.push(Piece { text: &text[start..at], first_line });
            (start, first_line) = (at, number + 1);
        }
    }
    pieces.push(Piece { text: &text[start..], first_line });
    pieces.retain(has_content);
    pieces
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
}

/// Whether a piece holds more than blank lines, comments, directives and bare markers.
fn has_content(piece: &Piece<'_>) -> bool {
    piece.text.lines().any(|line| {
        let is_mark = is_marker(line, "---") || is_marker(line, "...");
        let rest = if is_mark { &line[3..] } else { line };
        let rest = rest.trim_start();
        !(rest.is_empty() || rest.starts_with('#') || line.starts_with('%'))
    })
}

/// Reads one document. `None` (and a finding) when its syntax is broken; aliases, tags and repeated
/// keys are findings too, but the tree goes on. A document of more than `nodes_max` nodes is given up.
pub fn read(findings: &mut Findings, piece: Piece<'_>, nodes_max: usize) -> Option<Node> {
    let mut options = granit_parser::options! {
        flow_nesting_limit: YAML_DEPTH_MAX,
        block_nesting_limit: YAML_DEPTH_MAX,
    };
    options.set_emit_comments(false);
    let events = Parser::new_from_str_with_options(piece.text, options);
    let mut reader = Reader { findings, events, aliases: 0, room: nodes_max, piece };
    reader.document().ok()
}

/// The syntax is broken; the finding is recorded.
struct Broken;

/// What the parser's words are a sign of, by a part of them, and what to do then. The first wins.
const SYNTAX_HINTS: [(&str, &str); 9] = [
    ("unexpected character", "put the value in quotes"),
    ("tab", "indent with spaces: YAML takes no tabs there"),
    ("bracket", "close every bracket; a value that begins with `[` or `{` needs quotes"),
    ("mapping values", "put a value that holds `: ` in quotes"),
    ("unknown escape", "use single quotes: in double quotes a backslash begins an escape"),
    ("quoted scalar", "close the quote; the lines of a quoted value are indented more than its key"),
    ("unknown anchor", "put a value that begins with `*` in quotes"),
    ("limit exceeded", "nest lists and mappings less deeply"),
    ("", "check the indentation, and put values with special characters in quotes"),
];

/// What the parser says is wrong, and what to do about it.
fn explained(info: String) -> (String, &'static str) {
    if info.contains("unexpected character: `\\u{") {
        let reason = info.replace("unexpected character:", "a control character:");
        return (reason, "remove it; between double quotes it can be written as an escape");
    }
    let hint = SYNTAX_HINTS.iter().find(|(sign, _)| info.contains(sign)).map_or("", |(_, hint)| hint);
    (info, hint)
}

struct Reader<'a, 'f> {
    findings: &'f mut Findings,
    events: Parser<'a, StrInput<'a>>,
    /// Aliases met so far.
    aliases: usize,
    /// Nodes there may still be.
    room: usize,
    piece: Piece<'a>,
}

impl<'a> Reader<'a, '_> {
    fn document(&mut self) -> Result<Node, Broken> {
        loop {
            let (event, span) = self.next()?;
            if !matches!(event, Event::StreamStart | Event::DocumentStart(..)) {
                let root = self.node(event, span)?;
                // Broken syntax may still follow the root.
                while !matches!(self.next()?, (Event::StreamEnd, _)) {}
                return Ok(root);
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Broken> {
        match self.events.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.broken(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn broken(&mut self, error: &ScanError) -> Broken {
        let place = self.place(error.marker().line(), error.marker().col());
        let (reason, hint) = explained(error.info());
        self.findings.error_with_hint(place, "yaml_syntax", format!("this is no YAML: {reason}"), hint);
        Broken
    }

    fn place(&self, line: usize, column: usize) -> Place {
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Place { line: self.piece.first_line + number(line) - 1, column: number(column) + 1 }
    }

    fn node(&mut self, event: Event<'a>, span: Span) -> Result<Node, Broken> {
        let place = self.place(span.start.line(), span.start.col());
        let Some(room) = self.room.checked_sub(1) else {
            let hint = "split it, and put long lists into the file of `--placeholders`";
            self.findings.error_with_hint(
                place,
                "too_many_nodes",
                "the document holds too many values",
                hint,
            );
            return Err(Broken);
        };
        self.room = room;
        let source = span.byte_range().unwrap_or_default();
        let data = match event {
            Event::Scalar(text, style, _, tag) => Data::Scalar(self.scalar(place, &source, text, style, tag)),
            Event::SequenceStart(_, _, tag) => {
                self.refuse_tag(place, tag.as_deref());
                Data::List(self.list()?)
            }
            Event::MappingStart(_, _, tag) => {
                self.refuse_tag(place, tag.as_deref());
                Data::Map(self.map()?)
            }
            Event::Alias(_) => {
                let hint = "write the value out where it is needed";
                self.findings.error_with_hint(place, "yaml_alias", "aliases are not followed", hint);
                self.aliases += 1;
                if self.aliases >= YAML_ALIASES_MAX {
                    return Err(Broken);
                }
                Data::Scalar(Scalar { text: String::new(), plain: true })
            }
            _ => Data::Scalar(Scalar { text: String::new(), plain: true }),
        };
        Ok(Node { place, source, data })
    }

    fn scalar(
        &mut self,
        place: Place,
        source: &Range<usize>,
        text: Cow<'a, str>,
        style: ScalarStyle,
        tag: Option<Cow<'a, Tag>>,
    ) -> Scalar {
        let is_text = tag.as_ref().is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix() == "str");
        if !is_text {
            self.refuse_tag(place, tag.as_deref());
        }
        let plain = style == ScalarStyle::Plain && !is_text;
        // The parser writes `~` for a value that is not there at all.
        let text = if plain && source.is_empty() { String::new() } else { text.into_owned() };
        Scalar { text, plain }
    }

    fn refuse_tag(&mut self, place: Place, tag: Option<&Tag>) {
        if let Some(tag) = tag {
            let reason = format!("the tag of type `{}` has no meaning in a rule", tag.suffix());
            self.findings.error(place, "yaml_tag", reason);
        }
    }

    fn list(&mut self) -> Result<Vec<Node>, Broken> {
        let mut nodes = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd | Event::StreamEnd, _) => return Ok(nodes),
                (event, span) => nodes.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Vec<Entry>, Broken> {
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd | Event::StreamEnd, _) => return Ok(entries),
                (event, span) => self.node(event, span)?,
            };
            let (event, span) = self.next()?;
            let mut value = self.node(event, span)?;
            if value.source.is_empty() && value.is_null() {
                value.place = key.place;
            }
            let Data::Scalar(Scalar { text, .. }) = key.data else {
                self.findings.error(key.place, "yaml_key", "a key must be a single value");
                continue;
            };
            if seen.insert(text.clone()) {
                entries.push(Entry { key: text, key_place: key.place, value });
            } else {
                let reason = format!("the key `{text}` stands here twice");
                self.findings.error(key.place, "duplicate_key", reason);
            }
        }
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
