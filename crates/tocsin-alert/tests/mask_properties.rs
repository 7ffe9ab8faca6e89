//! Masking, for all inputs: whatever is hidden where, a simple reader that knows nothing of how it
//! was hidden finds none of it; and where nothing is hidden nothing changes.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::array::uniform8;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tocsin_alert::role::View;

const BEFORE: &[&str] = &[
    "",
    " ",
    "from ",
    "[",
    "(",
    "<",
    "\"",
    "'",
    "ip=",
    "http://",
    "a, ",
    "é ",
    "client: ",
    "12:00:00 ",
    "x/",
    "|",
    "\\\"",
    "\n",
    "{\"a\":\"",
    "2026-11-20T12:00:00Z ",
];
const AFTER: &[&str] = &[
    "", " ", "]", ")", ">", "\"", "'", ", b", "/", " é", "?x=1", ". Then", "\n", "\\\"", "\"}", ";", "|",
    " 10:00",
];
const HARMLESS: &[&str] = &[
    "12:00:00",
    "2026-11-20T12:00:00.123Z",
    "550e8400-e29b-41d4-a716-446655440000",
    "00:1a:2b:3c:4d:5e",
    "failed",
    "login",
    "1.2.3",
    "e3b0c44298fc1c149afbf4c8996fb924",
    "/var/log/auth.log",
    "User-Agent",
    "Chrome/120.0.0.0",
    "10%",
    "größer",
    "C:\\Windows",
    "std::fmt",
    "#1",
    "(ok)",
    "sshd[123]",
    "=>",
    "a=b",
    "event: x",
    "-",
    "日本",
];

fn four() -> impl Strategy<Value = String> {
    (any::<u32>(), any::<bool>()).prop_map(|(bits, padded)| {
        let address = Ipv4Addr::from(bits | 1);
        let numbers: Vec<String> = address.octets().iter().map(|number| format!("{number:03}")).collect();
        if padded { numbers.join(".") } else { address.to_string() }
    })
}

fn six() -> impl Strategy<Value = String> {
    let group = prop_oneof![Just(0), any::<u16>()];
    (uniform8(group), 0..7_u8, 0x2000..0x3fff_u16).prop_map(|(mut segments, spelling, first)| {
        segments[0] = first;
        let address = Ipv6Addr::from(segments);
        let full = segments.map(|segment| format!("{segment:04x}")).join(":");
        let low = u32::from(segments[6]) << 16 | u32::from(segments[7]);
        match spelling {
            0 => full,
            1 => full.to_uppercase(),
            2 => address.to_string().to_uppercase(),
            3 => format!("[{address}]:443"),
            4 => format!("{:x}:{:x}::{}", segments[0], segments[1], Ipv4Addr::from(low)),
            5 => format!("::ffff:{}", Ipv4Addr::from(low | 1)),
            _ => address.to_string(),
        }
    })
}

fn email() -> impl Strategy<Value = String> {
    let name = prop_oneof!["[a-z]{1,10}", "[A-Za-zéüßñ用户]{1,8}", "[a-z]{1,5}[.+_-][a-z0-9]{1,5}"];
    (name, "[a-z]{1,8}", prop_oneof![Just("com"), Just("co.uk"), Just("公司"), Just("x")])
        .prop_map(|(name, host, top)| format!("{name}@{host}.{top}"))
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z0-9_-]{4,20}\\.[A-Za-z0-9_-]{8,20}\\.[A-Za-z0-9_-]{8,20}"
            .prop_map(|rest| format!("eyJ{rest}")),
        "[0-9a-f]{8}_[A-Za-z0-9]{10,20}".prop_map(|rest| format!("tocsin_{rest}")),
        "[A-Z0-9]{16}".prop_map(|rest| format!("AKIA{rest}")),
        "[A-Z0-9]{16}".prop_map(|rest| format!("ASIA{rest}")),
    ]
}

/// What stands before a secret without a shape of its own, and what after it.
fn told() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("Bearer ", ""),
        ("password=", "&x=1"),
        ("api_key: ", ", b"),
        ("\"token\": \"", "\""),
        ("\\\"secret\\\":\\\"", "\\\""),
        ("Authorization: Bearer ", ""),
        ("ftp://bob:", "@host.example/x"),
        ("--password ", " x"),
        ("client_secret='", "'"),
        ("-----BEGIN EC PRIVATE KEY-----\n", "\n-----END EC PRIVATE KEY-----"),
        ("?access_token=", "#top"),
    ])
}

fn within(text: String, place: u8) -> Value {
    let named = |name: String, value: Value| Value::from(Map::from_iter([(name, value)]));
    match place {
        0 => json!(text),
        1 => json!({"event": {"message": text, "n": 1}}),
        2 => json!([1, [text], null]),
        3 => named(text, json!("x")),
        4 => json!({"raw": json!({"inner": text}).to_string()}),
        5 => json!({"raw": json!({"inner": json!([text]).to_string()}).to_string()}),
        6 => json!({ "query": escaped(&text) }),
        7 => json!({"source": {"ip": text}}),
        8 => json!({ "api_key": text }),
        9 => json!({"user": {"email": [text]}}),
        _ => json!({"headers": format!("{{\"x\": \"{text}")}),
    }
}

fn escaped(text: &str) -> String {
    let byte = |letter: char| match letter {
        letter if letter.is_ascii_alphanumeric() || !letter.is_ascii() => letter.to_string(),
        letter => format!("%{:02X}", u32::from(letter)),
    };
    text.chars().map(byte).collect()
}

fn shown(mut value: Value) -> Value {
    View::Masked.apply(&mut value);
    value
}

/// All texts of a value, as a reader sees them: escapes undone, over and over.
fn read(value: &Value) -> String {
    let mut text = value.to_string();
    for _ in 0..6 {
        text = text.replace("\\\"", "\"").replace("\\\\", "\\").replace("\\n", "\n");
        for byte in 0x20..0x7f_u8 {
            text = text.replace(&format!("%{byte:02X}"), &char::from(byte).to_string());
        }
    }
    text
}

fn addresses(text: &str) -> Vec<String> {
    let tokens = text.split(|letter: char| !letter.is_ascii_hexdigit() && !matches!(letter, ':' | '.'));
    let trimmed = tokens.flat_map(|token| {
        let inner = token.trim_matches('.');
        [inner, inner.strip_suffix(':').unwrap_or(inner), inner.strip_prefix(':').unwrap_or(inner)]
    });
    let plain = |token: &&str| {
        let bare = token.split('.').map(|part| part.trim_start_matches('0')).collect::<Vec<_>>();
        let numbers =
            bare.iter().map(|part| if part.is_empty() { "0" } else { part }).collect::<Vec<_>>().join(".");
        token.len() > 2 && (token.parse::<Ipv6Addr>().is_ok() || numbers.parse::<Ipv4Addr>().is_ok())
    };
    trimmed.filter(plain).filter(|token| !token.ends_with(".0.0.0")).map(str::to_string).collect()
}

fn emails(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| letter.is_whitespace() || "\"'<>,;|()[]{}=?/\\".contains(letter));
    let is_one = |word: &&str| {
        word.split_once('@')
            .is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !name.ends_with("***"))
    };
    words.filter(is_one).map(str::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_address_is_left(
        address in prop_oneof![four(), six()],
        before in prop::sample::select(BEFORE), after in prop::sample::select(AFTER),
        other in prop_oneof![four(), six()], place in 0..11_u8,
    ) {
        let value = within(format!("{before}{address}{after} {other}"), place);
        let shown = shown(value.clone());
        prop_assert_eq!(addresses(&read(&shown)), Vec::<String>::new(), "{} of {}", &shown, &value);
        prop_assert_eq!(&self::shown(shown.clone()), &shown);
    }

    #[test]
    fn no_email_address_is_left(
        address in email(), other in email(), before in prop::sample::select(BEFORE),
        after in prop::sample::select(AFTER), place in 0..11_u8,
    ) {
        let value = within(format!("{before}{address}{after} {other}"), place);
        let shown = shown(value.clone());
        let text = read(&shown);
        prop_assert_eq!(emails(&text), Vec::<String>::new(), "{} of {}", &shown, &value);
        prop_assert!(!text.contains(&address) && !text.contains(&other), "{} of {}", &shown, &value);
        prop_assert_eq!(&self::shown(shown.clone()), &shown);
    }

    #[test]
    fn no_secret_is_left(
        secret in secret(), before in prop::sample::select(BEFORE), after in prop::sample::select(AFTER),
        place in 0..11_u8,
    ) {
        let value = within(format!("{before}{secret}{after}"), place);
        let shown = shown(value.clone());
        prop_assert!(!read(&shown).contains(&secret[4..]), "{} of {}", &shown, &value);
        prop_assert_eq!(&self::shown(shown.clone()), &shown);
    }

    #[test]
    fn no_told_secret_is_left(
        core in "[A-Za-z0-9]{8,15}[0-9]", (name, end) in told(), before in prop::sample::select(BEFORE), place in 0..11_u8,
    ) {
        let value = within(format!("{before}{name}{core}{end}"), place);
        let shown = shown(value.clone());
        prop_assert!(!read(&shown).contains(&core), "{} of {}", &shown, &value);
        prop_assert_eq!(&self::shown(shown.clone()), &shown);
    }

    #[test]
    fn what_a_telling_field_holds_is_left_in_no_text(
        core in "[a-z]{3}[A-Z0-9-]{5,12}[0-9]", name in prop::sample::select(vec!["api_key", "token", "password", "client_ip"]),
        before in prop::sample::select(BEFORE), after in prop::sample::select(AFTER), place in 0..6_u8,
    ) {
        let value = json!({"event": {name: core}, "message": within(format!("{before}{core}{after}"), place)});
        let shown = shown(value.clone());
        prop_assert!(!read(&shown).contains(&core), "{} of {}", &shown, &value);
        prop_assert_eq!(&self::shown(shown.clone()), &shown);
    }

    #[test]
    fn a_value_with_nothing_to_hide_stays(words in vec(prop::sample::select(HARMLESS), 0..8), place in 0..6_u8) {
        let value = within(words.join(" "), place);
        prop_assert_eq!(shown(value.clone()), value);
    }

    #[test]
    fn any_text_is_masked_once_and_for_all(
        parts in vec(prop_oneof!["[0-9a-f:.@%]{0,12}", "[=:\"'\\\\,;{}\\[\\] -]{0,4}", Just("password".to_string()),
            Just("eyJ".to_string()), Just("Bearer ".to_string()), Just("\\u00".to_string()), "\\PC{0,6}", four(), six(), email()], 0..10),
    ) {
        let once = shown(json!(parts.concat()));
        prop_assert_eq!(&shown(once.clone()), &once);
    }
}
