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
    equal: Vec<(f64, AtomId)>,
    less: Vec<(f64, AtomId)>,
    less_or_equal: Vec<(f64, AtomId)>,
    greater: Vec<(f64, AtomId)>,
    greater_or_equal: Vec<(f64, AtomId)>,
}

impl Numbers {
    /// Adds a test for a number.
    pub(crate) fn add_equal(&mut self, number: f64, atom: AtomId) {
        self.equal.push((plain_zero(number), atom));
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
        let lists = [&mut self.less, &mut self.less_or_equal, &mut self.greater, &mut self.greater_or_equal];
        for list in lists.into_iter().chain([&mut self.equal]) {
            list.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
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
        let ranges = [
            &self.equal[below(&self.equal)..upto(&self.equal)],
            &self.less[upto(&self.less)..],
            &self.less_or_equal[below(&self.less_or_equal)..],
            &self.greater[..below(&self.greater)],
            &self.greater_or_equal[..upto(&self.greater_or_equal)],
        ];
        out.extend(ranges.into_iter().flatten().map(|(_, atom)| *atom));
    }
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
                    None => numbers.add_equal(limit, atom as AtomId),
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
