//! Events and log lines, the same on every machine and in every run: a small generator with a fixed
//! seed. The shapes are those of `gen.py`.

use std::fmt::Write;

const EVENT_TYPES: [&str; 8] = [
    "login",
    "login",
    "login",
    "logout",
    "mfa_challenge",
    "token_refresh",
    "password_change",
    "session_start",
];
const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Safari/605.1",
    "okhttp/4.12.0",
    "curl/8.5.0",
];
const PATHS: [&str; 6] =
    ["/", "/css/site.css", "/img/logo.png", "/login", "/api/v1/orders?page=2", "/search?q=lamp"];

/// A generator of numbers (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len() as u64) as usize]
    }
}

/// Who does what in one event.
struct Act {
    address: String,
    user: u64,
    failed: bool,
    attack: bool,
    /// Milliseconds since the first event.
    at: usize,
}

impl Act {
    /// The act of event number `at`: one in 25 is an attacker's, and fails almost always.
    fn new(numbers: &mut Numbers, at: usize) -> Act {
        let attack = numbers.below(25) == 0;
        let host = if attack { numbers.below(200) } else { numbers.below(20_000) };
        let (net, last) = (host / 250, host % 250 + 1);
        let address = if attack { format!("203.0.{net}.{last}") } else { format!("10.7.{net}.{last}") };
        let failed = numbers.below(100) >= if attack { 1 } else { 97 };
        Act { address, user: numbers.below(5_000), failed, attack, at }
    }

    /// Hour, minute, second and millisecond, from 08:00.
    fn clock(&self) -> (usize, usize, usize, usize) {
        let seconds = self.at / 1000;
        (8 + seconds / 3600 % 16, seconds / 60 % 60, seconds % 60, self.at % 1000)
    }
}

/// Appends one line for an act.
type Put = fn(&mut String, &mut Numbers, &Act);

fn lines(count: usize, put: Put) -> String {
    let mut numbers = Numbers(42);
    let mut text = String::with_capacity(count * 340);
    for at in 0..count {
        let act = Act::new(&mut numbers, at);
        put(&mut text, &mut numbers, &act);
        text.push('\n');
    }
    text
}

/// Single-sign-on events as NDJSON, 329 bytes each.
#[must_use]
pub fn auth(count: usize) -> String {
    lines(count, |text, numbers, act| {
        let (hour, minute, second, milli) = act.clock();
        let kind = if act.attack { "login" } else { numbers.one_of(&EVENT_TYPES) };
        let status = if act.failed { "failure" } else { "success" };
        let written = write!(
            text,
            r#"{{"timestamp":"2026-01-15T{hour:02}:{minute:02}:{second:02}.{milli:03}Z","event_id":"{:012x}","event_type":"{kind}","source_ip":"{}","source_port":{},"user_id":"user{:05}","status":"{status}","service":"sso-gateway","host":"auth-{:02}.prod.example.com","country":"DE","user_agent":"{}","mfa":{},"latency_ms":{}}}"#,
            act.at,
            act.address,
            1024 + numbers.below(60_000),
            act.user,
            numbers.below(16),
            numbers.one_of(&AGENTS),
            numbers.below(2) == 0,
            numbers.below(900),
        );
        written.expect("a string takes everything");
    })
}

/// What sshd writes to the system log.
#[must_use]
pub fn sshd(count: usize) -> String {
    lines(count, |text, numbers, act| {
        let (hour, minute, second, _) = act.clock();
        let (pid, port) = (1000 + numbers.below(60_000), 1024 + numbers.below(60_000));
        let written = write!(text, "Jan 15 {hour:02}:{minute:02}:{second:02} auth-01 sshd[{pid}]: ");
        written.expect("a string takes everything");
        let unknown = if numbers.below(2) == 0 { "invalid user " } else { "" };
        let (user, address) = (act.user, &act.address);
        let written = if act.failed {
            write!(text, "Failed password for {unknown}user{user:05} from {address} port {port} ssh2")
        } else {
            write!(
                text,
                "Accepted publickey for user{user:05} from {address} port {port} ssh2: ED25519 SHA256:DHK{pid}"
            )
        };
        written.expect("a string takes everything");
    })
}

/// Web requests in the combined format.
#[must_use]
pub fn access(count: usize) -> String {
    lines(count, |text, numbers, act| {
        let (hour, minute, second, _) = act.clock();
        let probe = numbers.below(4_000);
        let (path, status) = match (act.attack, act.failed) {
            (true, _) => (format!("/old/backup-{probe}.zip"), 404),
            (false, true) => ("/login".to_string(), 401),
            (false, false) => (numbers.one_of(&PATHS).to_string(), 200),
        };
        let (address, size, agent) = (&act.address, numbers.below(20_000), numbers.one_of(&AGENTS));
        let written = write!(
            text,
            r#"{address} - - [15/Jan/2026:{hour:02}:{minute:02}:{second:02} +0000] "GET {path} HTTP/1.1" {status} {size} "-" "{agent}""#
        );
        written.expect("a string takes everything");
    })
}
