//! Fields whose name says that their value is an address, an e-mail address or a secret. Closed
//! lists: what is not named here is still searched as text.

/// What a field's name says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing: only what is found in the text is masked.
    Free,
    /// An address, or a name that stands for one.
    Address,
    /// An e-mail address.
    Email,
    /// A key or token: its first four characters tell keys apart.
    Key,
    /// A secret of which no character is shown.
    Hidden,
}

impl Class {
    /// This, or where it says nothing another.
    pub fn or(self, other: Class) -> Class {
        if self == Class::Free { other } else { self }
    }
}

/// The names `source.ip` is sent under, those of the same address behind proxies, and those of the
/// other end. Compared as `spelled`, with the end of a path.
const ADDRESSES: &[&str] = &[
    "sourceip",
    "clientip",
    "srcip",
    "remoteaddr",
    "sourceipaddress",
    "ipaddress",
    "remoteip",
    "peerip",
    "realip",
    "forwardedfor",
    "destinationip",
    "destip",
    "dstip",
];

/// Names of e-mail addresses.
const EMAILS: &[&str] = &["email", "emailaddress"];

/// Names of keys and tokens.
const KEYS: &[&str] = &[
    "accesskey",
    "accesskeyid",
    "apikey",
    "apikeys",
    "apitoken",
    "authorization",
    "bearer",
    "credential",
    "credentials",
    "jwt",
    "token",
    "xamzsignature",
];

/// Names of what people type and programs keep to themselves.
const HIDDEN: &[&str] = &[
    "cookie",
    "cookies",
    "encryptionkey",
    "passcode",
    "passphrase",
    "passwd",
    "password",
    "passwords",
    "privatekey",
    "pwd",
    "secret",
    "secretaccesskey",
    "secretkey",
    "secrets",
    "sessionkey",
    "sharedkey",
    "signingkey",
];

/// Short names that are meant only when they stand alone.
const ALONE: &[(&str, Class)] = &[
    ("cvv", Class::Hidden),
    ("ip", Class::Address),
    ("mail", Class::Email),
    ("otp", Class::Hidden),
    ("pin", Class::Hidden),
];

/// Bytes of a name that are looked at, from its end. What stands before them is not compared.
const NAME_BYTES_MAX: usize = 64;

/// What a field's name, below its parent's, says about its value.
pub(super) fn class(parent: &str, name: &str) -> Class {
    let mut buffer = [0; NAME_BYTES_MAX];
    let own = class_of(spelled("", name, &mut buffer));
    if own != Class::Free || parent.is_empty() {
        return own;
    }
    class_of(spelled(parent, name, &mut buffer))
}

/// Whether a name in a text, as in `name=value`, names a secret.
pub(super) fn names_secret(name: &str) -> bool {
    matches!(class("", name), Class::Key | Class::Hidden)
}

fn class_of(name: &[u8]) -> Class {
    let is_one_of = |list: &[&str]| list.iter().any(|known| name.ends_with(known.as_bytes()));
    if let Some((_, class)) = ALONE.iter().find(|(known, _)| known.as_bytes() == name) {
        *class
    } else if is_one_of(HIDDEN) {
        Class::Hidden
    } else if is_one_of(KEYS) {
        Class::Key
    } else if is_one_of(ADDRESSES) {
        Class::Address
    } else if is_one_of(EMAILS) {
        Class::Email
    } else {
        Class::Free
    }
}

/// A name in lower case without anything but letters and digits: `X-Api-Key`, `api.key` and
/// `apiKey` are one.
fn spelled<'a>(parent: &str, name: &str, buffer: &'a mut [u8; NAME_BYTES_MAX]) -> &'a [u8] {
    let letters = parent.bytes().chain(name.bytes()).rev().filter(u8::is_ascii_alphanumeric);
    let mut start = NAME_BYTES_MAX;
    for letter in letters.take(NAME_BYTES_MAX) {
        start -= 1;
        buffer[start] = letter.to_ascii_lowercase();
    }
    &buffer[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_hold_in_every_spelling() {
        for (parent, name, expect) in [
            ("", "source.ip", Class::Address),
            ("source", "ip", Class::Address),
            ("", "source_ip", Class::Address),
            ("", "client_ip", Class::Address),
            ("", "src_ip", Class::Address),
            ("", "remote_addr", Class::Address),
            ("", "sourceIPAddress", Class::Address),
            ("EventData", "IpAddress", Class::Address),
            ("headers", "X-Forwarded-For", Class::Address),
            ("user", "email", Class::Email),
            ("", "user_email", Class::Email),
            ("", "api_key", Class::Key),
            ("api", "key", Class::Key),
            ("", "X-Api-Key", Class::Key),
            ("", "access_token", Class::Key),
            ("", "Authorization", Class::Key),
            ("", "db.password", Class::Hidden),
            ("", "client_secret", Class::Hidden),
            ("", "Set-Cookie", Class::Hidden),
            ("", "key", Class::Free),
            ("", "alert_id", Class::Free),
            ("rule", "hash", Class::Free),
            ("", "unique_ips", Class::Free),
            ("", "max_tokens", Class::Free),
            ("", "shipping", Class::Free),
            ("", "", Class::Free),
        ] {
            assert_eq!(class(parent, name), expect, "{parent} {name}");
        }
    }
}
