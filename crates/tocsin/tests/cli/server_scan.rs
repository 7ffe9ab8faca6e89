//! The same recordings through `scan` and through the server give the same alerts, whole: merged by
//! event time, sent over one connection as the past they are, with the same reference time.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use serde_json::Value;

use crate::server_alerts::{assert_same, canonical, id_of, standing};
use crate::server_support::{Server, Start, key, token};
use crate::support::Folder;

/// Lines of one request.
const LINES: usize = 700;

/// How long after the last line alerts may take to settle.
const SETTLING: Duration = Duration::from_secs(30);

fn text_of(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let mut text = String::new();
    match GzDecoder::new(&bytes[..]).read_to_string(&mut text) {
        Ok(_) => text,
        Err(_) => String::from_utf8(bytes).unwrap(),
    }
}

/// The alerts of a scan.
fn scanned(folder: &Folder, files: &[PathBuf], as_of: &str) -> BTreeMap<String, Value> {
    let mut args = vec!["scan", "--as-of", as_of, "--json"];
    args.extend(files.iter().map(|path| path.to_str().unwrap()));
    let scan = folder.run(&args);
    assert_eq!(scan.code, 0, "{}", scan.err);
    let alerts = scan.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    alerts.map(|alert| (id_of(&alert), canonical(alert))).collect()
}

/// The alerts of a server that was sent these lines, once they have settled.
fn served(
    folder: &Folder,
    lines: &[String],
    as_of: &str,
    expect: &BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let config = format!(
        "sources: {{http: {{backfill: true, as_of: {as_of}}}}}\ndetect: {{idle: 1s}}\nlog: {{level: error}}"
    );
    let (key, token) = (key(folder, "ingest"), token(folder, "ann", "analyst"));
    let server = Server::start_with(folder, &Start { config: &config, ..Start::default() });
    for lines in lines.chunks(LINES) {
        let headers = [("X-Api-Key", key.as_str()), ("Content-Type", "text/plain")];
        let body = lines.join("\n");
        let answer = server.send("POST", "/api/v1/events", &headers, body.as_bytes());
        assert_eq!((answer.status, &answer.json()["rejected"]), (202, &Value::Array(Vec::new())));
    }
    server.at_rest(&token);
    let until = Instant::now() + SETTLING;
    server.wait_for("settled alerts", |server| {
        let found = standing(server, &token);
        (found == *expect || Instant::now() > until).then_some(found)
    })
}

fn compare(files: &[PathBuf], as_of: &str, lines: &[String]) {
    let folder = Folder::new();
    let expect = scanned(&folder, files, as_of);
    assert!(expect.len() > 5, "{} alerts", expect.len());
    assert_same(&served(&folder, lines, as_of, &expect), &expect);
}

/// Two logs that were written side by side, merged as they happened.
#[test]
fn the_shipped_recording() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/recording").canonicalize().unwrap();
    let as_of = text_of(&folder.join("as_of"));
    let (access, auth) = (folder.join("access.log.gz"), folder.join("auth.log.gz"));
    let day = |line: &str| line.split_once('[').unwrap().1[12..20].to_string();
    let mut lines: Vec<(String, String)> =
        text_of(&access).lines().map(|line| (day(line), line.to_string())).collect();
    lines.extend(text_of(&auth).lines().map(|line| (line[7..15].to_string(), line.to_string())));
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    let lines: Vec<String> = lines.into_iter().map(|(_, line)| line).collect();
    compare(&[access, auth], as_of.trim(), &lines);
}

/// Public recordings, each a log of its own.
#[test]
fn public_recordings() {
    let recordings = [
        ("auth/elastic_examples_auth.log.gz", "2015-01-01T00:00:00Z"),
        ("web/apache_access_combined.log.gz", "2015-05-21T00:00:00Z"),
    ];
    for (name, as_of) in recordings {
        let Some(path) = crate::recordings::recording(name).map(PathBuf::from) else { continue };
        let lines: Vec<String> = text_of(&path).lines().map(str::to_string).collect();
        compare(&[path], as_of, &lines);
    }
}
