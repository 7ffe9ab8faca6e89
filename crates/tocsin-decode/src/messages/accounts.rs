//! Messages of the tools that change accounts, groups and passwords (shadow).
//!
//! They log one line per file they change; only one of these lines is taken as the event.

use super::Said;
use crate::text::{before, split_at_word};

/// Reads a message of `useradd`, `usermod`, `userdel`, `groupadd`, `gpasswd` or `passwd`.
#[must_use]
pub fn read(message: &[u8]) -> Option<Said<'_>> {
    if let Some(rest) = message.strip_prefix(b"new user: name=") {
        return Some(Said { user: before(rest, b','), ..said("user_created") });
    }
    if let Some(rest) = message.strip_prefix(b"new group: name=") {
        return Some(Said { group: before(rest, b','), ..said("group_created") });
    }
    if let Some(rest) = message.strip_prefix(b"delete user '") {
        return Some(Said { user: before(rest, b'\''), ..said("user_deleted") });
    }
    if let Some(rest) = message.strip_prefix(b"password changed for ") {
        return Some(Said { user: rest.trim_ascii(), ..said("password_changed") });
    }
    if let Some(rest) = message.strip_prefix(b"password for '") {
        let (user, _) = split_at_word(rest, b"' changed")?;
        return Some(Said { user, ..said("password_changed") });
    }
    let (user, group) = member_added(message)?;
    Some(Said { user, group, ..said("group_member_added") })
}

/// `add 'ann' to group 'sudo'`, `user ann added by root to group sudo`.
fn member_added(message: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some(rest) = message.strip_prefix(b"add '") {
        let (user, group) = split_at_word(rest, b"' to group '")?;
        return Some((user, before(group, b'\'')));
    }
    let (user, rest) = split_at_word(message.strip_prefix(b"user ")?, b" added by ")?;
    let (_, group) = split_at_word(rest, b" to group ")?;
    Some((user, group.trim_ascii()))
}

fn said(action: &'static str) -> Said<'static> {
    Said::new("authorization", action, None)
}

#[cfg(test)]
mod tests {
    use super::super::tests::render;

    #[test]
    fn accounts_groups_and_passwords() {
        for (message, expect) in [
            (
                "new user: name=ann, UID=1001, GID=1001, home=/home/ann, shell=/bin/bash",
                "authorization/user_created/- user=ann",
            ),
            ("new group: name=ann, GID=1001", "authorization/group_created/- group=ann"),
            ("delete user 'ann'", "authorization/user_deleted/- user=ann"),
            ("add 'ann' to group 'sudo'", "authorization/group_member_added/- user=ann group=sudo"),
            (
                "user ann added by root to group sudo",
                "authorization/group_member_added/- user=ann group=sudo",
            ),
            ("password changed for ann", "authorization/password_changed/- user=ann"),
            ("password for 'ann' changed by 'root'", "authorization/password_changed/- user=ann"),
            ("add 'ann' to shadow group 'sudo'", "syslog"),
            ("group added to /etc/group: name=ann, GID=1001", "syslog"),
        ] {
            assert_eq!(render("usermod", message), expect, "{message}");
        }
    }
}
