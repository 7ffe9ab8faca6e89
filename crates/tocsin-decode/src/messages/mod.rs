//! What the messages of well-known programs say, beneath their syslog header.
//!
//! One file per family of programs. A reader takes a message and returns what it says, as parts
//! of the message, or nothing when it does not know it: the event then has its syslog fields
//! only. Where a program logs one attempt in several lines, exactly one of them carries the
//! outcome, so that a count of failures counts attempts.

pub mod accounts;
pub mod pam;
pub mod sshd;
pub mod su;
pub mod sudo;

use crate::row::Stated;

/// What a message says. Parts that are not there are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Said<'a> {
    /// Category, action and outcome.
    pub stated: Stated,
    /// The account that acts or is acted upon.
    pub user: &'a [u8],
    /// The account whose rights are taken on.
    pub effective_user: &'a [u8],
    /// The group concerned.
    pub group: &'a [u8],
    /// Address or host name of the other end.
    pub source: &'a [u8],
    /// Port of the other end.
    pub port: &'a [u8],
    /// The command run.
    pub command: &'a [u8],
    /// The directory it runs in.
    pub directory: &'a [u8],
    /// The terminal it runs on.
    pub terminal: &'a [u8],
}

impl Said<'_> {
    /// A message of this category and action, without any part yet.
    #[must_use]
    pub fn new(category: &'static str, action: &'static str, outcome: Option<&'static str>) -> Self {
        let stated = Stated { category: Some(category), action: Some(action), outcome, ..Stated::default() };
        Said { stated, ..Said::default() }
    }
}

/// Reads the messages of one family of programs.
type Reader = for<'a> fn(&'a [u8]) -> Option<Said<'a>>;

/// Programs, Sigma's log source service for them, and their reader.
const PROGRAMS: &[(&[u8], &str, Reader)] = &[
    (b"sshd", "sshd", sshd::read),
    (b"sshd-session", "sshd", sshd::read),
    (b"sshd-auth", "sshd", sshd::read),
    (b"sudo", "sudo", sudo::read),
    (b"su", "su", su::read),
    (b"CRON", "cron", nothing),
    (b"cron", "cron", nothing),
    (b"crond", "cron", nothing),
    (b"/usr/sbin/cron", "cron", nothing),
    (b"useradd", OTHER, accounts::read),
    (b"adduser", OTHER, accounts::read),
    (b"usermod", OTHER, accounts::read),
    (b"userdel", OTHER, accounts::read),
    (b"groupadd", OTHER, accounts::read),
    (b"gpasswd", OTHER, accounts::read),
    (b"passwd", OTHER, accounts::read),
    (b"chpasswd", OTHER, accounts::read),
];

/// The service of every other program.
const OTHER: &str = "syslog";

const SUCCESS: Option<&str> = Some("success");
const FAILURE: Option<&str> = Some("failure");

/// Reads a message of a program; also gives the program's service.
#[must_use]
pub fn read<'a>(program: &[u8], message: &'a [u8]) -> (&'static str, Option<Said<'a>>) {
    let known = PROGRAMS.iter().find(|(name, ..)| *name == program);
    let (service, reader) =
        known.map_or((OTHER, nothing as Reader), |(_, service, reader)| (service, *reader));
    let said = if message.starts_with(b"pam_") { pam::read(message) } else { reader(message) };
    (service, said)
}

/// How often a syslog daemon saw a message, and the message, when it folded repetitions into one
/// line.
#[must_use]
pub fn repeated(message: &[u8]) -> Option<(u32, &[u8])> {
    let rest = message.strip_prefix(b"message repeated ")?;
    let (digits, rest) = crate::text::leading_digits(rest);
    let inner = rest.strip_prefix(b" times: [")?.trim_ascii_end().strip_suffix(b"]")?;
    if digits.is_empty() {
        return None;
    }
    Some((crate::text::number(digits).unwrap_or(u32::MAX), inner.trim_ascii()))
}

fn nothing(_: &[u8]) -> Option<Said<'_>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Renders what a message says as `category/action/outcome name=value …`.
    pub(super) fn render(program: &str, message: &str) -> String {
        let (service, said) = read(program.as_bytes(), message.as_bytes());
        let Some(said) = said else { return service.to_string() };
        let stated = [said.stated.category, said.stated.action, said.stated.outcome];
        let mut out = stated.map(|part| part.unwrap_or("-")).join("/");
        for (name, part) in [
            ("user", said.user),
            ("as", said.effective_user),
            ("group", said.group),
            ("source", said.source),
            ("port", said.port),
            ("command", said.command),
            ("directory", said.directory),
            ("terminal", said.terminal),
        ] {
            if !part.is_empty() {
                out.push_str(&format!(" {name}={}", String::from_utf8_lossy(part)));
            }
        }
        out
    }

    #[test]
    fn programs_have_their_service() {
        for (program, service) in
            [("sshd-session", "sshd"), ("CRON", "cron"), ("kernel", "syslog"), ("", "syslog"), ("su", "su")]
        {
            assert_eq!(render(program, "anything else"), service, "{program}");
        }
    }

    #[test]
    fn folded_repetitions_are_unfolded() {
        for (message, expect) in [
            ("message repeated 5 times: [ Failed password for root]", Some((5, "Failed password for root"))),
            ("message repeated 2 times: [[x]]", Some((2, "[x]"))),
            ("message repeated 99999999999 times: [ x]", Some((u32::MAX, "x"))),
            ("message repeated 5 times: [ x", None),
            ("message repeated  times: [ x]", None),
            ("message repeated 5 times", None),
        ] {
            let got = repeated(message.as_bytes());
            assert_eq!(got, expect.map(|(count, inner)| (count, inner.as_bytes())), "{message}");
        }
    }
}
