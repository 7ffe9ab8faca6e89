//! Tests of numbers and addresses: all limits of a field at once, by binary search; all networks of
//! a field by one look-up for each length of prefix.

use std::net::IpAddr;

use hashbrown::HashMap;

use crate::ast::Cidr;
use crate::atom::{AtomId, CompareOp};
use crate::modifier::cidr;

/// Numbers a value is compared with, sorted.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    equal: Vec<(Exact, AtomId)>,
    less: Vec<(f64, AtomId)>,
    less_or_equal: Vec<(f64, AtomId)>,
    greater: Vec<(f64, AtomId)>,
    greater_or_equal: Vec<(f64, AtomId)>,
}

impl Numbers {
    /// Adds a test for a number, as the rule writes it.
    pub(crate) fn add_equal(&mut self, number: f64, written: &str, atom: AtomId) {
        self.equal.push((Exact::of(number, written), atom));
    }

    /// Adds a comparison with a number.
    pub(crate) fn add_compare(&mut self, op: CompareOp, limit: f64, atom: AtomId) {
        let list = match op {
            CompareOp::Lt => &mut self.less,
            CompareOp::Lte => &mut self.less_or_equal,
            CompareOp::Gt => &mut self.greater,
            CompareOp::Gte => &mut self.greater_or_equal,
        };
        list.push((plain_zero(limit), atom));
    }

    /// Sorts; to be called after the last number.
    pub(crate) fn finish(&mut self) {
        for list in [&mut self.less, &mut self.less_or_equal, &mut self.greater, &mut self.greater_or_equal] {
            list.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        self.equal.sort_by(|a, b| a.0.total_cmp(b.0));
    }

    /// Whether nothing is compared with numbers.
    pub(crate) fn is_empty(&self) -> bool {
        let compares = [&self.less, &self.less_or_equal, &self.greater, &self.greater_or_equal];
        self.equal.is_empty() && compares.iter().all(|list| list.is_empty())
    }

    /// Appends the atoms a value's text satisfies.
    pub(crate) fn evaluate(&self, text: &str, out: &mut Vec<AtomId>) {
        let Some(number) = parse_number(text) else { return };
        let below = |list: &[(f64, AtomId)]| list.partition_point(|(limit, _)| *limit < number);
        let upto = |list: &[(f64, AtomId)]| list.partition_point(|(limit, _)| *limit <= number);
        if !self.equal.is_empty() {
            let exact = Exact::of(number, text);
            let from = self.equal.partition_point(|(other, _)| other.total_cmp(exact).is_lt());
            let same = self.equal[from..].iter().take_while(|(other, _)| *other == exact);
            out.extend(same.map(|(_, atom)| *atom));
        }
        let ranges = [
            &self.less[upto(&self.less)..],
            &self.less_or_equal[below(&self.less_or_equal)..],
            &self.greater[..below(&self.greater)],
            &self.greater_or_equal[..upto(&self.greater_or_equal)],
        ];
        out.extend(ranges.into_iter().flatten().map(|(_, atom)| *atom));
    }
}

/// A number and, where doubles leave some whole numbers out, which of these it is: identifiers of
/// 64 bits that differ by one are two.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Exact(f64, i128);

impl Exact {
    fn of(number: f64, text: &str) -> Exact {
        const ALL_WHOLE_BELOW: f64 = 9_007_199_254_740_992.0;
        let number = plain_zero(number);
        let whole = if number.abs() < ALL_WHOLE_BELOW { 0 } else { whole(text).unwrap_or(number as i128) };
        Exact(number, whole)
    }

    fn total_cmp(self, other: Exact) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(self.1.cmp(&other.1))
    }
}

/// The whole number a text writes without an exponent.
fn whole(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return i128::from_str_radix(digits, 16).ok();
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return i128::from_str_radix(digits, 8).ok();
    }
    let (before, behind) = text.split_once('.').unwrap_or((text, ""));
    before.parse().ok().filter(|_| behind.bytes().all(|digit| digit == b'0'))
}

/// Whether a value's text is a rule's number, written so.
#[must_use]
pub fn is_number(text: &str, number: f64, written: &str) -> bool {
    parse_number(text).is_some_and(|value| Exact::of(value, text) == Exact::of(number, written))
}

/// A number that sorts as it compares: zero without a sign.
fn plain_zero(number: f64) -> f64 {
    number + 0.0
}

/// The number a value's text reads as; only plain decimal notation counts.
#[must_use]
pub fn parse_number(text: &str) -> Option<f64> {
    let begins = text.as_bytes().first()?;
    if !(begins.is_ascii_digit() || matches!(begins, b'-' | b'+' | b'.')) {
        return None;
    }
    text.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Networks an address may lie in.
#[derive(Debug, Default)]
pub(crate) struct Networks {
    /// By mask: the networks of that mask.
    by_mask: Vec<(u128, HashMap<u128, Vec<AtomId>>)>,
}

impl Networks {
    /// Adds a test for a network.
    pub(crate) fn add(&mut self, cidr: &Cidr, atom: AtomId) {
        let at = self.by_mask.iter().position(|(mask, _)| *mask == cidr.mask).unwrap_or_else(|| {
            self.by_mask.push((cidr.mask, HashMap::new()));
            self.by_mask.len() - 1
        });
        self.by_mask[at].1.entry(cidr.network).or_default().push(atom);
    }

    /// Appends the atoms a value's text satisfies.
    pub(crate) fn evaluate(&self, text: &str, out: &mut Vec<AtomId>) {
        if self.by_mask.is_empty() {
            return;
        }
        let Some(address) = cidr::address(text) else { return };
        let bits = match address {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
            IpAddr::V6(v6) => v6.to_bits(),
        };
        for (mask, networks) in &self.by_mask {
            // A network says of itself which addresses it holds; the mask only finds it.
            let Some(atoms) = networks.get(&(bits & mask)) else { continue };
            if (Cidr { network: bits & mask, mask: *mask }).contains(address) {
                out.extend(atoms);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_finite_decimals_are_numbers() {
        for (text, expect) in [
            ("4625", Some(4_625.0)),
            ("-1.5e3", Some(-1_500.0)),
            ("+5", Some(5.0)),
            (".5", Some(0.5)),
            ("1e400", None),
            ("-inf", None),
            ("+nan", None),
            ("inf", None),
            ("0x1F", None),
            (" 1", None),
            ("", None),
        ] {
            assert_eq!(parse_number(text), expect, "{text}");
        }
    }

    #[test]
    fn whole_numbers_beyond_doubles_are_told_apart() {
        let huge = "9".repeat(50);
        for (rule, value, expect) in [
            ("18446744073709551615", "18446744073709551615", true),
            ("18446744073709551615", "18446744073709551614", false),
            ("0xFFFFFFFFFFFFFFFF", "18446744073709551615", true),
            ("0xFFFFFFFFFFFFFFFF", "18446744073709551616", false),
            ("9007199254740993", "9007199254740992", false),
            ("-9007199254740993", "-9007199254740993.00", true),
            ("9007199254740992", "9007199254740992.5", true),
            ("1000000000000000000", "1e18", true),
            ("1e18", "1000000000000000000", true),
            ("1e18", "1000000000000000001", false),
            (&huge, &huge, true),
            ("4625", "4625.0", true),
            ("0", "-0", true),
        ] {
            let hex = rule.strip_prefix("0x").and_then(|digits| u128::from_str_radix(digits, 16).ok());
            let number = hex.map_or_else(|| rule.parse().expect("a number"), |number| number as f64);
            let mut numbers = Numbers::default();
            numbers.add_equal(1.0, "1", 0);
            numbers.add_equal(number, rule, 1);
            numbers.add_equal(1e40, "1e40", 2);
            numbers.finish();
            let mut found = Vec::new();
            numbers.evaluate(value, &mut found);
            assert_eq!(found == [1], expect, "{rule} {value}: {found:?}");
            assert_eq!(is_number(value, number, rule), expect, "{rule} {value}");
        }
    }

    #[test]
    fn networks_hold_what_each_of_them_holds() {
        let texts = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "::/0", "fe80::/10", "0.0.0.0/0"];
        let all: Vec<Cidr> = texts.iter().map(|text| Cidr::parse(text).expect("a network")).collect();
        let mut networks = Networks::default();
        for (atom, cidr) in all.iter().enumerate() {
            networks.add(cidr, atom as AtomId);
        }
        for text in ["10.1.2.3", "10.1.9.9", "11.0.0.1", "::ffff:10.1.2.3", "fe80::1", "2001:db8::", "x", ""]
        {
            let mut found = Vec::new();
            networks.evaluate(text, &mut found);
            found.sort_unstable();
            let holds = |cidr: &Cidr| text.parse().is_ok_and(|address| cidr.contains(address));
            let atoms = 0..all.len() as AtomId;
            let expect: Vec<AtomId> = atoms.filter(|atom| holds(&all[*atom as usize])).collect();
            assert_eq!(found, expect, "{text}");
        }
    }

    proptest! {
        #[test]
        fn numbers_compare_as_each_of_them_does(
            tests in prop::collection::vec((0..5_u8, -3..4_i32), 0..20),
            value in -4..5_i32,
            negative_zero in any::<bool>(),
        ) {
            let mut numbers = Numbers::default();
            let ops = [CompareOp::Lt, CompareOp::Lte, CompareOp::Gt, CompareOp::Gte];
            for (atom, (kind, limit)) in tests.iter().enumerate() {
                let limit = if *limit == 0 && negative_zero { -0.0 } else { f64::from(*limit) };
                match ops.get(usize::from(*kind)) {
                    Some(op) => numbers.add_compare(*op, limit, atom as AtomId),
                    None => numbers.add_equal(limit, &limit.to_string(), atom as AtomId),
                }
            }
            numbers.finish();
            let mut found = Vec::new();
            numbers.evaluate(&value.to_string(), &mut found);
            found.sort_unstable();
            let holds = |(kind, limit): &(u8, i32)| match kind {
                0 => value < *limit,
                1 => value <= *limit,
                2 => value > *limit,
                3 => value >= *limit,
                _ => value == *limit,
            };
            let atoms = 0..tests.len() as AtomId;
            let expect: Vec<AtomId> = atoms.filter(|atom| holds(&tests[*atom as usize])).collect();
            prop_assert_eq!(found, expect);
        }
    }
}
