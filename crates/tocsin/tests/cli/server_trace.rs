//! The order of system calls: what is acknowledged was written and synced before. A kill cannot show
//! this, because the page cache survives it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]
#![expect(clippy::print_stdout, reason = "a skipped test says why")]

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::server_support::{Server, key};
use crate::support::Folder;

/// Requests that are traced.
const REQUESTS: usize = 12;

/// Where the calls stand in the trace that one request needs, in this order.
#[derive(Debug)]
struct Order {
    written: usize,
    synced: usize,
    told: usize,
}

/// A trace of a process: its writes, syncs and sends, in the order in which they ended.
fn trace(process: u32, into: &Path) -> Option<Child> {
    let mut child = Command::new("strace")
        .args([
            "-f",
            "-y",
            "-s",
            "400",
            "-e",
            "trace=write,writev,pwrite64,pwritev,fdatasync,fsync,sendto,sendmsg",
        ])
        .args(["-o", into.to_str().unwrap(), "-p", &process.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut first = String::new();
    let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut first).unwrap();
    if first.contains("attached") {
        return Some(child);
    }
    println!("not traced: {first}");
    drop(child.kill());
    child.wait().unwrap();
    None
}

/// The calls of the request that carries a mark.
fn order(lines: &[&str], mark: &str, from: usize) -> Order {
    let find = |from: usize, what: &dyn Fn(&str) -> bool| {
        let found = lines.iter().skip(from).position(|line| what(line));
        from + found.unwrap_or_else(|| panic!("{mark}: nothing after line {from}"))
    };
    let written = find(from, &|line| line.contains(".log>") && line.contains("write") && line.contains(mark));
    // A sync counts from where it began, after the write, to where it succeeded.
    let begun = find(written + 1, &|line| line.contains("fdatasync(") && line.contains(".log>"));
    let ends = |line: &str| line.contains("fdatasync") && line.trim_end().ends_with("= 0");
    let synced = find(begun, &ends);
    let told = find(from, &|line| line.contains("HTTP/1.1 200 OK"));
    Order { written, synced, told }
}

#[test]
fn written_then_synced_then_acknowledged() {
    let folder = Folder::new();
    let key = key(&folder, "ingest");
    let server = Server::start(&folder);
    let path = folder.path().join("trace");
    let Some(mut tracer) = trace(server.process(), &path) else {
        println!("skipped: the order of system calls needs strace and the right to trace");
        return;
    };
    for number in 0..REQUESTS {
        let entry = format!(
            r#"{{"timestamp":"2026-01-08T12:00:00Z","client_ip":"192.0.2.7","endpoint":"/mark-{number:03}","method":"GET","status_code":200}}"#
        );
        assert_eq!(server.post_log(&key, &entry).status, 200);
    }
    assert!(Command::new("kill").args(["-INT", &tracer.id().to_string()]).status().unwrap().success());
    tracer.wait().unwrap();
    let trace = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let mut from = 0;
    for number in 0..REQUESTS {
        let order = order(&lines, &format!("/mark-{number:03}"), from);
        assert!(order.written < order.synced && order.synced < order.told, "{number}: {order:?}");
        from = order.told + 1;
    }
}
