//! The key of an item: its field and its chain of modifiers, and which chains make sense.

use super::{MODIFIERS, Modifier};
use crate::ast::Place;
use crate::finding::Findings;
use crate::limits::MODIFIERS_MAX;

/// A key, read and checked.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    /// The field; `None` for the whole event.
    pub field: Option<String>,
    /// The modifiers in the order written.
    pub modifiers: Vec<Modifier>,
    /// What kind of test they make.
    pub family: Family,
}

/// The kinds of tests a chain can make of its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Text,
    Regex,
    Exists,
    Compare,
    Cidr,
    FieldRef,
    DatePart,
}

impl Chain {
    /// The chain of keywords without modifiers.
    pub fn keywords() -> Chain {
        Chain { field: None, modifiers: Vec::new(), family: Family::Text }
    }

    /// Whether the modifier is in the chain.
    pub fn has(&self, modifier: Modifier) -> bool {
        self.modifiers.contains(&modifier)
    }

    /// The modifiers that change what a value tests, not how tests are put together.
    pub fn on_values(&self) -> impl Iterator<Item = Modifier> {
        self.modifiers.iter().copied().filter(|modifier| is_on_values(*modifier))
    }
}

fn is_on_values(modifier: Modifier) -> bool {
    !matches!(modifier, Modifier::All | Modifier::Neq)
}

/// Reads a key such as `CommandLine|contains|all`. `None` (and findings) if it is wrong.
pub(super) fn read(findings: &mut Findings, key: &str, place: Place) -> Option<Chain> {
    if key.matches('|').count() > MODIFIERS_MAX {
        let reason = format!("the field has more than {MODIFIERS_MAX} modifiers");
        findings.error(place, "modifier_order", reason);
        return None;
    }
    let mut words = key.split('|').map(str::trim);
    let field = words.next().filter(|field| !field.is_empty()).map(str::to_owned);
    let mut named = Vec::new();
    let mut sound = true;
    for word in words {
        match MODIFIERS.iter().find(|(name, _)| *name == word) {
            Some(entry) => named.push(*entry),
            None => {
                // The one-letter names and the many spellings of UTF-16 would only be noise.
                let known: Vec<&str> =
                    MODIFIERS.iter().map(|(name, _)| *name).filter(|name| name.len() > 1).collect();
                findings.unknown_word(place, "unknown_modifier", "modifier", word, &known);
                sound = false;
            }
        }
    }
    if !sound {
        return None;
    }
    let modifiers: Vec<Modifier> = named.iter().map(|(_, modifier)| *modifier).collect();
    let is_keyword = field.is_none();
    let family = modifiers.iter().find_map(|modifier| family_of(*modifier)).unwrap_or(Family::Text);
    let chain = Chain { field, modifiers, family };
    sound &= check_order(findings, &named, &chain, place) && check_pairs(findings, &named, place);
    if is_keyword {
        sound &= check_keyword(findings, &named, key, place);
    }
    warn_of_offset(findings, &chain, place);
    sound.then_some(chain)
}

/// The family a modifier founds; text is what is left.
fn family_of(modifier: Modifier) -> Option<Family> {
    match modifier {
        Modifier::Regex => Some(Family::Regex),
        Modifier::Exists => Some(Family::Exists),
        Modifier::Compare(_) => Some(Family::Compare),
        Modifier::Cidr => Some(Family::Cidr),
        Modifier::FieldRef => Some(Family::FieldRef),
        Modifier::DatePart(_) => Some(Family::DatePart),
        _ => None,
    }
}

/// Whether a modifier may follow the founder of a family.
fn may_follow(family: Family, modifier: Modifier) -> bool {
    use Modifier::{
        Base64, Base64Offset, Cased, Compare, Contains, DotAll, EndsWith, Expand, IgnoreCase, MultiLine,
        StartsWith, Utf16, Windash,
    };
    let at_ends = matches!(modifier, StartsWith | EndsWith | Contains);
    match family {
        Family::Text => {
            at_ends || matches!(modifier, Cased | Windash | Utf16(_) | Base64 | Base64Offset | Expand)
        }
        Family::Regex => at_ends || matches!(modifier, IgnoreCase | MultiLine | DotAll | Expand),
        Family::FieldRef => at_ends || modifier == Cased,
        Family::Cidr => modifier == Expand,
        Family::DatePart => matches!(modifier, Compare(_)),
        Family::Exists | Family::Compare => false,
    }
}

/// Checks that the founder of a family comes first and that what follows can apply.
fn check_order(findings: &mut Findings, named: &[(&str, Modifier)], chain: &Chain, place: Place) -> bool {
    let on_values: Vec<_> = named.iter().filter(|(_, modifier)| is_on_values(*modifier)).collect();
    let founder = named.iter().find(|(_, modifier)| family_of(*modifier).is_some());
    let code = "modifier_order";
    let mut sound = true;
    if chain.family == Family::Exists && named.len() > 1 {
        findings.error(place, code, "`exists` must be the only modifier");
        return false;
    }
    if let (Some((first, _)), Some((name, _))) = (on_values.first(), founder)
        && first != name
    {
        findings.error(place, code, format!("`{name}` must come first, before `{first}`"));
        return false;
    }
    for (name, modifier) in on_values.iter().skip(usize::from(founder.is_some())) {
        if !may_follow(chain.family, *modifier) {
            let reason = match founder {
                Some((first, _)) => format!("`{name}` cannot follow `{first}`"),
                None => format!("`{name}` applies to regular expressions only, after `re`"),
            };
            findings.error(place, code, reason);
            sound = false;
        }
    }
    sound
}

/// Refuses two comparisons of one part of a time, and placeholders that are encoded before they are
/// replaced.
fn check_pairs(findings: &mut Findings, named: &[(&str, Modifier)], place: Place) -> bool {
    let code = "modifier_order";
    let mut comparisons = named.iter().filter(|(_, modifier)| matches!(modifier, Modifier::Compare(_)));
    if let (Some((first, _)), Some((second, _))) = (comparisons.next(), comparisons.next()) {
        findings.error(place, code, format!("`{second}` cannot follow `{first}`"));
        return false;
    }
    let expand = named.iter().position(|(_, modifier)| *modifier == Modifier::Expand).unwrap_or(0);
    let encodes =
        |modifier| matches!(modifier, Modifier::Utf16(_) | Modifier::Base64 | Modifier::Base64Offset);
    if let Some((name, _)) = named[..expand].iter().find(|(_, modifier)| encodes(*modifier)) {
        findings.error(place, code, format!("`expand` must stand before `{name}`"));
        return false;
    }
    true
}

/// Refuses for keywords what only makes sense for the value of a field.
fn check_keyword(findings: &mut Findings, named: &[(&str, Modifier)], key: &str, place: Place) -> bool {
    if named.is_empty() {
        findings.error(place, "no_field", "the field has no name");
        return false;
    }
    let mut sound = true;
    for (name, modifier) in named {
        let needs_field =
            matches!(
                modifier,
                Modifier::StartsWith | Modifier::EndsWith | Modifier::Exists | Modifier::Compare(_)
            ) || matches!(modifier, Modifier::Cidr | Modifier::FieldRef | Modifier::DatePart(_));
        if needs_field {
            findings.error(place, "no_field", format!("`{name}` needs a field before it: `{key}` has none"));
            sound = false;
        }
    }
    sound
}

/// A shifted form is part of a longer text: it hardly ever is a whole value.
fn warn_of_offset(findings: &mut Findings, chain: &Chain, place: Place) {
    let offset = chain.modifiers.iter().position(|modifier| *modifier == Modifier::Base64Offset);
    if let Some(at) = offset
        && !chain.modifiers[at..].contains(&Modifier::Contains)
    {
        let reason = "`base64offset` without `contains` after it only matches a whole value";
        findings.warning_with_hint(place, "offset_without_contains", reason, "write `base64offset|contains`");
    }
}
