//! Windows recordings and the public Sigma rules through `tocsin scan --matches`, against an
//! independent evaluator (INDEX.md of the recordings says how it works).

#![expect(clippy::unwrap_used, reason = "a recording in an unexpected shape fails the test")]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::recordings::{AFTER_ALL, objects_of, recording, scan, text_of};
use crate::scan_support::Scanned;
use crate::support::Folder;

/// A match: 0-based line and rule.
pub type Found = BTreeSet<(u64, String)>;

const RULES: &str = "sigma_rules/sigma_windows_and_cloud_rules.jsonl.gz";
const REGRESSION: &str = "sigma_regression/cases.jsonl.gz";
const EVTX: &str = "windows/evtx_to_mitre.jsonl.gz";

/// The sender of these recordings spells `Provider_Name` as `SourceName`, which Tocsin reads and
/// the other evaluator does not.
const SOURCE_NAME: &str = "the provider stands under `SourceName`";

/// The rule's log source has neither category nor service. The other evaluator never fires such a
/// rule; Sigma asks only that the event is of Windows.
const PRODUCT_ONLY: &str = "the log source names the product alone";

/// `NewUacValue` 0x8210 ends in `8???` and `OldUacValue` 0x210 does not, so the rule's condition
/// holds. The two other evaluators differ from each other.
const DISPUTED: &str = "the other evaluators disagree";

/// Matches that Tocsin has beyond those expected: rule, how many, and why they are right.
const MORE_IN_OTRF: &[(&str, usize, &str)] = &[
    ("d99b79d2-0a6f-4f46-ad8b-260b6e17f982", 14, SOURCE_NAME),
    ("100ef69e-3327-481c-8e5c-6d80d9507556", 11, SOURCE_NAME),
    ("26481afe-db26-4228-b264-25a29fe6efc7", 1, SOURCE_NAME),
    ("843544a7-56e0-4dcc-a44f-5cc266dd97d6", 1, SOURCE_NAME),
    ("f512acbf-e662-4903-843e-97ce4652b740", 1, SOURCE_NAME),
    ("06d71506-7beb-4f22-8888-e2e5e2ca7fd8", 5, PRODUCT_ONLY),
];

const MORE_IN_EVTX: &[(&str, usize, &str)] = &[
    ("06d71506-7beb-4f22-8888-e2e5e2ca7fd8", 4, PRODUCT_ONLY),
    ("f6de9536-0441-4b3f-a646-f4e00f300ffd", 1, DISPUTED),
];

/// A folder with all public rules.
pub fn all_rules() -> Option<Folder> {
    let rules = objects_of(&recording(RULES)?);
    assert_eq!(rules.len(), 2_952);
    Some(rules.iter().fold(Folder::new(), |folder, rule| {
        let name = rule["path"].as_str().unwrap().replace('/', "__");
        folder.with(&format!("rules/{name}"), rule["yaml"].as_str().unwrap())
    }))
}

pub fn scan_all(folder: &Folder, files: &[&str]) -> Scanned {
    let got: Scanned =
        folder.run(&[&["scan"], files, &["-r", "rules", "--as-of", AFTER_ALL, "--matches"]].concat()).into();
    assert_eq!((got.code, &got.summary()["rejected"]), (0, &json!({})), "{}", got.err);
    got
}

pub fn found(objects: &[Value], file: Option<&str>) -> Found {
    let of_file = objects.iter().filter(|found| found["file"].as_str() == file);
    of_file
        .map(|found| (found["line"].as_u64().unwrap() - 1, found["rule"].as_str().unwrap().to_string()))
        .collect()
}

/// Nothing expected is missing, and what is more is in the table, to the number.
fn check_more(more: &[(u64, String)], table: &[(&str, usize, &str)]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, rule) in more {
        *counts.entry(rule).or_default() += 1;
    }
    let expect: BTreeMap<&str, usize> = table.iter().map(|(rule, count, _)| (*rule, *count)).collect();
    assert_eq!(counts, expect);
}

/// The recordings with expected matches.
fn otrf() -> Option<Vec<String>> {
    let index: Value = serde_json::from_str(&text_of(&recording("windows/otrf_index.json")?)).unwrap();
    let names = index.as_array().unwrap().iter().map(|entry| entry["file"].as_str().unwrap());
    let mut paths: Vec<String> =
        names.filter(|name| name.starts_with("windows/otrf/")).map(|name| recording(name).unwrap()).collect();
    paths.sort();
    Some(paths)
}

#[test]
fn public_rules_match_as_expected_in_the_recordings() {
    let (Some(folder), Some(files)) = (all_rules(), otrf()) else { return };
    assert_eq!(files.len(), 30);
    let got = scan_all(&folder, &files.iter().map(String::as_str).collect::<Vec<_>>());
    let objects = got.objects();
    let (mut more, mut agreed) = (Vec::new(), 0);
    for file in &files {
        let mut expect = Found::new();
        for line in objects_of(&file.replace(".jsonl.gz", ".sigma_expected.jsonl")) {
            let rules = line["rules"].as_array().unwrap().iter();
            expect
                .extend(rules.map(|rule| (line["i"].as_u64().unwrap(), rule.as_str().unwrap().to_string())));
        }
        let got = found(&objects, Some(file));
        assert_eq!(expect.difference(&got).collect::<Vec<_>>(), Vec::<&(u64, String)>::new(), "{file}");
        agreed += expect.len();
        more.extend(got.difference(&expect).cloned());
    }
    assert_eq!(agreed, 586);
    check_more(&more, MORE_IN_OTRF);
}

#[test]
fn public_rules_match_as_expected_in_the_event_logs() {
    let (Some(folder), Some(path)) = (all_rules(), recording(EVTX)) else { return };
    let events = objects_of(&path);
    let lines: Vec<String> = events.iter().map(|event| event["flat"].to_string()).collect();
    let folder = folder.with("evtx.jsonl", lines.join("\n"));
    let mut expect = Found::new();
    for (index, event) in events.iter().enumerate() {
        let rules = event["sigma_match"].as_array().into_iter().flatten();
        expect.extend(rules.map(|rule| (index as u64, rule.as_str().unwrap().to_string())));
    }
    let got = scan_all(&folder, &["evtx.jsonl"]);
    assert_eq!(got.summary()["events"], events.len());
    let got = found(&got.objects(), None);
    assert_eq!(expect.difference(&got).collect::<Vec<_>>(), Vec::<&(u64, String)>::new());
    assert_eq!(expect.len(), 213);
    check_more(&got.difference(&expect).cloned().collect::<Vec<_>>(), MORE_IN_EVTX);
}

/// The cases that the rules' authors keep, in both shapes: as exported and flattened.
#[test]
fn regression_cases_match_their_rules() {
    let (Some(folder), Some(path)) = (all_rules(), recording(REGRESSION)) else { return };
    let cases = objects_of(&path);
    let mut all = Vec::new();
    for shape in ["flat", "raw"] {
        let mut lines = Vec::new();
        let mut spans = Vec::new();
        for case in &cases {
            let events = case["events"].as_array().unwrap();
            spans.push((lines.len() as u64, (lines.len() + events.len()) as u64));
            lines.extend(events.iter().map(|event| event[shape].to_string()));
        }
        let case_folder = Folder::new().with("cases.jsonl", lines.join("\n"));
        let log = case_folder.path().join("cases.jsonl");
        let got = scan_all(&folder, &[log.to_str().unwrap()]);
        assert_eq!(got.summary()["events"], lines.len());
        let got = found(&got.objects(), None);
        for (case, (from, to)) in cases.iter().zip(spans) {
            let rule = case["rule_id"].as_str().unwrap();
            let hits = got.iter().filter(|(line, of)| of == rule && (from..to).contains(line)).count();
            assert_eq!(hits as u64, case["target_hits"], "{shape}: {} {rule}", case["rule_title"]);
        }
        all.push(got);
    }
    assert_eq!((cases.len(), all[0].len()), (74, 136));
    assert_eq!(all[0], all[1], "both shapes");
}

/// A rule per event id counts the events of every recording as a plain reading of the JSON does.
#[test]
fn events_and_their_ids_agree_with_the_recordings() {
    let Some(mut files) = otrf() else { return };
    let older = ["empire_enable_rdp", "empire_wdigest_downgrade"];
    files.extend(
        older.iter().map(|name| recording(&format!("windows/otrf_winlogbeat6/{name}.jsonl.gz")).unwrap()),
    );
    let mut expect: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for file in &files {
        let id = |event: &Value| event.get("EventID").or(event.get("event_id")).unwrap().as_u64().unwrap();
        expect.insert(file, objects_of(file).iter().map(id).collect());
    }
    let ids: BTreeSet<u64> = expect.values().flatten().copied().collect();
    let rule = |id: &u64| {
        format!(
            "---\ntitle: Event {id}\nid: 10000000-0000-4000-8000-{id:012}\nlogsource: {{product: windows}}\n\
             detection:\n  s:\n    EventID: {id}\n  condition: s\nlevel: informational\n"
        )
    };
    let rules: String = ids.iter().map(rule).collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let got = scan(&names, &rules, AFTER_ALL, "--matches");
    assert_eq!(got.summary()["events"], expect.values().map(Vec::len).sum::<usize>());
    let objects = got.objects();
    for (file, ids) in expect {
        let got: Vec<(u64, String)> = found(&objects, Some(file)).into_iter().collect();
        let expect = ids
            .iter()
            .enumerate()
            .map(|(line, id)| (line as u64, format!("10000000-0000-4000-8000-{id:012}")));
        assert!(got.iter().cloned().eq(expect), "{file}: {} events, {} matches", ids.len(), got.len());
    }
}

/// The shape of Winlogbeat 6, and the same events flattened: the same rules match.
#[test]
fn nested_and_flat_events_match_alike() {
    let (Some(folder), Some(_)) = (all_rules(), recording("windows/otrf_winlogbeat6")) else { return };
    for (name, matches) in [("empire_enable_rdp", 55), ("empire_wdigest_downgrade", 56)] {
        let path = recording(&format!("windows/otrf_winlogbeat6/{name}.jsonl.gz")).unwrap();
        let lines: Vec<String> = objects_of(&path).iter().map(|event| flat(event).to_string()).collect();
        let flat_folder = Folder::new().with("flat.jsonl", lines.join("\n"));
        let flat = flat_folder.path().join("flat.jsonl");
        let nested = found(&scan_all(&folder, &[&path]).objects(), None);
        assert_eq!(nested, found(&scan_all(&folder, &[flat.to_str().unwrap()]).objects(), None), "{name}");
        assert_eq!(nested.len(), matches, "{name}");
    }
}

fn flat(event: &Value) -> Value {
    let mut flat: Map<String, Value> = event["event_data"].as_object().cloned().unwrap_or_default();
    for (sent, name) in [
        ("event_id", "EventID"),
        ("log_name", "Channel"),
        ("source_name", "Provider_Name"),
        ("computer_name", "Computer"),
        ("@timestamp", "@timestamp"),
        ("message", "Message"),
    ] {
        flat.insert(name.to_string(), event[sent].clone());
    }
    flat.into()
}
