//! Wildcard patterns, compiled: anchored whole-value match in linear time for the usual shapes.

use crate::ast::{Part, Pattern};
use crate::fold::fold;
use crate::pattern::DASHES;

#[derive(Clone, Debug)]
enum Piece {
    Literal(Box<str>),
    One,
    Dash,
}

/// A compiled pattern. Its text is folded unless the pattern is cased; so must the value be.
#[derive(Clone, Debug)]
pub struct Glob {
    /// Runs of pieces between the `*`.
    runs: Vec<Vec<Piece>>,
    open_start: bool,
    open_end: bool,
}

impl Glob {
    /// Compiles a pattern.
    #[must_use]
    pub fn new(pattern: &Pattern) -> Glob {
        let mut runs = vec![Vec::new()];
        for part in &pattern.parts {
            let piece = match part {
                Part::Any => {
                    runs.push(Vec::new());
                    continue;
                }
                Part::Literal(text) if pattern.cased => Piece::Literal(text.as_str().into()),
                Part::Literal(text) => Piece::Literal(fold(text).into()),
                Part::One => Piece::One,
                Part::Dash => Piece::Dash,
            };
            if let Some(run) = runs.last_mut() {
                run.push(piece);
            }
        }
        let open_start = matches!(pattern.parts.first(), Some(Part::Any));
        let open_end = matches!(pattern.parts.last(), Some(Part::Any));
        runs.retain(|run| !run.is_empty());
        Glob { runs, open_start, open_end }
    }

    /// Whether the whole value matches.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        let Some((last, rest)) = self.runs.split_last() else {
            return self.open_start || value.is_empty();
        };
        let mut from = 0;
        for (index, run) in rest.iter().enumerate() {
            let anchored = index == 0 && !self.open_start;
            let found = if anchored { match_run(run, value, 0) } else { find_run(run, value, from) };
            match found {
                Some(end) => from = end,
                None => return false,
            }
        }
        let single_anchored = rest.is_empty() && !self.open_start;
        match (single_anchored, self.open_end) {
            (true, true) => match_run(last, value, 0).is_some(),
            (true, false) => match_run(last, value, 0) == Some(value.len()),
            (false, true) => find_run(last, value, from).is_some(),
            (false, false) => start_of_suffix(last, value).is_some_and(|start| start >= from),
        }
    }
}

/// Matches a run at a place; returns its end.
fn match_run(run: &[Piece], value: &str, from: usize) -> Option<usize> {
    let mut at = from;
    for piece in run {
        let rest = value.get(at..)?;
        at += match piece {
            Piece::Literal(text) => rest.starts_with(&**text).then_some(text.len())?,
            Piece::One => rest.chars().next()?.len_utf8(),
            Piece::Dash => rest.chars().next().filter(|c| DASHES.contains(c))?.len_utf8(),
        };
    }
    Some(at)
}

/// Finds the first match of a run at or after a place; returns its end.
fn find_run(run: &[Piece], value: &str, from: usize) -> Option<usize> {
    if let [Piece::Literal(text)] = run {
        let found = memchr::memmem::find(&value.as_bytes()[from..], text.as_bytes())?;
        return Some(from + found + text.len());
    }
    let Some((before, text)) = run.iter().enumerate().find_map(|(at, piece)| match piece {
        Piece::Literal(text) => Some((at, text)),
        Piece::One | Piece::Dash => None,
    }) else {
        let starts = value[from..].char_indices().map(|(at, _)| from + at).chain([value.len()]);
        return starts.into_iter().find_map(|start| match_run(run, value, start));
    };
    // Each piece before the first text is one character: where the text stands, the run begins so
    // many characters before.
    let finder = memchr::memmem::Finder::new(text.as_bytes());
    let mut searched = from;
    while let Some(found) = finder.find(&value.as_bytes()[searched..]) {
        let found = searched + found;
        let start = match before {
            0 => Some(found),
            count => value[from..found].char_indices().rev().nth(count - 1).map(|(at, _)| from + at),
        };
        if let Some(end) = start.and_then(|start| match_run(run, value, start)) {
            return Some(end);
        }
        searched = found + 1;
    }
    None
}

/// Where a run that ends with the value begins.
fn start_of_suffix(run: &[Piece], value: &str) -> Option<usize> {
    let mut end = value.len();
    for piece in run.iter().rev() {
        let rest = &value[..end];
        end -= match piece {
            Piece::Literal(text) => rest.ends_with(&**text).then_some(text.len())?,
            Piece::One => rest.chars().next_back()?.len_utf8(),
            Piece::Dash => rest.chars().next_back().filter(|c| DASHES.contains(c))?.len_utf8(),
        };
    }
    Some(end)
}
