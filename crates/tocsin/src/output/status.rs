//! How a server is, for people: a few lines, then tables of what stands out.

use comfy_table::Table;
use serde_json::Value;

use crate::output::sanitise;
use crate::output::stats::{share, table};

/// The status a server told, line by line.
#[must_use]
pub fn lines(told: &Value) -> Vec<String> {
    let mut lines = vec![head(told)];
    let problems = told["problems"].as_array().into_iter().flatten();
    lines.extend(problems.map(|problem| format!("  {}", text(problem))));
    lines.extend(ledger(&told["ledger"]));
    lines.push(time(told));
    lines.extend(cost(told));
    let rules = &told["rules"];
    lines.push(format!(
        "rules     {} loaded, {} switched off, {} never matched",
        number(&rules["loaded"]),
        list(&rules["disabled"]).len(),
        number(&rules["silent"]["count"]),
    ));
    let tables = [
        disabled(&rules["disabled"]),
        slowest(&rules["slowest"]),
        largest(&rules["largest"]),
        filtered(&rules["filtered"]),
        fields(told),
    ];
    for table in tables.iter().filter(|table| table.row_count() > 0) {
        lines.push(String::new());
        lines.extend(table.to_string().lines().map(|line| line.trim_end().to_string()));
    }
    lines.extend(silent(&rules["silent"]));
    lines
}

fn head(told: &Value) -> String {
    let ready = if told["ready"] == true { "ready" } else { "not ready" };
    format!("tocsin {} at {}: {ready}", text(&told["version"]), text(&told["url"]))
}

fn ledger(ledger: &Value) -> [String; 2] {
    let rejected = ledger["rejected"].as_object();
    let reasons: Vec<String> = rejected
        .into_iter()
        .flatten()
        .map(|(reason, count)| format!("{} {}", sanitise::text(reason), number(count)))
        .collect();
    let all: u64 = rejected.into_iter().flatten().map(|(_, count)| number(count)).sum();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let of = |name: &str| number(&ledger[name]);
    [
        format!(
            "records   received {} = accepted {} + rejected {all}{reasons}",
            of("received"),
            of("accepted")
        ),
        format!(
            "          accepted {} = processed {} + quarantined {} + in flight {}",
            of("accepted"),
            of("processed"),
            of("quarantined"),
            of("in_flight"),
        ),
    ]
}

fn time(told: &Value) -> String {
    let watermark = &told["watermark"];
    if watermark.is_null() {
        return "time      nothing came yet".to_string();
    }
    let lag = watermark["lag_seconds"].as_f64().unwrap_or_default();
    format!("time      watermark {}, {lag:.1} s behind the clock", text(&watermark["at"]))
}

fn cost(told: &Value) -> [String; 3] {
    let (state, engine, memo) = (&told["state"], &told["engine"], &told["memo"]);
    let (bytes, most) = (number(&state["bytes"]), number(&state["bytes_max"]));
    let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    [
        format!(
            "state     {} of {} ({}), {} keys; {} keys dropped, {} events only estimated",
            mib(bytes),
            mib(most),
            share(bytes, most.saturating_sub(bytes)),
            number(&state["keys"]),
            number(&state["keys_dropped"]),
            number(&state["events_estimated"]),
        ),
        format!(
            "an event  match {} ns, correlate {} ns (over {} events)",
            number(&engine["match_ns"]),
            number(&engine["correlate_ns"]),
            number(&engine["events"]),
        ),
        format!(
            "memory    {} known; it was full {} times",
            share(number(&memo["hits"]), number(&memo["misses"])),
            number(&memo["forgets"]),
        ),
    ]
}

fn disabled(rules: &Value) -> Table {
    let mut table = table(&["switched off", "why"]);
    for rule in list(rules) {
        table.add_row([text(&rule["id"]), text(&rule["reason"])]);
    }
    table
}

fn slowest(rules: &Value) -> Table {
    let mut table = table(&["rule", "worked out", "of all", "matches"]);
    for rule in list(rules) {
        let cost = 100.0 * rule["cost"].as_f64().unwrap_or_default();
        let numbers = [number(&rule["evaluated"]), number(&rule["matches"])].map(|count| count.to_string());
        let [evaluated, matches] = numbers;
        table.add_row([text(&rule["id"]), evaluated, format!("{cost:.1} %"), matches]);
    }
    table
}

fn largest(rules: &Value) -> Table {
    let mut table = table(&["rule with state", "keys", "bytes"]);
    for rule in list(rules) {
        let keys = number(&rule["keys"]).to_string();
        table.add_row([text(&rule["id"]), keys, number(&rule["bytes"]).to_string()]);
    }
    table
}

fn filtered(rules: &Value) -> Table {
    let mut table = table(&["rule", "filter", "matches kept back"]);
    for rule in list(rules) {
        table.add_row([text(&rule["id"]), text(&rule["filter"]), number(&rule["suppressed"]).to_string()]);
    }
    table
}

fn fields(told: &Value) -> Table {
    let mut table = table(&["field", "values", "known", "lines", "known"]);
    for field in list(&told["memo"]["fields"]) {
        let of = |name: &str| number(&field[name]);
        table.add_row([
            text(&field["field"]),
            (of("hits") + of("misses")).to_string(),
            share(of("hits"), of("misses")),
            (of("line_hits") + of("line_misses")).to_string(),
            share(of("line_hits"), of("line_misses")),
        ]);
    }
    table
}

fn silent(silent: &Value) -> Vec<String> {
    let ids: Vec<String> = list(&silent["ids"]).iter().map(text).collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let more = number(&silent["count"]).saturating_sub(ids.len() as u64);
    let mut lines = vec![String::new(), "never matched since the start:".to_string()];
    lines.extend(ids.into_iter().map(|id| format!("  {id}")));
    if more > 0 {
        lines.push(format!("  and {more} more (GET /api/v1/rules)"));
    }
    lines
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn text(value: &Value) -> String {
    sanitise::text(value.as_str().unwrap_or_default()).into_owned()
}
