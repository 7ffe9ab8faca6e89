//! Messages of `sudo`: `user : [complaint ;] TTY=… ; PWD=… ; USER=… ; COMMAND=…`.

use super::{FAILURE, Said};
use crate::text::{leading_digits, split_at_word};

/// Reads a message of `sudo`.
#[must_use]
pub fn read(message: &[u8]) -> Option<Said<'_>> {
    let (user, text) = split_at_word(message, b" : ")?;
    let (complaint, details) = match split_at_word(text, b" ; ") {
        Some((first, rest)) if !first.contains(&b'=') => (first, rest),
        None if !text.contains(&b'=') => (text, &b""[..]),
        _ => (&b""[..], text),
    };
    let said = meaning(complaint)?;
    let (settings, command) = split_command(details);
    if complaint.is_empty() && command.is_empty() {
        return None;
    }
    Some(Said {
        user: user.trim_ascii(),
        effective_user: setting(settings, b"USER="),
        terminal: setting(settings, b"TTY="),
        directory: setting(settings, b"PWD="),
        command,
        ..said
    })
}

fn meaning(complaint: &[u8]) -> Option<Said<'static>> {
    let (attempts, rest) = leading_digits(complaint);
    if !attempts.is_empty() && rest.starts_with(b" incorrect password attempt") {
        return Some(Said::new("authentication", "sudo_failure", FAILURE));
    }
    match complaint {
        b"" => Some(Said::new("process", "sudo_command", None)),
        b"user NOT in sudoers" | b"user NOT authorized on host" | b"command not allowed" => {
            Some(Said::new("authorization", "sudo_denied", FAILURE))
        }
        b"a password is required" => Some(Said::new("authentication", "sudo_password_required", None)),
        _ => None,
    }
}

/// Everything before the command, and the command, which runs to the end of the line.
fn split_command(details: &[u8]) -> (&[u8], &[u8]) {
    match details.strip_prefix(b"COMMAND=") {
        Some(command) => (b"", command),
        None => split_at_word(details, b" ; COMMAND=").unwrap_or((details, b"")),
    }
}

/// The value of one of the settings, which are separated by ` ; `.
fn setting<'a>(mut settings: &'a [u8], name: &[u8]) -> &'a [u8] {
    while !settings.is_empty() {
        let (first, rest) = split_at_word(settings, b" ; ").unwrap_or((settings, b""));
        if let Some(value) = first.strip_prefix(name) {
            return value.trim_ascii();
        }
        settings = rest;
    }
    b""
}

#[cfg(test)]
mod tests {
    use super::super::tests::render;

    #[test]
    fn commands_failures_and_denials() {
        for (message, expect) in [
            (
                "  ubuntu : TTY=pts/0 ; PWD=/home/ubuntu ; USER=root ; COMMAND=/bin/cat /etc/a;b ; c",
                "process/sudo_command/- user=ubuntu as=root command=/bin/cat /etc/a;b ; c directory=/home/ubuntu terminal=pts/0",
            ),
            (
                "ann : PWD=/ ; USER=#-1 ; COMMAND=/bin/id",
                "process/sudo_command/- user=ann as=#-1 command=/bin/id directory=/",
            ),
            (
                "ann : 3 incorrect password attempts ; TTY=pts/1 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/su",
                "authentication/sudo_failure/failure user=ann as=root command=/bin/su directory=/home/ann terminal=pts/1",
            ),
            (
                "ann : 1 incorrect password attempt ; USER=root ; COMMAND=/bin/su",
                "authentication/sudo_failure/failure user=ann as=root command=/bin/su",
            ),
            (
                "eve : user NOT in sudoers ; COMMAND=/bin/sh",
                "authorization/sudo_denied/failure user=eve command=/bin/sh",
            ),
            (
                "eve : command not allowed ; TTY=pts/1 ; COMMAND=/bin/sh",
                "authorization/sudo_denied/failure user=eve command=/bin/sh terminal=pts/1",
            ),
            (
                "ann : a password is required ; COMMAND=/bin/sh",
                "authentication/sudo_password_required/- user=ann command=/bin/sh",
            ),
            ("ann : (command continued) -x -y", "sudo"),
            ("ann : unable to open pty", "sudo"),
            ("no colon", "sudo"),
            (" : ", "sudo"),
        ] {
            assert_eq!(render("sudo", message), expect, "{message}");
        }
    }
}
