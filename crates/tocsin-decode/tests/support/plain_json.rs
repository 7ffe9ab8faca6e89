//! JSON read the plain way: byte by byte, nothing predicted, nothing indexed. What the reader of the
//! crate must agree with, to the byte: values, their places, reasons and the places of errors.

use tocsin_core::batch::Reason;
use tocsin_core::limits::{JSON_DEPTH_MAX, OBJECT_KEYS_MAX};
use tocsin_core::value::{Kind, unescape};

/// A value under its path: how its bytes are to be read, and where they stand in the record.
pub type Seen = (String, Kind, usize, usize);

/// Why a record is refused: the reason, the byte, the field.
pub type Refused = (Reason, usize, Option<String>);

/// Reads a record: every value in it, in the order of their ends.
pub fn read(text: &[u8]) -> Result<Vec<Seen>, Refused> {
    if let Err(error) = std::str::from_utf8(text) {
        return Err((Reason::InvalidUtf8, error.valid_up_to(), None));
    }
    let mut plain = Plain { text, at: 0, seen: Vec::new() };
    plain.space();
    match plain.next() {
        Some(b'{') => {}
        Some(b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
            return Err((Reason::NotAnObject, plain.at, None));
        }
        _ => return Err((Reason::MalformedJson, plain.at, None)),
    }
    plain.object("", 1)?;
    plain.space();
    if plain.at < text.len() {
        return plain.malformed(None);
    }
    Ok(plain.seen)
}

struct Plain<'a> {
    text: &'a [u8],
    at: usize,
    seen: Vec<Seen>,
}

impl Plain<'_> {
    fn next(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.next(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn see(&mut self, path: &str, kind: Kind, from: usize, to: usize) {
        self.seen.push((path.to_string(), kind, from, to));
    }

    fn malformed<T>(&self, path: Option<&str>) -> Result<T, Refused> {
        let reason = if self.next().is_none() { Reason::Truncated } else { Reason::MalformedJson };
        Err((reason, self.at, named(path)))
    }

    fn object(&mut self, path: &str, depth: usize) -> Result<(), Refused> {
        if depth > JSON_DEPTH_MAX {
            return Err((Reason::TooDeep, self.at, None));
        }
        self.at += 1;
        self.space();
        if self.next() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut names = Vec::new();
        let mut before = path.to_string();
        loop {
            let name = self.key(&before, &names)?;
            let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            names.push(name);
            self.space();
            if self.next() != Some(b':') {
                return self.malformed(None);
            }
            self.at += 1;
            self.value(&inner, depth)?;
            self.space();
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.malformed(Some(&inner)),
            }
            self.space();
            before = inner;
        }
    }

    fn key(&mut self, before: &str, names: &[String]) -> Result<String, Refused> {
        if self.next() != Some(b'"') {
            return self.malformed(None);
        }
        let start = self.at;
        let (_, from, to) = self.string(before)?;
        let written = std::str::from_utf8(&self.text[from..to]).expect("the record is UTF-8");
        let name = unescape(written).into_owned();
        if names.len() + 1 > OBJECT_KEYS_MAX as usize {
            return Err((Reason::TooManyKeys, start, Some(written.to_string())));
        }
        if names.contains(&name) {
            return Err((Reason::DuplicateKey, start, Some(written.to_string())));
        }
        Ok(name)
    }

    fn value(&mut self, path: &str, depth: usize) -> Result<(), Refused> {
        self.space();
        let from = self.at;
        match self.next() {
            Some(b'"') => {
                let (kind, from, to) = self.string(path)?;
                self.see(path, kind, from, to);
            }
            Some(b'{') => {
                self.object(path, depth + 1)?;
                self.see(path, Kind::Object, from, self.at);
            }
            Some(b'[') => self.array(path, depth + 1)?,
            Some(b'-' | b'0'..=b'9') => {
                self.number(path)?;
                self.see(path, Kind::Number, from, self.at);
            }
            Some(b't') => self.word(path, "true", Kind::True)?,
            Some(b'f') => self.word(path, "false", Kind::False)?,
            Some(b'n') => self.word(path, "null", Kind::Null)?,
            _ => return self.malformed(Some(path)),
        }
        Ok(())
    }

    fn array(&mut self, path: &str, depth: usize) -> Result<(), Refused> {
        if depth > JSON_DEPTH_MAX {
            return Err((Reason::TooDeep, self.at, None));
        }
        let from = self.at;
        self.at += 1;
        self.space();
        if self.next() == Some(b']') {
            self.at += 1;
            self.see(path, Kind::EmptyList, from, self.at);
            return Ok(());
        }
        loop {
            if self.text[self.at..].starts_with(b"null") {
                self.word(path, "null", Kind::NullInList)?;
            } else {
                self.value(path, depth)?;
            }
            self.space();
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return self.malformed(Some(path)),
            }
            self.space();
        }
    }

    fn string(&mut self, path: &str) -> Result<(Kind, usize, usize), Refused> {
        let from = self.at + 1;
        let mut to = from;
        loop {
            match self.text.get(to) {
                Some(b'"') => break,
                Some(b'\\') => to += 2,
                Some(_) => to += 1,
                None => return Err((Reason::Truncated, self.text.len(), named(Some(path)))),
            }
        }
        self.at = to + 1;
        let inside = &self.text[from..to];
        if let Some(bad) = inside.iter().position(|byte| *byte < b' ') {
            return Err((Reason::ControlCharacter, from + bad, named(Some(path))));
        }
        let mut at = 0;
        while at < inside.len() {
            if inside[at] != b'\\' {
                at += 1;
                continue;
            }
            let known = match inside[at + 1] {
                b'u' => inside.len() >= at + 6 && inside[at + 2..at + 6].iter().all(u8::is_ascii_hexdigit),
                other => b"\"\\/bfnrt".contains(&other),
            };
            if !known {
                return Err((Reason::MalformedJson, from + at, named(Some(path))));
            }
            at += 2;
        }
        let kind = if inside.contains(&b'\\') { Kind::Escaped } else { Kind::Text };
        Ok((kind, from, to))
    }

    fn number(&mut self, path: &str) -> Result<(), Refused> {
        let bytes = &self.text[self.at..];
        let run = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let mut len = usize::from(bytes[0] == b'-');
        let whole = run(len);
        let mut good = whole == 1 || whole > 1 && bytes[len] != b'0';
        len += whole;
        if bytes.get(len) == Some(&b'.') {
            len += 1;
            good &= run(len) > 0;
            len += run(len);
        }
        if matches!(bytes.get(len), Some(b'e' | b'E')) {
            len += 1;
            len += usize::from(matches!(bytes.get(len), Some(b'+' | b'-')));
            good &= run(len) > 0;
            len += run(len);
        }
        self.at += len;
        if good { Ok(()) } else { self.malformed(Some(path)) }
    }

    fn word(&mut self, path: &str, word: &str, kind: Kind) -> Result<(), Refused> {
        if !self.text[self.at..].starts_with(word.as_bytes()) {
            return self.malformed(Some(path));
        }
        self.at += word.len();
        self.see(path, kind, self.at - word.len(), self.at);
        Ok(())
    }
}

fn named(path: Option<&str>) -> Option<String> {
    path.filter(|path| !path.is_empty()).map(str::to_string)
}
