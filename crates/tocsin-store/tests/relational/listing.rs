//! Lists of alerts against a plain model: a sorted `Vec`, filtered and cut.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::sync::Mutex;

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use tocsin_alert::alert::Entity;
use tocsin_core::batch::TenantId;
use tocsin_core::rule::Level;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{CommitGroup, Store, StoredAlert};
use tocsin_store::{AlertFilter, Among, KeptAlert, Page};

use crate::support::{DEFAULT, House, alert, id, min_role};

const KINDS: [&str; 2] = ["brute_force", "sigma"];
const STATUSES: [&str; 2] = ["open", "withdrawn"];
const USERS: [&str; 3] = ["ann", "Böb", "10.0.0.1"];

fn visible(stored: &StoredAlert) -> bool {
    stored.min_role.is_open()
}

fn words(of: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    subsequence(of, 0..=of.len()).prop_map(|words| words.into_iter().map(str::to_string).collect())
}

/// t0, severity, type, status, superseded, hidden, user.
type Facts = (i64, Level, &'static str, &'static str, bool, bool, &'static str);

fn made((number, facts): (u32, Facts)) -> StoredAlert {
    let (t0, severity, kind, status, superseded, hidden, user) = facts;
    let mut stored = alert(&format!("{number:032x}"), t0);
    stored.alert.severity = severity;
    stored.alert.kind = kind.to_string();
    stored.alert.status = status.to_string();
    stored.alert.superseded_by = superseded.then(|| "other".to_string());
    stored.alert.entities = vec![Entity { kind: "user".to_string(), value: user.to_string() }];
    stored.alert.key.clear();
    if hidden {
        stored.min_role = min_role("admin");
    }
    stored
}

fn alerts() -> impl Strategy<Value = Vec<StoredAlert>> {
    let severity = select(&Level::ALL[..]);
    let (kind, status, user) = (select(&KINDS[..]), select(&STATUSES[..]), select(&USERS[..]));
    let facts = (0..6i64, severity, kind, status, any::<bool>(), any::<bool>(), user);
    let by_number = prop::collection::btree_map(0..40u32, facts, 0..40);
    by_number.prop_map(|alerts| alerts.into_iter().map(made).collect())
}

prop_compose! {
    fn filters()(
        severities in subsequence(&Level::ALL[..], 0..=2),
        types in words(&KINDS),
        statuses in words(&STATUSES),
        entities in words(&["ann", "user:Böb", "address:10.0.0.1"]),
        (from, to) in (prop::option::of(0..6i64), prop::option::of(0..6i64)),
        text in prop::option::of(select(vec!["BÖB", "ann", "logins", "nothing"])),
        among in select(vec![Among::All, Among::Standing, Among::StandingWithSource]),
    ) -> AlertFilter {
        let (from, to) = (from.map(Timestamp), to.map(Timestamp));
        let text = text.map(str::to_string);
        AlertFilter { severities, types, rules: vec![], statuses, entities, from, to, text, among }
    }
}

/// What the list is, in the plainest words.
fn model(alerts: &[StoredAlert], filter: &AlertFilter) -> Vec<String> {
    let any = |words: &[String], word: &str| words.is_empty() || words.iter().any(|w| w == word);
    let admitted = |stored: &&StoredAlert| {
        let alert = &stored.alert;
        let user = alert.entities[0].value.as_str();
        let stands = alert.superseded_by.is_none() && alert.status == "open";
        let listed = match filter.among {
            Among::All => true,
            Among::Standing => stands,
            // The entity is a user, and there is no key: no alert here is about an address.
            Among::StandingWithSource => false,
        };
        let words = [&alert.title, &alert.message, &alert.kind, &alert.rule.id, &alert.rule.title];
        let said = format!("{words:?} {user}").to_lowercase();
        listed
            && visible(stored)
            && (filter.severities.is_empty() || filter.severities.contains(&alert.severity))
            && any(&filter.types, &alert.kind)
            && any(&filter.statuses, &alert.status)
            && (any(&filter.entities, user) || any(&filter.entities, &format!("user:{user}")))
            && filter.from.is_none_or(|from| stored.t0 >= from)
            && filter.to.is_none_or(|to| stored.t0 <= to)
            && filter.text.as_ref().is_none_or(|text| said.contains(&text.to_lowercase()))
    };
    let mut listed: Vec<&StoredAlert> = alerts.iter().filter(admitted).collect();
    listed.sort_by_key(|stored| std::cmp::Reverse((stored.t0, stored.alert.alert_id.clone())));
    listed.into_iter().map(|stored| stored.alert.alert_id.clone()).collect()
}

/// All pages of a list, one after the other, through cursors as text.
fn walk(house: &House, tenant: TenantId, filter: &AlertFilter, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut after = None;
    loop {
        let page = Page { after, limit };
        let page =
            house.reader.recent(tenant, filter, &page, |kept: &KeptAlert| visible(&kept.stored)).unwrap();
        pages.push(page.alerts.iter().map(id).collect());
        match page.next {
            Some(next) => after = Some(next.to_string().parse().unwrap()),
            None => return pages,
        }
    }
}

#[test]
fn pages_are_full_and_together_are_the_whole_list() {
    let house = Mutex::new((House::new(), 0));
    proptest!(ProptestConfig::with_cases(200), |(mut alerts in alerts(), filter in filters(), limit in 1..6usize)| {
        let mut shared = house.lock().unwrap();
        shared.1 += 1;
        let name = format!("tenant{}", shared.1);
        let house = &mut shared.0;
        let tenant = house.writer.ensure_tenant(&name).unwrap().id;
        alerts.iter_mut().for_each(|stored| stored.tenant = tenant);
        house.keep(alerts.clone());

        let expect = model(&alerts, &filter);
        let pages = walk(house, tenant, &filter, limit);
        let (_, full) = pages.split_last().unwrap();
        prop_assert!(full.iter().all(|page| page.len() == limit), "{pages:?}");
        prop_assert_eq!(pages.concat(), expect);
    });
}

#[test]
fn a_list_goes_on_where_it_was_though_newer_alerts_came() {
    let mut house = House::new();
    house.keep((0..4).map(|n| alert(&format!("a{n}"), n)).collect());
    let first = Page { after: None, limit: 2 };
    let page = house.reader.recent(DEFAULT, &AlertFilter::default(), &first, |_| true).unwrap();
    assert_eq!(page.alerts.iter().map(id).collect::<Vec<_>>(), ["a3", "a2"]);
    house.keep(vec![alert("b9", 9)]);
    let second = Page { after: page.next, limit: 2 };
    let page = house.reader.recent(DEFAULT, &AlertFilter::default(), &second, |_| true).unwrap();
    assert_eq!(page.alerts.iter().map(id).collect::<Vec<_>>(), ["a1", "a0"]);
    assert_eq!(page.next, None, "the end is known at once");
}

#[test]
fn the_rule_and_the_address_can_be_asked_for() {
    let mut house = House::new();
    let mut other = alert("b", 2);
    other.alert.rule.id = "other".to_string();
    other.alert.key.clear();
    other.alert.entities.clear();
    house.keep(vec![alert("a", 1), other]);
    let rules = vec!["other".to_string()];
    assert_eq!(house.ids(&AlertFilter { rules, ..AlertFilter::default() }), ["b"]);
    let among = Among::StandingWithSource;
    assert_eq!(house.ids(&AlertFilter { among, ..AlertFilter::default() }), ["a"]);
}

#[test]
fn many_readers_get_their_answers_at_once() {
    let mut house = House::new();
    let alerts = (0..200).map(|n| alert(&format!("a{n:03}"), n)).collect();
    house.writer.commit(&CommitGroup { alerts, ..CommitGroup::default() }).unwrap();
    std::thread::scope(|scope| {
        let ask = || {
            let reader = house.reader.clone();
            scope.spawn(move || {
                let page = Page { after: None, limit: 150 };
                reader.recent(DEFAULT, &AlertFilter::default(), &page, |_| true).unwrap().alerts.len()
            })
        };
        let asked: Vec<_> = (0..32).map(|_| ask()).collect();
        assert!(asked.into_iter().all(|answer| answer.join().unwrap() == 150));
    });
}
