//! What the contract promises for `tocsin run` itself: its one line, its flags, its configuration
//! and environment, and how it ends.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::json;

use crate::server_contract_support::{Site, entry};
use crate::server_support::{PATIENCE, Server, Start, key, token};
use crate::support::{Folder, Outcome};

/// `tocsin run` in a folder, with these arguments and variables.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(folder: &Folder, args: &[&str], variables: &[(&str, &str)]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
        command.envs(variables.iter().copied());
        Running::of(command, folder, args)
    }

    fn of(mut command: Command, folder: &Folder, args: &[&str]) -> Running {
        let mut child = command
            .arg("run")
            .args(args)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Running { child, out }
    }

    /// Its first line.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    /// Where it says it listens.
    fn address(&mut self) -> SocketAddr {
        let line = self.line();
        let address = line.strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix('\n'));
        address.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap()
    }

    /// Sends a signal and waits for the end.
    fn ended_by(mut self, signal: &str) -> Outcome {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        self.ended()
    }

    fn ended(&mut self) -> Outcome {
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        Outcome { code: self.child.wait().unwrap().code().unwrap_or(-1), out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        drop((self.child.kill(), self.child.wait()));
    }
}

const ANY_PORT: [&str; 2] = ["--listen", "127.0.0.1:0"];

/// A run that must end by itself.
fn refused(folder: &Folder, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let outcome = Running::start(folder, args, variables).ended();
    assert_eq!(outcome.out, "", "nothing listens: {}", outcome.err);
    outcome
}

#[test]
fn one_line_says_where_it_listens_and_a_signal_ends_it_with_0() {
    for signal in ["-TERM", "-INT"] {
        let folder = Folder::new();
        let mut running = Running::start(&folder, &ANY_PORT, &[]);
        let address = running.address();
        assert!(address.ip().is_loopback() && address.port() != 0, "{address}");
        let outcome = running.ended_by(signal);
        assert_eq!((outcome.code, outcome.out.as_str()), (0, ""), "{signal}: {}", outcome.err);
        let secret = folder.path().join("tocsin-data/jwt_secret");
        let mode = std::fs::metadata(&secret).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "a fresh folder, the default one, has a secret of its own");
    }
}

#[test]
fn more_connections_are_served_than_files_a_process_may_open_at_first() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -Sn 200 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_tocsin")]);
    let mut running = Running::of(command, &folder, &ANY_PORT);
    let address = running.address();
    let mut open: Vec<TcpStream> = (0..300).map(|_| TcpStream::connect(address).unwrap()).collect();
    for stream in &mut open {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).unwrap();
        assert_eq!(&status, b"HTTP/1.1 200");
    }
    drop(open);
    assert_eq!(running.ended_by("-TERM").code, 0);
}

#[test]
fn a_fresh_folder_has_the_tenant_default_and_others_are_configured() {
    let site = Site::with("tenants: [default, acme]");
    let made = |tenant: &str| crate::server_support::tenant_token(&site.folder, "x", tenant, "viewer");
    for (tenant, status) in [("default", 200), ("acme", 200), ("other", 401)] {
        assert_eq!(site.server.get("/api/v1/ledger", &made(tenant)).status, status, "{tenant}");
    }
}

#[test]
fn a_flag_goes_before_a_variable_and_a_variable_before_the_file() {
    let folder = Folder::new().with("tocsin.yaml", "listen: 127.0.0.3:0\ndata: of-file\n");
    let file = ["-c", "tocsin.yaml"];
    let variable = [("TOCSIN_LISTEN", "127.0.0.2:0"), ("TOCSIN_DATA", "of-variable")];
    let flags = ["-c", "tocsin.yaml", "--listen", "127.0.0.1:0", "--data", "of-flag"];
    for (args, variables, address, data) in [
        (&file[..], &[][..], "127.0.0.3", "of-file"),
        (&file, &variable, "127.0.0.2", "of-variable"),
        (&flags, &variable, "127.0.0.1", "of-flag"),
    ] {
        let mut running = Running::start(&folder, args, variables);
        assert_eq!(running.address().ip().to_string(), address);
        assert!(folder.path().join(data).join("journal").exists(), "{data}");
        assert_eq!(running.ended_by("-TERM").code, 0);
    }
}

#[test]
fn secrets_come_from_the_environment_or_a_file_and_never_from_the_configuration() {
    let secret = "a secret of more than thirty-two bytes";
    let folder = Folder::new().with("secret", format!("{secret}\n"));
    let made = |variables: &[(&str, &str)]| {
        let create = ["--data", "data", "token", "create", "--user", "ann", "--role", "viewer"];
        let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
        let output =
            command.args(create).current_dir(folder.path()).envs(variables.iter().copied()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    };
    let signed = made(&[("JWT_SECRET", secret)]);
    for (config, variables) in [
        ("", &[("JWT_SECRET", secret)][..]),
        ("", &[("TOCSIN_AUTH__JWT_SECRET", secret)]),
        ("auth: {jwt_secret_file: secret}", &[]),
    ] {
        let server = Server::start_with(&folder, &Start { config, variables });
        assert_eq!(server.get("/api/v1/ledger", &signed).status, 200, "{config} {variables:?}");
        assert_eq!(server.get("/api/v1/ledger", &made(&[])).status, 401, "the folder's own counts no more");
        assert_eq!(server.stop().0, Some(0));
    }
    let inline = folder.with("inline.yaml", format!("auth:\n  jwt_secret: {secret}\n"));
    let outcome = refused(&inline, &[&["-c", "inline.yaml"][..], &ANY_PORT].concat(), &[]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("inline.yaml:2:") && !outcome.err.contains(secret), "{}", outcome.err);
}

#[test]
fn what_is_wrong_with_the_configuration_is_told_with_line_and_column_all_at_once() {
    let config = "listen: 127.0.0.1:0\nstream:\n  max_per_usr: 5\n  queue: many\ncolour: red\n";
    let folder = Folder::new().with("bad.yaml", config);
    let outcome = refused(&folder, &["-c", "bad.yaml"], &[("TOCSIN_STREAM__HEARTBEAT", "soon")]);
    assert_eq!(outcome.code, 2);
    for told in ["bad.yaml:3:3", "bad.yaml:4:", "bad.yaml:5:1", "TOCSIN_STREAM__HEARTBEAT"] {
        assert!(outcome.err.contains(told), "{told} in {}", outcome.err);
    }
    assert!(!folder.path().join("tocsin-data").exists(), "nothing was made");
    let checked = folder.run(&["check", "bad.yaml"]);
    assert_eq!(checked.code, 1, "{}", checked.err);
    for told in ["bad.yaml:3:3", "bad.yaml:4:", "bad.yaml:5:1"] {
        assert!(format!("{}{}", checked.out, checked.err).contains(told), "{told}: {checked:?}");
    }
    let missing = refused(&folder, &["-c", "nowhere.yaml"], &[]);
    assert!(missing.code == 2 && missing.err.contains("nowhere.yaml"), "{missing:?}");
    for args in [&["--listen", "here"][..], &["--colour"], &["--data"]] {
        assert_eq!(refused(&folder, args, &[]).code, 2, "{args:?}");
    }
}

#[test]
fn rules_that_leave_none_to_run_are_wrong_and_broken_ones_are_told() {
    let folder = Folder::new().with("none/readme.txt", "no rules").with("some/bad.yml", "title: x\n");
    let rule = "title: A word\nid: 10000000-0000-4000-8000-000000000001\nlogsource: {category: process}\n\
                detection: {selection: {word: a}, condition: selection}\n";
    let folder =
        folder.with("some/good.yml", rule).with("c.yaml", "rules: [none]").with("d.yaml", "rules: [some]");
    let none = refused(&folder, &[&["-c", "c.yaml"][..], &ANY_PORT].concat(), &[]);
    assert!(none.code == 2 && !none.err.is_empty(), "{none:?}");
    let mut some = Running::start(&folder, &[&["-c", "d.yaml"][..], &ANY_PORT].concat(), &[]);
    some.address();
    let outcome = some.ended_by("-TERM");
    assert!(outcome.code == 0 && outcome.err.contains("some/bad.yml"), "the others run: {outcome:?}");
}

#[test]
fn a_port_that_is_taken_is_told_and_leaves_the_folder_alone() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = Folder::new();
    let outcome = refused(&folder, &["--listen", &address, "--data", "data"], &[]);
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains(&address) && outcome.err.contains("--listen"), "{}", outcome.err);
    assert_eq!(Server::start(&folder).stop().0, Some(0));
}

#[test]
fn a_second_server_on_the_same_folder_is_refused_and_the_first_unharmed() {
    let site = Site::open();
    let second = refused(&site.folder, &["--listen", "127.0.0.1:0", "--data", "data"], &[]);
    assert_eq!(second.code, 3, "{}", second.err);
    assert!(second.err.contains("data"), "{}", second.err);
    site.log(&entry(0, "192.0.2.1", 200));
    assert_eq!(site.ledger()["processed"], 1);
    let site = site.restarted("");
    assert_eq!(site.ledger()["processed"], 1);
}

#[test]
fn a_terminated_server_finishes_what_it_has_and_commands_work_beside_it() {
    let site = Site::open();
    let event = json!({ "type": "x", "text": "x".repeat(200) });
    for _ in 0..20 {
        site.events(&vec![event.clone(); 500]);
    }
    assert_eq!(site.folder.run(&["verify", "data"]).code, 0, "beside the running server");
    assert_eq!(site.folder.run(&["--data", "data", "key", "list"]).code, 0);
    let site = site.restarted("log: {level: debug, format: json}");
    assert_eq!(site.server.json("/api/v1/ledger", &site.analyst)["in_flight"], 0);
    let ledger = site.ledger();
    assert_eq!((&ledger["accepted"], &ledger["processed"]), (&json!(10_000), &json!(10_000)));
    let (code, told) = site.server.stop();
    assert_eq!(code, Some(0));
    assert!(!told.is_empty(), "it was asked for debug lines");
    for line in told {
        assert!(serde_json::from_str::<serde_json::Value>(&line).is_ok(), "{line}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_used_is_told_with_what_to_do() {
    let folder = Folder::new().with("data", "a file");
    let outcome = refused(&folder, &["--listen", "127.0.0.1:0", "--data", "data"], &[]);
    assert_eq!(outcome.code, 3, "{}", outcome.err);
    assert!(outcome.err.contains("data") && outcome.err.contains("--data"), "{}", outcome.err);
    // Made by nobody yet: a key and a token may come first.
    let folder = Folder::new();
    let (key, token) = (key(&folder, "ingest"), token(&folder, "ann", "viewer"));
    let server = Server::start(&folder);
    assert_eq!(server.post_log(&key, &entry(0, "192.0.2.1", 200).to_string()).status, 200);
    assert_eq!(server.at_rest(&token)["accepted"], 1);
}
