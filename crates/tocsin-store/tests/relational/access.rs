//! Keys: who may come in, and when a change is seen.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use tocsin_core::batch::TenantId;
use tocsin_core::time::Timestamp;
use tocsin_pipeline::commit::{CommitGroup, Store};
use tocsin_store::{AdminError, CreatedKey, Database, KeyWatch, NewKey, Revoked, Scope, Writer};

const NOW: Timestamp = Timestamp(1_000);

fn key(database: &mut Database, tenant: &str, scope: Scope) -> CreatedKey {
    database.create_key(&NewKey { tenant, scope, name: "n", created: NOW }).unwrap()
}

#[test]
fn a_key_grants_its_tenant_and_scope_and_nothing_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(folder.path()).unwrap();
    let ingest = key(&mut database, "acme", Scope::Ingest);
    let read = key(&mut database, "default", Scope::Read);
    let ring = KeyWatch::open(folder.path()).unwrap().ring();

    let grant = ring.check(&ingest.key).unwrap();
    assert_eq!((&*grant.id, grant.tenant, grant.scope), (&*ingest.id, TenantId(1), Scope::Ingest));
    let grant = ring.check(&read.key).unwrap();
    assert_eq!((&*grant.id, grant.tenant, grant.scope), (&*read.id, TenantId(0), Scope::Read));

    let secret = &ingest.key[16..];
    let flipped = if ingest.key.ends_with('A') { "B" } else { "A" };
    for wrong in [
        String::new(),
        "tocsin_".to_string(),
        ingest.id.clone(),
        secret.to_string(),
        ingest.key[..58].to_string(),
        format!("{}{flipped}", &ingest.key[..58]),
        format!("{} ", ingest.key),
        format!(" {}", ingest.key),
        ingest.key.to_uppercase(),
        format!("tocsin_{}_{}", read.id, &secret),
        format!("tocsin_ffffffff_{secret}"),
        "é".repeat(29),
        "x".repeat(1 << 20),
    ] {
        assert_eq!(ring.check(&wrong), None, "{}", &wrong.chars().take(80).collect::<String>());
    }
}

#[test]
fn a_key_has_its_form_and_is_kept_as_a_hash_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(folder.path()).unwrap();
    let made = key(&mut database, "default", Scope::Bouncer);
    let parts: Vec<&str> = made.key.splitn(3, '_').collect();
    assert_eq!((parts[0], parts[1], parts[2].len()), ("tocsin", made.id.as_str(), 43));
    assert!(made.id.len() == 8 && made.id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", made.id);
    assert!(!format!("{made:?}").contains(parts[2]));
    drop(database);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(43).any(|window| window == parts[2].as_bytes()));
    }
}

#[test]
fn what_others_change_is_seen_after_a_refresh() {
    let folder = tempfile::tempdir().unwrap();
    let watch = KeyWatch::open(folder.path()).unwrap();
    assert!(!watch.refresh().unwrap(), "nothing has changed");

    let mut elsewhere = Database::open(folder.path()).unwrap();
    let made = key(&mut elsewhere, "acme", Scope::Read);
    assert_eq!(watch.ring().check(&made.key), None, "not before the refresh");
    assert!(watch.clone().refresh().unwrap());
    assert!(watch.ring().check(&made.key).is_some());
    assert_eq!(watch.ring().tenants(), elsewhere.tenants().unwrap());

    assert_eq!(elsewhere.revoke_key(&made.id, NOW).unwrap(), Revoked::Now);
    assert!(watch.refresh().unwrap());
    assert_eq!(watch.ring().check(&made.key), None);
    assert_eq!(elsewhere.revoke_key(&made.id, NOW).unwrap(), Revoked::Before);
    assert_eq!(elsewhere.revoke_key("00000000", NOW).unwrap(), Revoked::Unknown);
}

#[test]
fn commits_of_alerts_renew_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let watch = KeyWatch::open(folder.path()).unwrap();
    let mut writer = Writer::open(folder.path(), "").unwrap();
    writer.commit(&CommitGroup { end: 9, ..CommitGroup::default() }).unwrap();
    assert!(!watch.refresh().unwrap());
    writer.ensure_tenant("acme").unwrap();
    assert!(watch.refresh().unwrap());
}

#[test]
fn the_list_tells_everything_but_the_secret() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(folder.path()).unwrap();
    let made = key(&mut database, "acme", Scope::Ingest);
    database.revoke_key(&made.id, Timestamp(2_000)).unwrap();
    let listed = database.keys().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].id, listed[0].tenant_name.as_str()), (&made.id, "acme"));
    assert_eq!((listed[0].created, listed[0].revoked), (NOW, Some(Timestamp(2_000))));
    assert!(!format!("{listed:?}").contains(&made.key[16..]));
}

#[test]
fn a_name_that_is_none_makes_neither_key_nor_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let mut database = Database::open(folder.path()).unwrap();
    for (tenant, name) in [("a b", ""), ("acme", "line\nbreak"), ("acme", &"x".repeat(201))] {
        let new = NewKey { tenant, scope: Scope::Read, name, created: NOW };
        assert!(matches!(database.create_key(&new), Err(AdminError::Refused(_))), "{tenant} {name}");
    }
    assert_eq!((database.keys().unwrap().len(), database.tenants().unwrap().len()), (0, 1));
}
