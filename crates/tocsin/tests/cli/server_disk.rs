//! A disk that is full, read-only or broken: 503 with the reason, nothing acknowledged that is not
//! safe, what can be read is still read, and work goes on once the disk is well again.
//!
//! The disks are small ones of their own, which needs root; without it these tests are skipped.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::server_contract_support::{Site, at, entry, failed_logins, lines, problem};
use crate::server_support::{PATIENCE, Server, Start};
use crate::support::Folder;

/// A small disk under the data folder of a test.
struct Disk {
    folder: Option<Folder>,
}

impl Disk {
    /// A disk in memory.
    fn in_memory(size: &str) -> Option<Disk> {
        let size = format!("size={size}");
        Disk::mounted(Folder::new(), &["-t", "tmpfs", "-o", &size, "none"])
    }

    /// A disk of 32 MiB with a file system that knows immutable files and errors.
    fn on_file() -> Option<Disk> {
        let folder = Folder::new();
        let image = folder.path().join("image");
        fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
        let image = image.to_str().unwrap().to_string();
        run("mkfs.ext4", &["-q", "-F", &image])?;
        Disk::mounted(folder, &["-o", "loop", &image])
    }

    fn mounted(folder: Folder, what: &[&str]) -> Option<Disk> {
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let mounted = run("mount", &[what, &[data.to_str().unwrap()]].concat());
        if mounted.is_none() {
            eprintln!("skipped: mounting a small disk needs root");
        }
        mounted.map(|()| Disk { folder: Some(folder) })
    }

    /// A server on it.
    fn site(&mut self, config: &str) -> Mounted {
        Mounted { site: Some(Site::of(self.folder.take().unwrap(), config)) }
    }
}

/// A site on a disk that goes with it.
struct Mounted {
    site: Option<Site>,
}

impl std::ops::Deref for Mounted {
    type Target = Site;

    fn deref(&self) -> &Site {
        self.site.as_ref().unwrap()
    }
}

impl Mounted {
    fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// Ends the server; its status, and what it said.
    fn stop(&mut self, then: impl FnOnce(&Path)) -> (Option<i32>, Vec<String>) {
        let Site { folder, server, ingest, analyst } = self.site.take().unwrap();
        let ended = server.stop();
        then(&folder.path().join("data"));
        let server = Server::start_with(&folder, &Start::default());
        self.site = Some(Site { folder, server, ingest, analyst });
        ended
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Some(Site { folder, server, .. }) = self.site.take() {
            drop(server);
            run("umount", &["-l", folder.path().join("data").to_str().unwrap()]);
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(folder) = &self.folder {
            run("umount", &["-l", folder.path().join("data").to_str().unwrap()]);
        }
    }
}

/// Runs a tool of the system; none when it is not there or fails.
fn run(program: &str, args: &[&str]) -> Option<()> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then_some(())
}

/// A body of so many events of about a kibibyte each.
fn bodies(events: usize) -> String {
    let event = json!({ "timestamp": at(0), "type": "x", "text": "x".repeat(1_000) });
    lines(&vec![event; events])
}

/// Sends until the disk says no; how many events were acknowledged, and the detail.
fn fill(site: &Site, events: usize) -> (u64, String) {
    let body = bodies(events);
    let mut acknowledged = 0;
    for _ in 0..10_000 {
        let answer = site.server.post_events(&site.ingest, &body);
        if answer.status == 202 {
            acknowledged += answer.json()["accepted"].as_u64().unwrap();
            continue;
        }
        assert!(answer.header("retry-after").is_some(), "{:?}", answer.headers);
        return (acknowledged, problem(&answer, 503));
    }
    panic!("the disk never filled");
}

/// What can be read while nothing can be written.
fn still_reads(site: &Site, alerts: &Value) {
    assert_eq!(site.server.json("/api/v1/alerts", &site.analyst)["items"], *alerts);
    assert_eq!(site.server.send("GET", "/healthz", &[], b"").status, 200);
    let ready = site.server.send("GET", "/readyz", &[], b"");
    problem(&ready, 503);
    assert!(!ready.json()["errors"][0]["reason"].as_str().unwrap().is_empty());
    assert_eq!(site.follow(&site.analyst).status, 200);
    let mut log = entry(0, "192.0.2.9", 200);
    // What a disk that is nearly full has no room for either.
    log["endpoint"] = format!("/{}", "x".repeat(60_000)).into();
    problem(&site.server.post_log(&site.ingest, &log.to_string()), 503);
}

/// Waits until the server says it can work, then sends something that must be taken.
fn works_again(site: &Site) {
    site.server.wait_for("work", |server| {
        let answer = server.post_events(&site.ingest, &bodies(1));
        (answer.status == 202).then_some(())
    });
    site.server.wait_for("readiness", |server| {
        (server.send("GET", "/readyz", &[], b"").status == 200).then_some(())
    });
}

fn verified(site: &Site) {
    let found = site.folder.run(&["verify", "data", "--json"]);
    let report: Value = serde_json::from_str(&found.out).unwrap();
    assert_eq!((found.code, &report["sound"]), (0, &json!(true)), "{report}");
}

#[test]
fn a_full_disk_is_503_with_the_reason_and_work_goes_on_when_there_is_room() {
    let Some(mut disk) = Disk::in_memory("12m") else { return };
    let mut site = disk.site("");
    let ballast = site.data().join("ballast");
    fs::write(&ballast, vec![1; 6 << 20]).unwrap();
    site.events(&failed_logins(11, "192.0.2.1"));
    let alerts = Value::from(site.alerts());
    assert_eq!(alerts.as_array().unwrap().len(), 1);
    let mut expect = 11;
    for events in [300, 1] {
        let (acknowledged, detail) = fill(&site, events);
        expect += acknowledged;
        assert!(detail.contains("no room on the disk"), "{detail}");
    }
    still_reads(&site, &alerts);
    assert_eq!(
        site.server.json("/api/v1/ledger", &site.analyst)["accepted"],
        expect,
        "acknowledged and no more"
    );
    let sent = std::time::Instant::now();
    fs::remove_file(&ballast).unwrap();
    works_again(&site);
    assert!(sent.elapsed() < PATIENCE / 4, "{:?}", sent.elapsed());
    let ledger = site.ledger();
    assert_eq!((&ledger["accepted"], &ledger["processed"]), (&json!(expect + 1), &json!(expect + 1)));
    site.events(&failed_logins(11, "192.0.2.2"));
    assert_eq!(site.alerts().len(), 2);
    let before = (site.alerts(), site.ledger());
    let (code, told) = site.stop(|_| ());
    assert_eq!(code, Some(0), "{told:?}");
    assert!(told.iter().any(|line| line.contains("no room on the disk")), "{told:?}");
    assert_eq!((site.alerts(), site.ledger()), before, "after a restart");
    verified(&site);
}

#[test]
fn a_disk_that_takes_no_writes_for_a_while_is_503_and_then_work_goes_on() {
    let Some(mut disk) = Disk::on_file() else { return };
    let site = disk.site("");
    site.events(&failed_logins(11, "192.0.2.1"));
    let alerts = Value::from(site.alerts());
    let data = site.data().to_str().unwrap().to_string();
    run("chattr", &["-R", "+i", &data]).unwrap();
    for _ in 0..3 {
        let answer = site.server.post_events(&site.ingest, &bodies(1));
        let detail = problem(&answer, 503);
        assert!(detail.contains("journal") && answer.header("retry-after").is_some(), "{detail}");
    }
    still_reads(&site, &alerts);
    assert_eq!(site.server.json("/api/v1/ledger", &site.analyst)["received"], 11);
    run("chattr", &["-R", "-i", &data]).unwrap();
    works_again(&site);
    site.events(&failed_logins(11, "192.0.2.2"));
    assert_eq!(site.alerts().len(), 2);
    verified(&site);
}

#[test]
fn a_disk_that_turned_read_only_keeps_what_was_acknowledged() {
    let Some(mut disk) = Disk::on_file() else { return };
    let mut site = disk.site("");
    site.events(&failed_logins(11, "192.0.2.1"));
    let before = site.alerts();
    let data = site.data().to_str().unwrap().to_string();
    // What the kernel does when the disk below fails.
    run("mount", &["-o", "remount,abort", &data]).unwrap();
    let detail = problem(&site.server.post_events(&site.ingest, &bodies(1)), 503);
    assert!(detail.contains("mount it for writing"), "{detail}");
    still_reads(&site, &Value::from(before.clone()));
    let image = site.folder.path().join("image").to_str().unwrap().to_string();
    let (_, told) = site.stop(|_| {
        run("umount", &[&data]).unwrap();
        // Exit status 1: errors were there and are corrected.
        drop(Command::new("fsck.ext4").args(["-p", &image]).output());
        run("mount", &["-o", "loop", &image, &data]).unwrap();
    });
    assert!(!told.iter().any(|line| line.contains("panicked")), "{told:?}");
    assert_eq!(site.alerts(), before);
    works_again(&site);
}

/// A tracer that lets every call of these fail with this error, until it goes.
pub fn failing(server: &Server, calls: &str, error: &str) -> Option<Child> {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}"));
    let process = server.process().to_string();
    let mut tracer = Command::new("strace")
        .args(["-f", "-p", &process, "-o", "/dev/null", "-e", &trace, "-e", &inject])
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut said = std::io::BufReader::new(tracer.stderr.take()?);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut said, &mut line).ok()?;
    // It stays open for as long as the tracer writes to it.
    std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
    let attached = line.contains("attached");
    if !attached {
        drop((tracer.kill(), tracer.wait()));
    }
    attached.then_some(tracer)
}

#[test]
fn a_sync_that_fails_acknowledges_nothing_and_is_no_success_later() {
    let site = Site::open();
    site.events(&failed_logins(11, "192.0.2.1"));
    let alerts = Value::from(site.alerts());
    let Some(mut tracer) = failing(&site.server, "fdatasync,fsync", "EIO") else {
        eprintln!("skipped: this needs strace and the right to use it");
        return;
    };
    for _ in 0..3 {
        problem(&site.server.post_events(&site.ingest, &lines(&failed_logins(11, "192.0.2.2"))), 503);
    }
    still_reads(&site, &alerts);
    assert!(run("kill", &["-INT", &tracer.id().to_string()]).is_some());
    tracer.wait().unwrap();
    works_again(&site);
    let ledger = site.ledger();
    assert_eq!((&ledger["accepted"], &ledger["processed"]), (&json!(12), &json!(12)));
    assert_eq!(Value::from(site.alerts()), alerts, "what was refused is not there");
    let site = site.restarted("");
    assert_eq!((site.ledger(), Value::from(site.alerts())), (ledger, alerts), "not after a restart either");
    verified(&site);
}
