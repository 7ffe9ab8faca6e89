//! Messages of `su`, in the wordings of util-linux, shadow and BSD.

use super::{FAILURE, SUCCESS, Said};
use crate::text::{before, rsplit_at_word, split_at_word, split_once};

/// Reads a message of `su`.
#[must_use]
pub fn read(message: &[u8]) -> Option<Said<'_>> {
    by_shadow(message).or_else(|| by_util_linux(message)).or_else(|| by_bsd(message))
}

/// `Successful su for root by ann`, `FAILED su for root by ann`.
fn by_shadow(message: &[u8]) -> Option<Said<'_>> {
    let (outcome, rest) = match message.strip_prefix(b"Successful su for ") {
        Some(rest) => (SUCCESS, rest),
        None => (FAILURE, message.strip_prefix(b"FAILED su for ")?),
    };
    let (effective_user, user) = rsplit_at_word(rest, b" by ")?;
    Some(said(outcome, user, effective_user))
}

/// `(to root) ann on pts/0`, `FAILED SU (to root) ann on pts/0`.
fn by_util_linux(message: &[u8]) -> Option<Said<'_>> {
    let (outcome, rest) = match message.strip_prefix(b"FAILED SU ") {
        Some(rest) => (FAILURE, rest),
        None => (SUCCESS, message),
    };
    let (effective_user, rest) = split_once(rest.strip_prefix(b"(to ")?, b')')?;
    let (user, _) = rsplit_at_word(rest, b" on ")?;
    Some(said(outcome, user.trim_ascii(), effective_user))
}

/// `'su root' failed for ann on /dev/pts/8`, `BAD SU ann to root on /dev/pts/8`.
fn by_bsd(message: &[u8]) -> Option<Said<'_>> {
    if let Some(rest) = message.strip_prefix(b"BAD SU ") {
        let (user, rest) = split_at_word(rest, b" to ")?;
        return Some(said(FAILURE, user, before(rest, b' ')));
    }
    let (effective_user, rest) = split_once(message.strip_prefix(b"'su ")?, b'\'')?;
    let (outcome, rest) = match rest.strip_prefix(b" failed for ") {
        Some(rest) => (FAILURE, rest),
        None => (SUCCESS, rest.strip_prefix(b" succeeded for ")?),
    };
    Some(said(outcome, before(rest, b' '), effective_user))
}

fn said<'a>(outcome: Option<&'static str>, user: &'a [u8], effective_user: &'a [u8]) -> Said<'a> {
    Said { user, effective_user, ..Said::new("authentication", "su", outcome) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::render;

    #[test]
    fn every_wording() {
        for (message, expect) in [
            ("Successful su for root by ann", "authentication/su/success user=ann as=root"),
            ("FAILED su for root by ann", "authentication/su/failure user=ann as=root"),
            ("(to root) ann on pts/0", "authentication/su/success user=ann as=root"),
            ("FAILED SU (to root) ann on pts/0", "authentication/su/failure user=ann as=root"),
            ("'su root' failed for lonvick on /dev/pts/8", "authentication/su/failure user=lonvick as=root"),
            ("'su root' succeeded for ann on /dev/pts/8", "authentication/su/success user=ann as=root"),
            ("BAD SU ann to root on /dev/pts/1", "authentication/su/failure user=ann as=root"),
            ("+ /dev/pts/0 root:root", "su"),
            ("FAILED SU (to root", "su"),
        ] {
            assert_eq!(render("su", message), expect, "{message}");
        }
    }
}
