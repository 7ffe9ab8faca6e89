//! JSON objects: one walk over the text, nothing built.
//!
//! Strict RFC 8259 with the choices of the design: an object at the top, at most 64 levels, no key
//! twice in one object. Only values somebody wants leave a trace, as a slot into the text.

use tocsin_core::batch::{EventBatch, Reason};
use tocsin_core::limits::JSON_DEPTH_MAX;
use tocsin_core::value::Kind;

use crate::blocks::{self, BLOCK, Marks, Task};
use crate::format::{Format, FormatContext, Record, Refusal};
use crate::quotes::Quotes;
use crate::registry::FormatEntry;
use crate::row::{Found, Row};
use crate::shapes::{BadKey, NodeId, ROOT, Shapes, Wanted, Way};

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
        let (text, beyond) = (record.text(), &record.bytes[record.start..]);
        self.quotes.index(beyond, text.len());
        self.shapes.make_room();
        let (quotes, shapes) = (&self.quotes, &mut self.shapes);
        let mut walk = Walk { text, beyond, start: record.start, quotes, shapes, row, batch };
        let begin = walk.skip_space(0);
        if walk.peek(begin) != Some(b'{') {
            return Err(walk.not_an_object(begin));
        }
        let end = walk.object(begin, ROOT, 1)?;
        let end = walk.skip_space(end);
        if end < text.len() { Err(walk.malformed(end)) } else { Ok(()) }
    }
}

/// What the walk over a record needs. Where it is goes from hand to hand: the methods that read
/// take the offset they begin at, and return the one they end at.
struct Walk<'a, 'b> {
    /// The record.
    text: &'a [u8],
    /// The record and everything behind it in the batch, so that a look ahead need not end with it.
    beyond: &'a [u8],
    /// Offset of the record in the batch's bytes.
    start: usize,
    quotes: &'a Quotes,
    shapes: &'b mut Shapes,
    row: &'b mut Row,
    batch: &'b mut EventBatch,
}

/// The walk over the members of an object, for which wide instructions pay.
struct Members<'w, 'a, 'b> {
    walk: &'w mut Walk<'a, 'b>,
    at: usize,
    beginning: NodeId,
    depth: usize,
}

impl Task for Members<'_, '_, '_> {
    type Answer = Result<usize, Refusal>;

    #[inline(always)]
    fn run(
        self,
        _: impl Fn(&[u8; BLOCK]) -> Marks,
        _: impl Fn(&[u8; BLOCK], u8) -> u64,
    ) -> Result<usize, Refusal> {
        self.walk.members(self.at, self.beginning, self.depth)
    }
}

/// What follows a brace or a value in an object.
enum Next {
    /// A key; its value is at this offset.
    Key(NodeId, usize),
    /// The end of the object, at this offset.
    End(usize),
}

impl Walk<'_, '_> {
    /// Walks an object from its opening brace.
    fn object(&mut self, brace: usize, beginning: NodeId, depth: usize) -> Result<usize, Refusal> {
        if depth > JSON_DEPTH_MAX {
            return Err(Refusal::new(Reason::TooDeep, brace));
        }
        blocks::run(Members { walk: self, at: brace + 1, beginning, depth })
    }

    /// Walks what is in an object up to its closing brace.
    #[inline(always)]
    fn members(&mut self, from: usize, beginning: NodeId, depth: usize) -> Result<usize, Refusal> {
        let (mut node, mut at) = (beginning, from);
        loop {
            let (wanted, first);
            if let Some((way, byte)) = self.usual_key(node, at) {
                (node, at, wanted, first) = (way.to, at + way.len as usize, way.wanted, Some(byte));
            } else {
                if self.peek(at) == Some(b'}') && node != beginning {
                    return Ok(at + 1);
                }
                match self.find_key(node, at)? {
                    Next::Key(key, value) => (node, at) = (key, value),
                    Next::End(end) => return Ok(end),
                }
                (wanted, first) = (self.shapes.wanted(node), self.peek(at));
            }
            if first == Some(b'"') {
                if let Some((kind, end)) = self.quotes.near_end(at + 1) {
                    self.put(wanted, kind, at + 1, end);
                    at = end + 1;
                    continue;
                }
            } else if let Some((kind, end)) = self.short_scalar(at) {
                self.put(wanted, kind, at, end);
                at = end;
                continue;
            }
            at = self.value(node, at, depth)?;
        }
    }

    /// The key that was here last time, if it is here again, and the first byte of its value.
    #[inline(always)]
    fn usual_key(&self, before: NodeId, at: usize) -> Option<(&Way, u8)> {
        let ahead = self.beyond.get(at..)?.first_chunk()?;
        let way = self.shapes.usual(before);
        let first = *self.text.get(at + way.len as usize)?;
        way.begins(ahead).then_some((way, first))
    }

    /// Finds what follows where the usual key does not.
    fn find_key(&mut self, before: NodeId, from: usize) -> Result<Next, Refusal> {
        let first = self.shapes.is_beginning(before);
        let mut at = self.skip_space(from);
        if self.peek(at) == Some(b'}') {
            return Ok(Next::End(at + 1));
        }
        let ahead = self.text[from..].first_chunk();
        if let Some(way) = ahead.and_then(|ahead| self.shapes.other(before, ahead)) {
            return Ok(Next::Key(way.to, from + way.len as usize));
        }
        if !first {
            if self.peek(at) != Some(b',') {
                return Err(self.malformed_in(before, at));
            }
            at = self.skip_space(at + 1);
        }
        if self.peek(at) != Some(b'"') {
            return Err(self.malformed(at));
        }
        let (end, _) = self.string(before, at + 1)?;
        let key = &self.text[at + 1..end];
        let node = self.shapes.follow(before, key).map_err(|bad| Refusal {
            reason: match bad {
                BadKey::Duplicate => Reason::DuplicateKey,
                BadKey::TooMany => Reason::TooManyKeys,
            },
            at,
            field: std::str::from_utf8(key).ok().map(Into::into),
        })?;
        at = self.skip_space(end + 1);
        if self.peek(at) != Some(b':') {
            return Err(self.malformed(at));
        }
        at = self.skip_space(at + 1);
        self.shapes.remember(before, node, &self.text[from..at]);
        Ok(Next::Key(node, at))
    }

    /// Walks any value.
    #[inline(never)]
    fn value(&mut self, node: NodeId, from: usize, depth: usize) -> Result<usize, Refusal> {
        let wanted = self.shapes.wanted(node);
        let at = self.skip_space(from);
        match self.peek(at) {
            Some(b'"') => {
                let (end, kind) = self.string(node, at + 1)?;
                self.put(wanted, kind, at + 1, end);
                Ok(end + 1)
            }
            Some(b'{') => {
                let inside = self.shapes.inside(node);
                let end = self.object(at, inside, depth + 1)?;
                self.put(wanted, Kind::Object, at, end);
                Ok(end)
            }
            Some(b'[') => self.array(node, at, depth + 1),
            Some(b'-' | b'0'..=b'9') => {
                let end = self.number(node, at)?;
                self.put(wanted, Kind::Number, at, end);
                Ok(end)
            }
            Some(b't') => self.literal(node, at, b"true", Kind::True),
            Some(b'f') => self.literal(node, at, b"false", Kind::False),
            Some(b'n') => self.literal(node, at, b"null", Kind::Null),
            _ => Err(self.malformed_in(node, at)),
        }
    }

    /// Walks an array from its bracket; its members are values of the same field.
    fn array(&mut self, node: NodeId, bracket: usize, depth: usize) -> Result<usize, Refusal> {
        if depth > JSON_DEPTH_MAX {
            return Err(Refusal::new(Reason::TooDeep, bracket));
        }
        let mut at = self.skip_space(bracket + 1);
        if self.peek(at) == Some(b']') {
            self.put(self.shapes.wanted(node), Kind::EmptyList, bracket, at + 1);
            return Ok(at + 1);
        }
        loop {
            at = if self.text[at..].starts_with(b"null") {
                self.literal(node, at, b"null", Kind::NullInList)?
            } else {
                self.value(node, at, depth)?
            };
            at = self.skip_space(at);
            match self.peek(at) {
                Some(b',') => at = self.skip_space(at + 1),
                Some(b']') => return Ok(at + 1),
                _ => return Err(self.malformed_in(node, at)),
            }
        }
    }

    /// Reads a string from behind its opening quote; returns where its closing quote is.
    fn string(&self, node: NodeId, from: usize) -> Result<(usize, Kind), Refusal> {
        let Some(end) = self.quotes.end(from) else {
            return Err(self.refusal(Reason::Truncated, self.text.len(), node));
        };
        if end.odd {
            self.check_odd(node, from, end.at)?;
        }
        Ok((end.at, end.kind))
    }

    /// Looks at everything odd in a string.
    fn check_odd(&self, node: NodeId, from: usize, to: usize) -> Result<(), Refusal> {
        let mut bad_escape = None;
        let mut from = from;
        while let Some(odd) = self.quotes.odd(from).filter(|odd| *odd < to) {
            if self.text[odd] < b' ' {
                return Err(self.refusal(Reason::ControlCharacter, odd, node));
            }
            let hex = self.text.get(odd + 1..odd + 5);
            let good = self.text[odd] == b'u' && hex.is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
            if !good {
                bad_escape.get_or_insert(odd - 1);
            }
            from = odd + 1;
        }
        match bad_escape {
            Some(bad) => Err(self.refusal(Reason::MalformedJson, bad, node)),
            None => Ok(()),
        }
    }

    /// A number of a few digits or a word, with nothing unusual about it: what it is, and its end.
    #[inline(always)]
    fn short_scalar(&self, at: usize) -> Option<(Kind, usize)> {
        let ahead = u64::from_le_bytes(*self.beyond.get(at..)?.first_chunk()?);
        let (kind, len) = short_scalar(ahead)?;
        (at + len < self.text.len()).then_some((kind, at + len))
    }

    fn number(&self, node: NodeId, from: usize) -> Result<usize, Refusal> {
        let mut at = from + usize::from(self.peek(from) == Some(b'-'));
        let whole = self.digits(at);
        let leading_zero = whole > 1 && self.text[at] == b'0';
        let mut well_formed = whole > 0 && !leading_zero;
        at += whole;
        if self.peek(at) == Some(b'.') {
            let fraction = self.digits(at + 1);
            well_formed &= fraction > 0;
            at += 1 + fraction;
        }
        if matches!(self.peek(at), Some(b'e' | b'E')) {
            at += 1 + usize::from(matches!(self.peek(at + 1), Some(b'+' | b'-')));
            let exponent = self.digits(at);
            well_formed &= exponent > 0;
            at += exponent;
        }
        if well_formed { Ok(at) } else { Err(self.malformed_in(node, at)) }
    }

    fn digits(&self, from: usize) -> usize {
        self.text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count()
    }

    fn literal(&mut self, node: NodeId, from: usize, word: &[u8], kind: Kind) -> Result<usize, Refusal> {
        if !self.text[from..].starts_with(word) {
            return Err(self.malformed_in(node, from));
        }
        self.put(self.shapes.wanted(node), kind, from, from + word.len());
        Ok(from + word.len())
    }

    #[inline(always)]
    fn put(&mut self, wanted: Wanted, kind: Kind, from: usize, to: usize) {
        let Some(first) = wanted.first else { return };
        let start = (self.start + from) as u32;
        let found = Found { kind, start, bytes: &self.text[from..to] };
        self.row.put_one(self.batch, first, &found);
        if wanted.several() {
            self.row.put(self.batch, self.shapes.others(wanted), found);
        }
    }

    #[inline(always)]
    fn peek(&self, at: usize) -> Option<u8> {
        self.text.get(at).copied()
    }

    fn skip_space(&self, from: usize) -> usize {
        let mut at = from;
        while matches!(self.peek(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            at += 1;
        }
        at
    }

    #[cold]
    fn malformed(&self, at: usize) -> Refusal {
        let ended = at >= self.text.len();
        Refusal::new(if ended { Reason::Truncated } else { Reason::MalformedJson }, at)
    }

    #[cold]
    fn malformed_in(&self, node: NodeId, at: usize) -> Refusal {
        self.refusal(self.malformed(at).reason, at, node)
    }

    #[cold]
    fn refusal(&self, reason: Reason, at: usize, node: NodeId) -> Refusal {
        let field = Some(self.shapes.path(node)).filter(|path| !path.is_empty());
        Refusal { reason, at, field: field.map(Into::into) }
    }

    #[cold]
    fn not_an_object(&self, at: usize) -> Refusal {
        let json = matches!(self.peek(at), Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'));
        Refusal::new(if json { Reason::NotAnObject } else { Reason::MalformedJson }, at)
    }
}

/// What eight bytes begin with, if it is a whole number of up to seven digits or a word of JSON, and
/// a comma or a bracket comes after it.
#[inline(always)]
fn short_scalar(bytes: u64) -> Option<(Kind, usize)> {
    let first = bytes as u8;
    let (kind, len) = if first.is_ascii_digit() {
        let len = leading_digits(bytes);
        let leading_zero = first == b'0' && len > 1;
        (Kind::Number, if leading_zero { 8 } else { len })
    } else {
        match bytes as u32 {
            TRUE => (Kind::True, 4),
            NULL => (Kind::Null, 4),
            FALS if (bytes >> 32) as u8 == b'e' => (Kind::False, 5),
            _ => return None,
        }
    };
    let after = bytes.checked_shr(8 * len as u32)? as u8;
    matches!(after, b',' | b'}' | b']').then_some((kind, len))
}

const TRUE: u32 = u32::from_le_bytes(*b"true");
const NULL: u32 = u32::from_le_bytes(*b"null");
const FALS: u32 = u32::from_le_bytes(*b"fals");

/// How many of eight bytes are digits, counted from the first up to one that is not.
#[inline(always)]
fn leading_digits(bytes: u64) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let values = bytes ^ (EACH * u64::from(b'0'));
    // The top bit of a byte is set where its value is above nine; what is carried goes upwards only,
    // away from the first of them.
    let others = (values.wrapping_add(EACH * 0x76) | values) & (EACH * 0x80);
    others.trailing_zeros() as usize / 8
}
