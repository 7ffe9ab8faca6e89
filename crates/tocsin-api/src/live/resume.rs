//! Resume ids: `position.ordinal.tag`. The tag binds an id to tenant, stream, filter and person, so
//! that nobody can go on from a place in somebody else's stream.

use blake3::Hasher;
use subtle::ConstantTimeEq;
use tocsin_core::batch::TenantId;

use super::frame::Cursor;
use super::limits::RESUME_ID_BYTES_MAX;

/// Hex digits of a tag: 64 bits, guessed online only.
const TAG_DIGITS: usize = 16;

/// The key of all tags. Random, one per data folder, kept over restarts.
#[derive(Clone)]
pub struct ResumeKey([u8; 32]);

/// What a tag binds an id to.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'a> {
    /// The tenant.
    pub tenant: TenantId,
    /// The stream's name.
    pub stream: &'a str,
    /// Its filter, as text; empty for none.
    pub filter: &'a str,
    /// The person.
    pub subject: &'a str,
}

/// The tag of a connection's ids; computed once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(String);

impl ResumeKey {
    /// The key of these bytes.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> ResumeKey {
        ResumeKey(bytes)
    }

    /// The tag of what an id is bound to.
    #[must_use]
    pub fn tag(&self, bound: &Bound<'_>) -> Tag {
        let mut hasher = Hasher::new_keyed(&self.0);
        hasher.update(&bound.tenant.0.to_le_bytes());
        // Lengths keep apart what would otherwise join to the same bytes.
        for part in [bound.stream, bound.filter, bound.subject] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        let mut digits = hasher.finalize().to_hex().to_string();
        digits.truncate(TAG_DIGITS);
        Tag(digits)
    }
}

impl Tag {
    /// The line `id:` of a place, with its end.
    #[must_use]
    pub fn line(&self, at: Cursor) -> String {
        format!("id: {}.{}.{}\n", at.position, at.ordinal, self.0)
    }

    /// The place an id names, if it is one of this tag's.
    #[must_use]
    pub fn read(&self, id: &str) -> Option<Cursor> {
        if id.len() > RESUME_ID_BYTES_MAX {
            return None;
        }
        let (place, tag) = id.rsplit_once('.')?;
        let (position, ordinal) = place.split_once('.')?;
        let at = Cursor { position: decimal(position)?, ordinal: u32::try_from(decimal(ordinal)?).ok()? };
        bool::from(tag.as_bytes().ct_eq(self.0.as_bytes())).then_some(at)
    }
}

/// A number as we write it: digits only.
fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Bound<'_> = Bound { tenant: TenantId(1), stream: "s", filter: "f", subject: "ann" };

    fn id(tag: &Tag, position: u64, ordinal: u32) -> String {
        tag.line(Cursor { position, ordinal }).trim_end().strip_prefix("id: ").unwrap().to_string()
    }

    #[test]
    fn an_id_names_its_place_again() {
        let tag = ResumeKey::new([7; 32]).tag(&BOUND);
        for (position, ordinal) in [(0, 0), (41, 3), (u64::MAX, u32::MAX)] {
            assert_eq!(tag.read(&id(&tag, position, ordinal)), Some(Cursor { position, ordinal }));
        }
    }

    #[test]
    fn an_id_of_anybody_else_names_nothing() {
        let tag = ResumeKey::new([7; 32]).tag(&BOUND);
        let others = [
            ResumeKey::new([8; 32]).tag(&BOUND),
            ResumeKey::new([7; 32]).tag(&Bound { tenant: TenantId(2), ..BOUND }),
            ResumeKey::new([7; 32]).tag(&Bound { subject: "bob", ..BOUND }),
            ResumeKey::new([7; 32]).tag(&Bound { stream: "sf", filter: "", ..BOUND }),
        ];
        for other in others {
            assert_eq!(tag.read(&id(&other, 5, 0)), None, "{other:?}");
        }
    }

    #[test]
    fn what_is_no_id_names_nothing() {
        let tag = ResumeKey::new([7; 32]).tag(&BOUND);
        let good = id(&tag, 5, 1);
        let digits = good.rsplit_once('.').unwrap().1;
        for bad in [
            String::new(),
            "5".into(),
            "5.1".into(),
            format!("5.1.{}", &digits[1..]),
            format!("5.1.{digits}0"),
            format!("+5.1.{digits}"),
            format!(".1.{digits}"),
            format!("5..{digits}"),
            format!("5.4294967296.{digits}"),
            format!("18446744073709551616.1.{digits}"),
            format!("{}5.1.{digits}", "0".repeat(RESUME_ID_BYTES_MAX)),
            format!("5.1.2.{digits}"),
            format!("5.1.{}", digits.to_uppercase() + "\0"),
        ] {
            assert_eq!(tag.read(&bad), None, "{bad}");
        }
    }
}
