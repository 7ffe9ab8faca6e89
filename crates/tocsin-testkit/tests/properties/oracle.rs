//! Five failures of one address within a minute, counted the slow and obvious way.

use std::collections::{BTreeMap, BTreeSet};

use crate::harness::Told;

const WINDOW_MS: i64 = 60_000;
const THRESHOLD: usize = 5;
const EPISODE_MS: i64 = 180_000;

/// (address, t0, count, first, last) of every episode.
pub fn summaries(told: &[Told]) -> Vec<(u8, i64, u64, i64, i64)> {
    let mut by_address: BTreeMap<u8, Vec<i64>> = BTreeMap::new();
    for one in told.iter().filter(|one| one.failed) {
        by_address.entry(one.address).or_default().push(one.millis);
    }
    let mut found: Vec<_> = by_address
        .into_iter()
        .flat_map(|(address, mut times)| {
            times.sort_unstable();
            episodes(&times)
                .into_iter()
                .map(move |(t0, count, first, last)| (address, t0, count, first, last))
        })
        .collect();
    found.sort_unstable();
    found
}

fn episodes(times: &[i64]) -> Vec<(i64, u64, i64, i64)> {
    let mut episodes: Vec<(i64, BTreeSet<usize>)> = Vec::new();
    let mut start = 0;
    for (index, time) in times.iter().enumerate() {
        while times[start] < time - WINDOW_MS {
            start += 1;
        }
        if index + 1 - start < THRESHOLD {
            continue;
        }
        match episodes.last_mut().filter(|(t0, _)| *time < t0 + EPISODE_MS) {
            Some((_, members)) => {
                // Earlier members are in already; those before the last one in cannot be new.
                let from = members.last().map_or(start, |last| start.max(last + 1));
                members.extend(from..=index);
            }
            None => {
                // Where the condition held within this window before, its last events stand for
                // all of them.
                let held = episodes.last().and_then(|(_, members)| members.last().copied());
                let goes_on = held.is_some_and(|last| last >= start);
                let from = if goes_on { start.max(index + 1 - THRESHOLD) } else { start };
                episodes.push((*time, (from..=index).collect()));
            }
        }
    }
    let summary = |(t0, members): (i64, BTreeSet<usize>)| {
        let first = members.first().map_or(t0, |index| times[*index]);
        let last = members.last().map_or(t0, |index| times[*index]);
        (t0, members.len() as u64, first, last)
    };
    episodes.into_iter().map(summary).collect()
}
