//! Alerts of several rules about the same event know of each other: each carries all claims, and
//! the highest severity and confidence among them.

use tocsin_core::offset::Position;

use crate::alert::{Alert, Claim};

/// Joins the claims of alerts whose condition the same event completed. Alerts come with the
/// position of that event, in any order, and keep theirs.
pub fn join_claims(alerts: &mut [(Position, Alert)]) {
    let mut order: Vec<usize> = (0..alerts.len()).collect();
    order.sort_by_key(|index| {
        let (position, alert) = &alerts[*index];
        (alert.tenant_id.clone(), *position)
    });
    let same = |a: &usize, b: &usize| {
        let (a, b) = (&alerts[*a], &alerts[*b]);
        (a.0, &a.1.tenant_id) == (b.0, &b.1.tenant_id)
    };
    let groups: Vec<Vec<usize>> =
        order.chunk_by(same).filter(|group| group.len() > 1).map(<[usize]>::to_vec).collect();
    for group in groups {
        let mut claims: Vec<Claim> =
            group.iter().flat_map(|index| alerts[*index].1.detections.clone()).collect();
        claims.sort_by(|a, b| a.rule_id.cmp(&b.rule_id));
        claims.dedup();
        let severity = claims.iter().map(|claim| claim.severity).max().unwrap_or_default();
        let confidence = claims.iter().map(|claim| claim.confidence).fold(0.0, f64::max);
        for index in group {
            let alert = &mut alerts[index].1;
            alert.detections.clone_from(&claims);
            alert.severity = severity;
            alert.confidence = confidence;
        }
    }
}
