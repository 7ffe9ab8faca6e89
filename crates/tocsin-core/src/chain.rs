//! Rules over rules: what one stateful rule finds becomes a signal of the rules that count it.
//!
//! A rule that counts the findings of others lies a level above them and has a watermark of its
//! own, a little behind: by then every finding up to it has arrived, so that nothing it counts is
//! late.

use crate::batch::TenantId;
use crate::detector::Hold;
use crate::key;
use crate::keyed::WHEEL_SHIFT;
use crate::matching::number_bits;
use crate::plan::{Chain, ChainValue, Plan};
use crate::signal::{Signal, Signals};
use crate::time::Timestamp;
use crate::value_hash::ValueHasher;

/// The watermark of the level above one with this watermark, right after a tick: the tick has
/// settled every key whose bucket of the wheel lies wholly before it.
pub(crate) fn watermark_above(below: Timestamp) -> Timestamp {
    if below == Timestamp::MAX {
        return below;
    }
    Timestamp(((below.0 >> WHEEL_SHIFT) << WHEEL_SHIFT).saturating_sub(1))
}

/// Appends the signals that findings become at a level, in total order.
pub(crate) fn append(
    plan: &Plan,
    level: u8,
    holds: &[Hold],
    watermark: Timestamp,
    hasher: &ValueHasher,
    signals: &mut Signals,
) {
    let mut found: Vec<(&Hold, &Chain)> = Vec::new();
    for hold in holds {
        let chains = plan.rules[hold.rule.index()].chains.iter();
        let mine = chains.filter(|chain| plan.rules[chain.rule.index()].level == level);
        found.extend(mine.filter(|chain| chain.every_moment || hold.opens).map(|chain| (hold, chain)));
    }
    found.sort_by(|(a, c), (b, d)| (a.entry, a.rule, &a.key, c.rule).cmp(&(b.entry, b.rule, &b.key, d.rule)));
    for (hold, chain) in found {
        let key_start = signals.keys.len() as u32;
        let parts: Vec<Option<&str>> = key::parts(&hold.key).collect();
        let text = |place: &usize| parts.get(*place).copied().flatten();
        let value = match &chain.value {
            ChainValue::Nothing => Some(0),
            ChainValue::Number(place) => text(place).and_then(number_bits),
            ChainValue::Distinct(places) => places
                .iter()
                .try_fold(hasher.begin(), |mut hash, place| {
                    hash.part(text(place)?);
                    Some(hash)
                })
                .map(|hash| hash.finish()),
        };
        let Some(value) = value else { continue };
        for place in &chain.key {
            key::append_part(text(place).unwrap_or_default(), &mut signals.keys);
        }
        let entry = &hold.entry;
        signals.list.push(Signal {
            rule: chain.rule,
            role: chain.role,
            late_behind: (entry.time <= watermark).then_some(watermark),
            beyond: false,
            time: entry.time,
            ingest: entry.ingest(),
            position: entry.position,
            weight: 1,
            value,
            key_start,
            key_len: signals.keys.len() as u32 - key_start,
        });
    }
}

/// Signals of one tenant without any.
pub(crate) fn none(tenant: TenantId) -> Signals {
    Signals { tenant, ..Signals::default() }
}
