//! `tocsin key` and `tocsin token`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

use crate::support::{Folder, Outcome};

const CREATE_KEY: [&str; 6] = ["key", "create", "--tenant", "default", "--scope", "read"];
const CREATE_TOKEN: [&str; 8] =
    ["token", "create", "--user", "ann", "--tenant", "default", "--role", "analyst"];
const SECRET: &str = "a secret of more than thirty-two bytes";

/// The command with these secrets in its environment and no others.
fn command(folder: &Folder, args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tocsin"));
    command.args(args).current_dir(folder.path());
    command.env_remove("JWT_SECRET").env_remove("TOCSIN_AUTH__JWT_SECRET");
    command.envs(variables.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(child: Child) -> Outcome {
    let output = child.wait_with_output().unwrap();
    Outcome {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(folder: &Folder, args: &[&str], variables: &[(&str, &str)]) -> Outcome {
    ended(command(folder, args, variables).spawn().unwrap())
}

/// Runs a command that must come to something; gives its output without the line end.
fn said(folder: &Folder, args: &[&str]) -> String {
    let outcome = run(folder, args, &[]);
    assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{args:?}");
    outcome.out.strip_suffix('\n').unwrap().to_string()
}

/// The claims of a token signed with this secret.
fn claims(token: &str, secret: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_required_spec_claims(&["exp", "sub"]);
    decode(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).map(|data| data.claims)
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_key_alone_is_on_standard_output_and_its_folder_is_private() {
    let folder = Folder::new();
    let key = said(&folder, &CREATE_KEY);
    let parts: Vec<&str> = key.splitn(3, '_').collect();
    assert_eq!((parts[0], parts[1].len(), parts[2].len()), ("tocsin", 8, 43), "{key}");
    let data = folder.path().join("tocsin-data");
    assert_eq!((mode(&data), mode(&data.join("tocsin.db"))), (0o700, 0o600));
}

#[test]
fn a_key_as_json_has_its_id() {
    let folder = Folder::new();
    let made: Value = serde_json::from_str(&said(&folder, &[&CREATE_KEY[..], &["--json"]].concat())).unwrap();
    let names: Vec<&String> = made.as_object().unwrap().keys().collect();
    assert_eq!(names, ["id", "key"]);
    let key = made["key"].as_str().unwrap();
    assert!(key.starts_with(&format!("tocsin_{}_", made["id"].as_str().unwrap())), "{key}");
}

#[test]
fn a_new_tenant_is_made_and_told_of() {
    let folder = Folder::new();
    let create = ["key", "create", "--tenant", "acme", "--scope", "ingest", "--data", "elsewhere"];
    let first = run(&folder, &create, &[]);
    assert_eq!((first.code, first.err.as_str()), (0, "the tenant `acme` is new; it was made\n"));
    assert_eq!(run(&folder, &create, &[]).err, "");
    assert!(folder.path().join("elsewhere/tocsin.db").exists());
}

#[test]
fn the_list_shows_what_there_is_but_no_secret() {
    let folder = Folder::new();
    let read = said(&folder, &[&CREATE_KEY[..], &["--name", "page \u{202e}one"]].concat());
    let bouncer = said(&folder, &["key", "create", "--scope", "bouncer"]);
    let id = |key: &str| key[7..15].to_string();
    let revoked = run(&folder, &["key", "revoke", &id(&bouncer)], &[]);
    assert_eq!((revoked.code, revoked.out.as_str()), (0, ""));

    let lines = said(&folder, &["key", "list", "--json"]);
    let keys: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let facts =
        |key: &Value| ["id", "tenant", "scope", "name"].map(|name| key[name].as_str().unwrap().to_string());
    assert_eq!(keys.len(), 2);
    assert_eq!(facts(&keys[0]), [&id(&read), "default", "read", "page \u{202e}one"]);
    assert_eq!(facts(&keys[1]), [&id(&bouncer), "default", "bouncer", ""]);
    assert_eq!(keys[0]["revoked"], Value::Null);
    assert!(keys[0]["created"].as_str().unwrap() <= keys[1]["revoked"].as_str().unwrap());

    let table = said(&folder, &["key", "list"]);
    for word in
        ["id", "tenant", "scope", "name", "created", "revoked", &id(&read), "bouncer", "page \\u{202e}one"]
    {
        assert!(table.contains(word), "{word} in {table}");
    }
    for shown in [lines, table] {
        assert!(!shown.contains(&read[16..]) && !shown.contains(&bouncer[16..]), "{shown}");
    }
}

#[test]
fn a_key_is_revoked_once_and_an_unknown_one_is_wrong_usage() {
    let folder = Folder::new();
    let key = said(&folder, &CREATE_KEY);
    let revoke = |id: &str| run(&folder, &["key", "revoke", id], &[]);
    assert!(revoke(&key[7..15]).err.ends_with(" is revoked\n"));
    let again = revoke(&key[7..15]);
    assert_eq!((again.code, again.err.ends_with(" was revoked before\n")), (0, true));
    let unknown = revoke("00000000");
    assert_eq!((unknown.code, unknown.out.as_str()), (2, ""));
    assert!(unknown.err.contains("there is no key `00000000`"), "{}", unknown.err);
}

#[test]
fn a_mistyped_folder_is_not_made_by_looking_into_it() {
    let folder = Folder::new();
    for args in [&["key", "list"][..], &["key", "revoke", "00000000"]] {
        let outcome = run(&folder, &[args, &["--data", "mistyped"]].concat(), &[]);
        assert_eq!(outcome.code, 2, "{args:?}");
        assert!(
            outcome.err.contains("mistyped: no data folder of Tocsin; name it with --data"),
            "{}",
            outcome.err
        );
        assert!(!folder.path().join("mistyped").exists());
    }
}

#[test]
fn keys_made_at_once_by_several_processes_are_all_there() {
    let folder = Folder::new();
    let make = |number: usize| {
        let tenant = format!("tenant{number}");
        command(&folder, &["key", "create", "--tenant", &tenant, "--scope", "ingest"], &[]).spawn().unwrap()
    };
    let racing: Vec<Child> = (0..6).map(make).collect();
    for child in racing {
        let outcome = ended(child);
        assert_eq!(outcome.code, 0, "{}", outcome.err);
    }
    assert_eq!(said(&folder, &["key", "list", "--json"]).lines().count(), 6);
}

#[test]
fn a_token_is_signed_with_the_folders_own_secret() {
    let folder = Folder::new();
    let token = said(&folder, &CREATE_TOKEN);
    let file = folder.path().join("tocsin-data/jwt_secret");
    assert_eq!(mode(&file), 0o600);
    let secret = std::fs::read_to_string(&file).unwrap();
    assert_eq!(decode_header(&token).unwrap().alg, Algorithm::HS256);
    let claims = claims(&token, &secret).unwrap();
    assert_eq!((&claims["sub"], &claims["tenant_id"]), (&"ann".into(), &"default".into()));
    assert_eq!(claims["roles"], serde_json::json!(["analyst"]));
    let good_for = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(good_for, 8 * 3_600);
    assert_eq!(claims["jti"].as_str().unwrap().len(), 32);
    assert_ne!(said(&folder, &CREATE_TOKEN), token, "no two tokens are the same");
}

#[test]
fn processes_that_race_for_the_secret_all_get_the_same() {
    let folder = Folder::new();
    let racing: Vec<Child> = (0..6).map(|_| command(&folder, &CREATE_TOKEN, &[]).spawn().unwrap()).collect();
    let tokens: Vec<Outcome> = racing.into_iter().map(ended).collect();
    let secret = folder.text("tocsin-data/jwt_secret");
    for outcome in tokens {
        assert_eq!(outcome.code, 0, "{}", outcome.err);
        assert!(claims(outcome.out.trim_end(), &secret).is_ok(), "{}", outcome.out);
    }
}

#[test]
fn a_configured_secret_goes_first_and_needs_no_folder() {
    let folder = Folder::new();
    let other = "another secret that is long enough too";
    for (variables, signed_with) in [
        (&[("JWT_SECRET", SECRET)][..], SECRET),
        (&[("TOCSIN_AUTH__JWT_SECRET", SECRET)], SECRET),
        (&[("TOCSIN_AUTH__JWT_SECRET", SECRET), ("JWT_SECRET", other)], SECRET),
        (&[("TOCSIN_AUTH__JWT_SECRET", ""), ("JWT_SECRET", other)], other),
    ] {
        let outcome = run(&folder, &CREATE_TOKEN, variables);
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{variables:?}");
        assert!(claims(outcome.out.trim_end(), signed_with).is_ok(), "{variables:?}");
    }
    assert!(!folder.path().join("tocsin-data").exists());
}

#[test]
fn a_weak_or_exposed_secret_is_refused() {
    let folder = Folder::new();
    let short = run(&folder, &CREATE_TOKEN, &[("JWT_SECRET", "short")]);
    assert_eq!((short.code, short.out.as_str()), (2, ""));
    assert!(
        short.err.contains("`JWT_SECRET`: a secret of 5 bytes can be guessed; 32 are the least"),
        "{}",
        short.err
    );

    said(&folder, &CREATE_TOKEN);
    let file = folder.path().join("tocsin-data/jwt_secret");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let exposed = run(&folder, &CREATE_TOKEN, &[]);
    assert_eq!((exposed.code, exposed.out.as_str()), (2, ""));
    assert!(exposed.err.contains("others may read it (mode 644)"), "{}", exposed.err);
}

#[test]
fn roles_and_spans_are_as_asked_for() {
    let folder = Folder::new();
    let create = ["token", "create", "--user", "ann", "--tenant", "acme", "--json"];
    let asked = ["--role", "analyst,legal", "--role", "viewer", "--ttl", "90m"];
    let outcome = run(&folder, &[&create[..], &asked].concat(), &[("JWT_SECRET", SECRET)]);
    let made: Value = serde_json::from_str(&outcome.out).unwrap();
    let claims = claims(made["token"].as_str().unwrap(), SECRET).unwrap();
    assert_eq!(claims["roles"], serde_json::json!(["analyst", "legal", "viewer"]));
    assert_eq!(claims["tenant_id"], "acme");
    let good_for = claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(good_for, 90 * 60);
    let expires_at = made["expires_at"].as_str().unwrap();
    assert!(expires_at.ends_with('Z') && expires_at.len() == 20, "{expires_at}");
}

#[test]
fn what_cannot_stand_in_a_token_is_wrong_usage() {
    let folder = Folder::new();
    for args in [
        &["--user", "ann", "--role", "root"][..],
        &["--user", "ann", "--role", "legal"],
        &["--user", "ann", "--role", "analyst,"],
        &["--user", "", "--role", "analyst"],
        &["--user", "a\nb", "--role", "analyst"],
        &["--user", "ann", "--role", "analyst", "--ttl", "0s"],
        &["--user", "ann", "--role", "analyst", "--ttl", "31d"],
        &["--user", "ann", "--role", "analyst", "--ttl", "500ms"],
        &["--user", "ann", "--role", "analyst", "--ttl", "soon"],
        &["--user", "ann", "--role", "analyst", "--tenant", "a b"],
        &["--user", "ann"],
        &["--role", "analyst"],
    ] {
        let outcome = run(&folder, &[&["token", "create"], args].concat(), &[]);
        assert_eq!((outcome.code, outcome.out.as_str()), (2, ""), "{args:?}: {}", outcome.err);
        assert!(!outcome.err.is_empty());
    }
    for args in [&["key", "create"][..], &["key", "create", "--scope", "write"], &["key"], &["token"]] {
        assert_eq!(run(&folder, args, &[]).code, 2, "{args:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_used_is_told_with_what_to_do() {
    let folder = Folder::new().with("tocsin-data", "a file");
    let outcome = run(&folder, &CREATE_KEY, &[]);
    assert_eq!((outcome.code, outcome.out.as_str()), (3, ""));
    assert!(outcome.err.contains("name another with --data"), "{}", outcome.err);
}
