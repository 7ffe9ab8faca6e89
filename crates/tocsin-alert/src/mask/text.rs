//! Texts: every finder run over a string, as it is written and as it reads once its escapes are
//! undone. One pass each; a text in which nothing is found is not copied.

use std::ops::Range;

use super::escapes::Unescaped;
use super::known::Known;
use super::{address, email, secret};

/// Something in a text that is to be hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    /// Where it stands, in bytes.
    pub range: Range<usize>,
    /// What stands there afterwards.
    pub shown: String,
}

/// What is looked for, in this order: an address may be part of a secret, and the domain of an
/// e-mail address.
const KINDS: [Kind; 4] = [Kind::Known, Kind::Secret, Kind::Email, Kind::Address];

/// Passes over a text: what one leaves may grow together with what stands beside it. Each hides
/// everything it finds, so that a text which needs more is only less tidy.
const PASSES_MAX: usize = 4;

#[derive(Clone, Copy)]
enum Kind {
    Known,
    Secret,
    Email,
    Address,
}

impl Kind {
    /// The next of its kind from a position on.
    fn find(self, known: &Known, text: &str, from: usize) -> Option<Hit> {
        match self {
            Kind::Known => known.find(text, from),
            Kind::Secret => secret::find(text, from),
            Kind::Email => email::find(text, from),
            Kind::Address => address::find(text, from),
        }
    }
}

/// What is shown of a text; none where nothing in it is to be hidden.
pub(super) fn masked(text: &str, known: &Known) -> Option<String> {
    let mut shown = pass(text, known, &KINDS)?;
    for _ in 1..PASSES_MAX {
        match pass(&shown, known, &KINDS) {
            Some(next) => shown = next,
            None => break,
        }
    }
    Some(shown)
}

/// What is shown of a text that is about to be cut: its beginning may be an address of few
/// characters.
pub(super) fn without_addresses(text: &str) -> Option<String> {
    pass(text, &Known::default(), &[Kind::Email, Kind::Address])
}

/// The text with everything of these kinds replaced; none where that changes nothing.
fn pass(text: &str, known: &Known, kinds: &[Kind]) -> Option<String> {
    let mut shown: Option<String> = None;
    for kind in kinds {
        let current = shown.as_deref().unwrap_or(text);
        let next = replaced(current, |at| at, |from| kind.find(known, current, from));
        shown = next.or(shown);
    }
    for kind in kinds {
        let current = shown.as_deref().unwrap_or(text);
        let Some(plain) = Unescaped::of(current) else { break };
        let next = replaced(current, |at| plain.written_at(at), |from| kind.find(known, &plain.text, from));
        shown = next.or(shown);
    }
    shown.filter(|shown| shown != text)
}

/// The text with everything a finder finds replaced. `written` leads from a finder's positions to
/// those of the text.
fn replaced(
    text: &str,
    written: impl Fn(usize) -> usize,
    find: impl Fn(usize) -> Option<Hit>,
) -> Option<String> {
    let mut next = find(0);
    next.as_ref()?;
    let mut out = String::with_capacity(text.len());
    let mut kept = 0;
    while let Some(hit) = next {
        out.push_str(&text[kept..written(hit.range.start)]);
        out.push_str(&hit.shown);
        kept = written(hit.range.end);
        next = find(hit.range.end);
    }
    out.push_str(&text[kept..]);
    Some(out)
}
