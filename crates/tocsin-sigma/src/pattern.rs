//! Sigma text with wildcards: reading its escapes, and the reference way to match it.
//!
//! [`Pattern::matches`] is slow and plainly right; `explain` and the tests use it. The matcher that
//! meets every event is built elsewhere and must agree with it.

use crate::ast::{Part, Pattern};
use crate::fold::fold_char;

/// What [`Part::Dash`] stands for: hyphen, slash, en dash, em dash, horizontal bar.
pub const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];

impl Pattern {
    /// Reads Sigma text: `*` and `?` are wildcards, a backslash takes the meaning from a wildcard
    /// or a backslash after it, and before any other character (or at the end) is itself.
    #[must_use]
    pub fn parse(text: &str) -> Pattern {
        let mut pattern = Pattern { parts: Vec::new(), cased: false };
        let mut chars = text.chars().peekable();
        while let Some(current) = chars.next() {
            match current {
                '*' => pattern.push(Part::Any),
                '?' => pattern.push(Part::One),
                '\\' => {
                    let escaped = chars.next_if(|next| matches!(next, '*' | '?' | '\\'));
                    pattern.push_char(escaped.unwrap_or('\\'));
                }
                other => pattern.push_char(other),
            }
        }
        pattern
    }

    /// Exactly this text, no wildcards.
    #[must_use]
    pub fn literal(text: &str) -> Pattern {
        let mut pattern = Pattern { parts: Vec::new(), cased: false };
        if !text.is_empty() {
            pattern.push(Part::Literal(text.to_owned()));
        }
        pattern
    }

    /// The text, if there is nothing but text.
    #[must_use]
    pub fn as_literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }

    /// Appends a part, joining neighbouring literals and neighbouring `*`.
    pub fn push(&mut self, part: Part) {
        match (self.parts.last_mut(), part) {
            (Some(Part::Literal(before)), Part::Literal(text)) => before.push_str(&text),
            (Some(Part::Any), Part::Any) => {}
            (_, part) => self.parts.push(part),
        }
    }

    /// Appends one literal character.
    pub fn push_char(&mut self, character: char) {
        match self.parts.last_mut() {
            Some(Part::Literal(before)) => before.push(character),
            _ => self.parts.push(Part::Literal(character.to_string())),
        }
    }

    /// Lets the value begin with anything (`endswith`, `contains`).
    pub fn open_start(&mut self) {
        if self.parts.first() != Some(&Part::Any) {
            self.parts.insert(0, Part::Any);
        }
    }

    /// Lets the value go on with anything (`startswith`, `contains`).
    pub fn open_end(&mut self) {
        self.push(Part::Any);
    }

    /// This pattern with every `-` or `/` that begins an option made a [`Part::Dash`]
    /// (the places of `\B[-/]\b`; a wildcard is no word character).
    #[must_use]
    pub fn with_dashes(&self) -> Pattern {
        let mut pattern = Pattern { parts: Vec::new(), cased: self.cased };
        for part in &self.parts {
            let Part::Literal(text) = part else {
                pattern.push(part.clone());
                continue;
            };
            let mut before = None;
            let mut chars = text.chars().peekable();
            while let Some(current) = chars.next() {
                let begins_option = matches!(current, '-' | '/')
                    && !before.is_some_and(is_word)
                    && chars.peek().copied().is_some_and(is_word);
                if begins_option {
                    pattern.push(Part::Dash);
                } else {
                    pattern.push_char(current);
                }
                before = Some(current);
            }
        }
        pattern
    }

    /// Every way to write its [`Part::Dash`]es, without one.
    #[must_use]
    pub fn each_dash(&self) -> Vec<Pattern> {
        let mut all = vec![Pattern { parts: Vec::new(), cased: self.cased }];
        for part in &self.parts {
            if *part == Part::Dash {
                let with = |before: &Pattern, dash| {
                    let mut pattern = before.clone();
                    pattern.push_char(dash);
                    pattern
                };
                all = all.iter().flat_map(|before| DASHES.map(|dash| with(before, dash))).collect();
            } else {
                all.iter_mut().for_each(|pattern| pattern.push(part.clone()));
            }
        }
        all
    }

    /// Whether the whole value matches: every pattern position is carried along every character.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        if let [Part::Literal(start), Part::Any] = &*self.parts
            && self.cased
        {
            return value.starts_with(&**start);
        }
        let steps = self.steps();
        let mut reached = vec![false; steps.len() + 1];
        reached[0] = true;
        skip_any(&steps, &mut reached);
        for character in value.chars() {
            let mut next = vec![false; steps.len() + 1];
            for (at, step) in steps.iter().enumerate().filter(|(at, _)| reached[*at]) {
                match step {
                    Step::Any => next[at] = true,
                    step => next[at + 1] |= step.accepts(character, self.cased),
                }
            }
            skip_any(&steps, &mut next);
            reached = next;
        }
        reached[steps.len()]
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) if self.cased => steps.extend(text.chars().map(Step::Char)),
                Part::Literal(text) => steps.extend(text.chars().map(fold_char).map(Step::Char)),
                Part::Any => steps.push(Step::Any),
                Part::One => steps.push(Step::One),
                Part::Dash => steps.push(Step::Dash),
            }
        }
        steps
    }
}

/// One step of a pattern: a character, or a wildcard.
enum Step {
    Char(char),
    Any,
    One,
    Dash,
}

impl Step {
    /// Whether the step takes exactly this character.
    fn accepts(&self, character: char, cased: bool) -> bool {
        match self {
            Step::Char(wanted) if cased => *wanted == character,
            Step::Char(wanted) => *wanted == fold_char(character),
            Step::One | Step::Any => true,
            Step::Dash => DASHES.contains(&character),
        }
    }
}

/// `*` may be empty: whoever stands before one also stands behind it.
fn skip_any(steps: &[Step], reached: &mut [bool]) {
    for (at, step) in steps.iter().enumerate() {
        if reached[at] && matches!(step, Step::Any) {
            reached[at + 1] = true;
        }
    }
}

/// A word character of `\b`.
fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
#[path = "pattern_tests.rs"]
mod tests;
