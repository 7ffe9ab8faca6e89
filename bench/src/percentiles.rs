//! Percentiles of measured times.

use std::time::Duration;

use serde_json::{Value, json};

/// p50, p90, p99 and the longest, in milliseconds; nulls when nothing was measured. A percentile is
/// a measured value: the smallest that so many of a hundred do not exceed.
#[must_use]
pub fn of(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |percent: usize| {
        let rank = (times.len() * percent).div_ceil(100).max(1);
        times.get(rank - 1).map(|time| (time.as_secs_f64() * 1e6).round() / 1e3)
    };
    json!({ "p50": at(50), "p90": at(90), "p99": at(99), "max": at(100) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_measured_values() {
        let times = |millis: &mut dyn Iterator<Item = u64>| of(millis.map(Duration::from_millis).collect());
        assert_eq!(
            times(&mut (1..=200).rev()),
            json!({ "p50": 100.0, "p90": 180.0, "p99": 198.0, "max": 200.0 })
        );
        assert_eq!(times(&mut [7].into_iter()), json!({ "p50": 7.0, "p90": 7.0, "p99": 7.0, "max": 7.0 }));
        assert_eq!(times(&mut [].into_iter()), json!({ "p50": null, "p90": null, "p99": null, "max": null }));
    }
}
