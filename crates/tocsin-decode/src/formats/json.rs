//! JSON objects: one walk over the text, nothing built.
//!
//! Strict RFC 8259 with the choices of the design: an object at the top, at most 64 levels, no key
//! twice in one object. Only values somebody wants leave a trace, as a slot into the text.

use tocsin_core::batch::{EventBatch, Reason};
use tocsin_core::limits::JSON_DEPTH_MAX;
use tocsin_core::value::Kind;

use crate::format::{Format, FormatContext, Record, Refusal};
use crate::quotes::Quotes;
use crate::registry::FormatEntry;
use crate::row::{Found, Row};
use crate::shapes::{BadKey, NodeId, ROOT, Shapes};

/// The registration of this format.
pub const ENTRY: FormatEntry = FormatEntry {
    name: "json",
    summary: "JSON objects: one per line, in an array, or one after the other",
    build: |context| Box::new(Json::new(context)),
    recognise: |record| record.trim_ascii_start().first() == Some(&b'{'),
};

/// The reader.
#[derive(Debug)]
pub struct Json {
    quotes: Quotes,
    shapes: Shapes,
}

impl Json {
    /// A reader that fills the wanted fields.
    #[must_use]
    pub fn new(context: &FormatContext) -> Json {
        Json { quotes: Quotes::default(), shapes: Shapes::new(context.taxonomy.clone()) }
    }
}

impl Format for Json {
    fn read(&mut self, record: Record<'_>, row: &mut Row, batch: &mut EventBatch) -> Result<(), Refusal> {
        self.quotes.index(record.text());
        self.shapes.make_room();
        let mut walk = Walk {
            text: record.text(),
            at: 0,
            start: record.start,
            quotes: &self.quotes,
            shapes: &mut self.shapes,
            row,
            batch,
        };
        walk.skip_space();
        if walk.peek() != Some(b'{') {
            return Err(walk.not_an_object());
        }
        walk.object(ROOT, 1)?;
        walk.skip_space();
        if walk.at < walk.text.len() {
            return Err(walk.malformed());
        }
        Ok(())
    }
}

struct Walk<'a, 'b> {
    /// The record.
    text: &'a [u8],
    /// Where the walk is.
    at: usize,
    /// Offset of the record in the batch's bytes.
    start: usize,
    quotes: &'a Quotes,
    shapes: &'b mut Shapes,
    row: &'b mut Row,
    batch: &'b mut EventBatch,
}

impl Walk<'_, '_> {
    /// Walks an object whose opening brace is next.
    fn object(&mut self, beginning: NodeId, depth: usize) -> Result<(), Refusal> {
        if depth > JSON_DEPTH_MAX {
            return Err(Refusal::new(Reason::TooDeep, self.at));
        }
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut node = beginning;
        loop {
            node = self.key(node)?;
            self.expect(b':')?;
            self.value(node, depth)?;
            self.skip_space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.skip_space();
                }
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.malformed_at(node)),
            }
        }
    }

    /// Reads a key, its opening quote next.
    #[inline(always)]
    fn key(&mut self, before: NodeId) -> Result<NodeId, Refusal> {
        if self.peek() != Some(b'"') {
            return Err(self.malformed());
        }
        if let Some((node, len)) = self.shapes.predict(before, &self.text[self.at + 1..]) {
            self.at += len + 2;
            return Ok(node);
        }
        let start = self.at;
        let (from, to, _) = self.string(before)?;
        self.shapes.follow(before, &self.text[from..to]).map_err(|bad| Refusal {
            reason: match bad {
                BadKey::Duplicate => Reason::DuplicateKey,
                BadKey::TooMany => Reason::TooManyKeys,
            },
            at: start,
            field: std::str::from_utf8(&self.text[from..to]).ok().map(Into::into),
        })
    }

    #[inline(always)]
    fn value(&mut self, node: NodeId, depth: usize) -> Result<(), Refusal> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => {
                let (from, to, kind) = self.string(node)?;
                self.put(node, kind, from, to);
                Ok(())
            }
            Some(b'{') => {
                let from = self.at;
                let inside = self.shapes.inside(node);
                self.object(inside, depth + 1)?;
                self.put(node, Kind::Object, from, self.at);
                Ok(())
            }
            Some(b'[') => self.array(node, depth + 1),
            Some(b'-' | b'0'..=b'9') => {
                let from = self.at;
                self.number(node)?;
                self.put(node, Kind::Number, from, self.at);
                Ok(())
            }
            Some(b't') => self.literal(node, b"true", Kind::True),
            Some(b'f') => self.literal(node, b"false", Kind::False),
            Some(b'n') => self.literal(node, b"null", Kind::Null),
            _ => Err(self.malformed_at(node)),
        }
    }

    /// Walks an array; its members are values of the same field.
    fn array(&mut self, node: NodeId, depth: usize) -> Result<(), Refusal> {
        if depth > JSON_DEPTH_MAX {
            return Err(Refusal::new(Reason::TooDeep, self.at));
        }
        let from = self.at;
        self.at += 1;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.at += 1;
            self.put(node, Kind::EmptyList, from, self.at);
            return Ok(());
        }
        loop {
            if self.text[self.at..].starts_with(b"null") {
                self.literal(node, b"null", Kind::NullInList)?;
            } else {
                self.value(node, depth)?;
            }
            self.skip_space();
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    self.skip_space();
                }
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.malformed_at(node)),
            }
        }
    }

    /// Reads a string, its opening quote next: the range between its quotes.
    #[inline(always)]
    fn string(&mut self, node: NodeId) -> Result<(usize, usize, Kind), Refusal> {
        let from = self.at + 1;
        let Some(to) = self.quotes.next(from) else {
            return Err(self.refusal(Reason::Truncated, self.text.len(), node));
        };
        self.at = to + 1;
        if self.quotes.has_control()
            && let Some(bad) = self.text[from..to].iter().position(|byte| *byte < 0x20)
        {
            return Err(self.refusal(Reason::ControlCharacter, from + bad, node));
        }
        if !self.quotes.backslash_between(from, to) {
            return Ok((from, to, Kind::Text));
        }
        match bad_escape(&self.text[from..to]) {
            Some(bad) => Err(self.refusal(Reason::MalformedJson, from + bad, node)),
            None => Ok((from, to, Kind::Escaped)),
        }
    }

    fn number(&mut self, node: NodeId) -> Result<(), Refusal> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let whole = self.digits();
        let leading_zero = whole > 1 && self.text[self.at - whole] == b'0';
        let mut well_formed = whole > 0 && !leading_zero;
        if self.peek() == Some(b'.') {
            self.at += 1;
            well_formed &= self.digits() > 0;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            well_formed &= self.digits() > 0;
        }
        if well_formed { Ok(()) } else { Err(self.malformed_at(node)) }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        self.at - start
    }

    fn literal(&mut self, node: NodeId, word: &[u8], kind: Kind) -> Result<(), Refusal> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.malformed_at(node));
        }
        let from = self.at;
        self.at += word.len();
        self.put(node, kind, from, self.at);
        Ok(())
    }

    #[inline(always)]
    fn put(&mut self, node: NodeId, kind: Kind, from: usize, to: usize) {
        let targets = self.shapes.targets(node);
        if !targets.is_empty() {
            let start = (self.start + from) as u32;
            self.row.put(self.batch, targets, Found { kind, start, bytes: &self.text[from..to] });
        }
    }

    #[inline(always)]
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Most senders write no space at all: one comparison then.
    #[inline(always)]
    fn skip_space(&mut self) {
        if self.peek().is_some_and(|byte| byte <= b' ') {
            self.skip_some_space();
        }
    }

    #[cold]
    fn skip_some_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Refusal> {
        self.skip_space();
        if self.peek() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.malformed())
        }
    }

    #[cold]
    fn malformed(&self) -> Refusal {
        let ended = self.at >= self.text.len();
        Refusal::new(if ended { Reason::Truncated } else { Reason::MalformedJson }, self.at)
    }

    #[cold]
    fn malformed_at(&self, node: NodeId) -> Refusal {
        let refusal = self.malformed();
        self.refusal(refusal.reason, refusal.at, node)
    }

    #[cold]
    fn refusal(&self, reason: Reason, at: usize, node: NodeId) -> Refusal {
        let field = Some(self.shapes.path(node)).filter(|path| !path.is_empty());
        Refusal { reason, at, field: field.map(Into::into) }
    }

    #[cold]
    fn not_an_object(&self) -> Refusal {
        let json = matches!(self.peek(), Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'));
        Refusal::new(if json { Reason::NotAnObject } else { Reason::MalformedJson }, self.at)
    }
}

/// Offset of the first escape that JSON does not know.
pub(crate) fn bad_escape(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &text[at..]) {
        let backslash = at + found;
        match text.get(backslash + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at = backslash + 2,
            Some(b'u') => {
                let hex = text.get(backslash + 2..backslash + 6);
                if !hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit)) {
                    return Some(backslash);
                }
                at = backslash + 6;
            }
            _ => return Some(backslash),
        }
    }
    None
}
