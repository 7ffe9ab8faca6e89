//! The kinds of values a key may hold: how each is written, read and shown.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tocsin_core::time::{Span, Timestamp};

use super::{bytes, duration};

/// Characters of a name or text. A longer one is refused.
const TEXT_CHARS_MAX: usize = 256;

/// Characters of a tenant's name. A longer one is refused.
const TENANT_CHARS_MAX: usize = 64;

/// A kind of value.
pub trait Kind: Sized {
    /// What it is, after "is not": `a duration`.
    const WHAT: &'static str;
    /// How to write it.
    const HINT: &'static str;

    /// Reads one; `None` when the text is none.
    fn read(text: &str) -> Option<Self>;

    /// Its usual spelling, which [`Kind::read`] reads again.
    fn show(&self) -> String;
}

impl Kind for bool {
    const WHAT: &'static str = "true or false";
    const HINT: &'static str = "write `true` or `false`";

    fn read(text: &str) -> Option<bool> {
        match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Kind for usize {
    const WHAT: &'static str = "a whole number";
    const HINT: &'static str = "write digits only, such as 256";

    fn read(text: &str) -> Option<usize> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Kind for u64 {
    const WHAT: &'static str = <usize as Kind>::WHAT;
    const HINT: &'static str = <usize as Kind>::HINT;

    fn read(text: &str) -> Option<u64> {
        text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub struct Bytes(pub u64);

impl Kind for Bytes {
    const WHAT: &'static str = "a size";
    const HINT: &'static str = "write a whole number with its unit, such as 512KiB, 64MiB or 10GB";

    fn read(text: &str) -> Option<Bytes> {
        bytes::read(text).map(Bytes)
    }

    fn show(&self) -> String {
        bytes::show(self.0)
    }
}

impl Kind for Span {
    const WHAT: &'static str = "a duration";
    const HINT: &'static str = "write a whole number with its unit, such as 250ms, 30s, 5m or 1h";

    fn read(text: &str) -> Option<Span> {
        duration::read(text)
    }

    fn show(&self) -> String {
        duration::show(*self)
    }
}

impl Kind for Duration {
    const WHAT: &'static str = <Span as Kind>::WHAT;
    const HINT: &'static str = <Span as Kind>::HINT;

    fn read(text: &str) -> Option<Duration> {
        duration::read(text).and_then(|span| u64::try_from(span.0).ok()).map(Duration::from_nanos)
    }

    fn show(&self) -> String {
        duration::show(Span(i64::try_from(self.as_nanos()).unwrap_or(i64::MAX)))
    }
}

impl Kind for Timestamp {
    const WHAT: &'static str = "a time";
    const HINT: &'static str = "write it as 2026-01-31T00:00:00Z";

    fn read(text: &str) -> Option<Timestamp> {
        Timestamp::parse(text.as_bytes())
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Kind for SocketAddr {
    const WHAT: &'static str = "an address with a port";
    const HINT: &'static str = "write it as 127.0.0.1:8080, or [::1]:8080; 0.0.0.0 is every IPv4 address";

    fn read(text: &str) -> Option<SocketAddr> {
        text.parse().ok()
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Kind for PathBuf {
    const WHAT: &'static str = "a path";
    const HINT: &'static str = "write the path of a file or folder";

    fn read(text: &str) -> Option<PathBuf> {
        (!text.trim().is_empty() && !text.contains('\0')).then(|| PathBuf::from(text))
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Kind for String {
    const WHAT: &'static str = "a text of at most 256 characters";
    const HINT: &'static str = "write one line";

    fn read(text: &str) -> Option<String> {
        let fits = !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
        (fits && !text.contains(char::is_control)).then(|| text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

/// The name of a tenant. The store has the last word on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantName(pub String);

impl Kind for TenantName {
    const WHAT: &'static str = "a tenant's name";
    const HINT: &'static str = "write 1 to 64 letters (a-z, A-Z), digits, `-`, `_` and `.`";

    fn read(text: &str) -> Option<TenantName> {
        let of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let fits = (1..=TENANT_CHARS_MAX).contains(&text.len()) && text.bytes().all(of_name);
        fits.then(|| TenantName(text.to_owned()))
    }

    fn show(&self) -> String {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled<T: Kind>(text: &str) -> Option<String> {
        T::read(text).map(|value| value.show())
    }

    #[test]
    fn numbers_are_digits() {
        for (text, expect) in [
            ("0", Some("0")),
            ("007", Some("7")),
            ("", None),
            ("+5", None),
            ("-1", None),
            ("1.5", None),
            ("1_0", None),
        ] {
            assert_eq!(spelled::<usize>(text).as_deref(), expect, "{text}");
            assert_eq!(spelled::<u64>(text).as_deref(), expect, "{text}");
        }
        assert_eq!(u64::read("18446744073709551616"), None);
    }

    #[test]
    fn addresses_have_a_port() {
        for (text, expect) in [
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("[::]:80", Some("[::]:80")),
            ("127.0.0.1", None),
            ("localhost:80", None),
            (":8080", None),
        ] {
            assert_eq!(spelled::<SocketAddr>(text).as_deref(), expect, "{text}");
        }
    }

    #[test]
    fn tenants_have_plain_names() {
        let longest = "a".repeat(TENANT_CHARS_MAX);
        for (text, is_name) in [
            ("acme", true),
            ("Seven-11_b.c", true),
            (&longest, true),
            (&format!("{longest}a"), false),
            ("", false),
            ("a b", false),
            ("a/b", false),
            ("ä", false),
        ] {
            assert_eq!(TenantName::read(text).is_some(), is_name, "{text}");
        }
    }

    #[test]
    fn texts_are_one_line_and_not_empty() {
        let longest = "é".repeat(TEXT_CHARS_MAX);
        for (text, fits) in
            [("a b", true), (&*longest, true), (&format!("{longest}x"), false), (" ", false), ("a\nb", false)]
        {
            assert_eq!(String::read(text).is_some(), fits, "{text}");
        }
    }
}
