//! What a commit stores, what it leaves alone, and what a failed one leaves.

use tocsin_core::batch::TenantId;
use tocsin_core::offset::{PartitionId, Position};
use tocsin_core::rule::Level;
use tocsin_core::time::{Span, Timestamp};
use tocsin_pipeline::commit::{ChangeKind, CommitGroup, Store};
use tocsin_pipeline::journal::RequestMark;
use tocsin_pipeline::ledger::LedgerTotals;
use tocsin_pipeline::rules::RuleSetId;
use tocsin_pipeline::stage::ingest::Remembered;
use tocsin_store::{AlertFilter, Among};

use crate::support::{DEFAULT, House, alert, change, min_role};

const DAY: Span = Span::seconds(86_400);

fn totals(processed: u64) -> LedgerTotals {
    let rejected = [("malformed_json".to_string(), 2)].into();
    LedgerTotals { rejected, processed, quarantined: 1 }
}

fn request(number: u8) -> RequestMark {
    RequestMark {
        key: [number; 16],
        body: [1; 16],
        accepted: 5,
        reply: b"{\"accepted\":5}".as_slice().into(),
    }
}

#[test]
fn everything_of_a_group_is_read_back_as_it_was() {
    let mut house = House::new();
    let mut stored = alert("a", 5);
    stored.min_role = min_role("legal");
    stored.completing = Position::new(PartitionId(3), 1 << 40);
    let at = Timestamp(9);
    let group = CommitGroup {
        end: 4_711,
        alerts: vec![stored.clone()],
        changes: vec![change(10, 1, at, "{}")],
        ledgers: vec![(DEFAULT, totals(3))],
        requests: vec![(DEFAULT, at, request(1))],
        activations: vec![(4_000, RuleSetId([1; 16])), (4_500, RuleSetId([2; 16]))],
        checkpoint: None,
    };
    house.writer.commit(&group).unwrap();

    assert_eq!(house.writer.alert(DEFAULT, "a").unwrap(), Some(stored.clone()));
    assert_eq!(house.reader.alert(DEFAULT, "a").unwrap().unwrap().stored, stored);
    assert_eq!(house.writer.completed_by(DEFAULT, stored.completing).unwrap(), vec![stored]);
    assert_eq!(house.reader.committed().unwrap(), 4_711);
    assert_eq!(house.reader.ledgers().unwrap(), [(DEFAULT, totals(3))]);
    assert_eq!(house.reader.request(DEFAULT, &[1; 16], at).unwrap(), Some(request(1)));
    let active = |position| house.reader.rules_at(position).unwrap().map(|id| id.0[0]);
    assert_eq!([4_000, 4_001, 4_500, 4_501, 9_000].map(active), [None, Some(1), Some(1), Some(2), Some(2)]);
    let changes = house.reader.changes_after(DEFAULT, (0, 0), u64::MAX, 10).unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].position, changes[0].ordinal, changes[0].kind), (10, 1, ChangeKind::Raised));
    assert_eq!((&*changes[0].body, changes[0].at), ("{}", at));
    assert_eq!(changes[0].min_role, min_role("analyst"));
}

#[test]
fn another_tenant_sees_nothing_of_it() {
    let mut house = House::new();
    let other = house.writer.ensure_tenant("other").unwrap().id;
    house.keep(vec![alert("a", 5)]);
    assert_eq!(house.writer.alert(other, "a").unwrap(), None);
    assert_eq!(house.reader.alert(other, "a").unwrap(), None);
    assert_eq!(house.writer.completed_by(other, alert("a", 5).completing).unwrap(), vec![]);

    let mut theirs = alert("a", 6);
    theirs.tenant = other;
    house.keep(vec![theirs]);
    assert_eq!(house.writer.alert(DEFAULT, "a").unwrap(), Some(alert("a", 5)), "one id, two tenants");
}

#[test]
fn what_people_set_outlives_what_the_detector_says_later() {
    let mut house = House::new();
    house.keep(vec![alert("a", 5)]);
    house.sql("UPDATE alerts SET triage_status = 'closed', disposition = 'benign', assignee = 'ann'");
    let mut later = alert("a", 5);
    later.alert.count = 99;
    later.alert.severity = Level::Critical;
    house.keep(vec![later]);

    let kept = house.reader.alert(DEFAULT, "a").unwrap().unwrap();
    assert_eq!(kept.triage.disposition.as_deref(), Some("benign"));
    assert_eq!(kept.triage.assignee.as_deref(), Some("ann"));
    let alert_now = kept.stored.alert;
    assert_eq!((alert_now.status.as_str(), alert_now.count), ("closed", 99));
    assert_eq!(alert_now.severity, Level::Critical);

    // The detector reads the status people set, and writes it back: it stays theirs.
    let read = house.writer.alert(DEFAULT, "a").unwrap().unwrap();
    assert_eq!(read.alert.status, "closed");
    house.keep(vec![read]);
    house.sql("UPDATE alerts SET triage_status = NULL");
    assert_eq!(house.writer.alert(DEFAULT, "a").unwrap().unwrap().alert.status, "open");
}

#[test]
fn superseded_and_withdrawn_alerts_stand_no_more() {
    let mut house = House::new();
    let mut superseded = alert("b", 6);
    superseded.alert.superseded_by = Some("a".to_string());
    let mut withdrawn = alert("c", 7);
    withdrawn.alert.status = "withdrawn".to_string();
    house.keep(vec![alert("a", 5), superseded, withdrawn]);

    let standing = house.writer.completed_by(DEFAULT, alert("a", 5).completing).unwrap();
    assert_eq!(standing, vec![alert("a", 5)]);
    assert_eq!(house.ids(&AlertFilter { among: Among::Standing, ..AlertFilter::default() }), ["a"]);
    assert_eq!(house.ids(&AlertFilter::default()), ["c", "b", "a"]);
    let status = house.reader.alert(DEFAULT, "c").unwrap().unwrap().stored.alert.status;
    assert_eq!(status, "withdrawn");

    house.keep(vec![alert("c", 7)]);
    assert_eq!(house.writer.completed_by(DEFAULT, alert("a", 5).completing).unwrap().len(), 2);
}

#[test]
fn a_change_that_is_there_stays_as_it_is() {
    let mut house = House::new();
    for body in ["first", "second"] {
        let changes = vec![change(10, 1, Timestamp(0), body)];
        house.writer.commit(&CommitGroup { changes, ..CommitGroup::default() }).unwrap();
    }
    let changes = house.reader.changes_after(DEFAULT, (0, 0), u64::MAX, 10).unwrap();
    assert_eq!(changes.iter().map(|change| &*change.body).collect::<Vec<_>>(), ["first"]);
}

#[test]
fn changes_are_read_in_order_between_two_places() {
    let mut house = House::new();
    let places = [(10, 1), (10, 2), (11, 1), (20, 1), (30, 1)];
    let changes = places.map(|(position, ordinal)| change(position, ordinal, Timestamp(0), "")).to_vec();
    house.writer.commit(&CommitGroup { changes, ..CommitGroup::default() }).unwrap();
    let read = |after, up_to, limit| {
        let changes = house.reader.changes_after(DEFAULT, after, up_to, limit).unwrap();
        changes.iter().map(|change| (change.position, change.ordinal)).collect::<Vec<_>>()
    };
    assert_eq!(read((0, 0), 20, 100), &places[..4]);
    assert_eq!(read((10, 1), u64::MAX, 2), &places[1..3]);
    assert_eq!(read((30, 1), u64::MAX, 100), []);
    assert_eq!(house.reader.changes_after(TenantId(1), (0, 0), u64::MAX, 10).unwrap().len(), 0);
}

#[test]
fn changes_go_after_a_week_and_the_gap_is_known() {
    let mut house = House::new();
    let mut commit = |position, day| {
        let changes = vec![change(position, 2, Timestamp(day * DAY.0), "")];
        house.writer.commit(&CommitGroup { changes, ..CommitGroup::default() }).unwrap();
        let kept = house.reader.changes_after(DEFAULT, (0, 0), u64::MAX, 10).unwrap();
        let kept: Vec<u64> = kept.iter().map(|change| change.position).collect();
        (kept, house.reader.dropped_change().unwrap())
    };
    commit(10, 0);
    commit(20, 1);
    assert_eq!(commit(30, 7), (vec![10, 20, 30], (0, 0)), "a week old is not older than a week");
    assert_eq!(commit(40, 9), (vec![30, 40], (20, 2)));
}

#[test]
fn a_group_that_fails_changes_nothing_and_the_next_one_works() {
    let mut house = House::new();
    house.keep(vec![alert("a", 5)]);
    let mut changed = alert("a", 5);
    changed.alert.count = 99;
    let mut group = CommitGroup {
        end: 100,
        alerts: vec![changed.clone(), alert("b", 6)],
        changes: vec![change(10, 1, Timestamp(0), "")],
        requests: vec![(DEFAULT, Timestamp(0), request(1))],
        // There is no such tenant, so this fails, after all the rest was written.
        ledgers: vec![(TenantId(77), totals(1))],
        activations: vec![(50, RuleSetId([1; 16]))],
        checkpoint: None,
    };
    assert!(house.writer.commit(&group).is_err());
    assert_eq!(house.reader.committed().unwrap(), 0);
    assert_eq!(house.writer.alert(DEFAULT, "a").unwrap(), Some(alert("a", 5)));
    assert_eq!(house.writer.alert(DEFAULT, "b").unwrap(), None);
    assert_eq!(house.reader.rules_at(100).unwrap(), None);
    assert_eq!(house.reader.changes_after(DEFAULT, (0, 0), u64::MAX, 10).unwrap().len(), 0);

    group.ledgers = vec![(DEFAULT, totals(1))];
    house.writer.commit(&group).unwrap();
    assert_eq!(house.reader.committed().unwrap(), 100);
    assert_eq!(house.writer.alert(DEFAULT, "a").unwrap(), Some(changed));
    assert!(house.reader.request(DEFAULT, &[1; 16], Timestamp(0)).unwrap().is_some());
}
