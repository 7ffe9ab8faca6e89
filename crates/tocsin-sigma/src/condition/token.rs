//! A condition's text cut into tokens that know their place in the file.

use crate::ast::Place;

/// The kinds of tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A search identifier, a pattern of them, or a word of the grammar.
    Word,
    /// `(`.
    Open,
    /// `)`.
    Close,
    /// `|`, which once began an aggregation.
    Pipe,
    /// A character the grammar does not know.
    Other,
}

/// A token with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// What it is.
    pub kind: Kind,
    /// Its text.
    pub text: &'a str,
    /// Where it begins.
    pub place: Place,
}

/// Cuts the text of a scalar. `raw` is the scalar as the file has it, beginning at `place`: folding
/// and quoting only change what stands between tokens, so each is found there again, in order.
pub(super) fn cut<'a>(text: &'a str, raw: &str, place: Place) -> Vec<Token<'a>> {
    let mut tokens = Vec::new();
    let mut cursor = Cursor { raw, place };
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (kind, len) = match first {
            '(' => (Kind::Open, 1),
            ')' => (Kind::Close, 1),
            '|' => (Kind::Pipe, 1),
            first if is_word(first) => (Kind::Word, rest.find(|c| !is_word(c)).unwrap_or(rest.len())),
            other => (Kind::Other, other.len_utf8()),
        };
        let text = &rest[..len];
        tokens.push(Token { kind, text, place: cursor.find(text) });
        rest = rest[len..].trim_start();
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '*')
}

/// A position in the raw text that only moves on.
struct Cursor<'r> {
    raw: &'r str,
    place: Place,
}

impl Cursor<'_> {
    /// The place of the next occurrence; the cursor moves behind it. An escaped spelling is not
    /// found: from there on the place is the last one known.
    fn find(&mut self, text: &str) -> Place {
        let Some(at) = self.raw.find(text) else {
            self.raw = "";
            return self.place;
        };
        self.advance(at);
        let found = self.place;
        self.advance(text.len());
        found
    }

    fn advance(&mut self, bytes: usize) {
        let (passed, rest) = self.raw.split_at(bytes);
        for character in passed.chars() {
            if character == '\n' {
                self.place = Place { line: self.place.line + 1, column: 1 };
            } else {
                self.place.column += 1;
            }
        }
        self.raw = rest;
    }
}
