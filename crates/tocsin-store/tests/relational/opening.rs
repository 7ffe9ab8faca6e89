//! Opening a data folder: made where it is missing, kept private, refused where it is not ours.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tocsin_store::{DATABASE_FILE, Database, OpenError, Reader, Writer};

fn refused(data: &Path) -> String {
    let Err(error) = Database::open(data) else { panic!("it was opened") };
    assert!(Reader::open(data).is_err() && Writer::open(data, "").is_err());
    error.to_string()
}

#[test]
fn a_fresh_folder_is_made_and_is_its_owners_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let database = Database::open(&data).unwrap();
    assert_eq!(database.tenants().unwrap().len(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn many_may_make_the_same_folder_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let tenants: Vec<u32> = std::thread::scope(|scope| {
        let open = |number: usize| {
            let data = &data;
            scope.spawn(move || {
                let mut database = Database::open(data).unwrap();
                database.ensure_tenant(&format!("tenant{number}")).unwrap().id.0
            })
        };
        let racing: Vec<_> = (0..12).map(open).collect();
        racing.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = tenants;
    sorted.sort_unstable();
    assert!(sorted.into_iter().eq(1..=12));
}

#[test]
fn seeds_are_random_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let seeds = |data: &Path| {
        let database = Database::open(data).unwrap();
        (database.hash_seed().unwrap(), database.mac_key().unwrap())
    };
    let (hash_seed, mac_key) = seeds(folder.path());
    assert_ne!(hash_seed, mac_key);
    assert_eq!(seeds(folder.path()), (hash_seed, mac_key));
    assert_ne!(seeds(&folder.path().join("other")).0, hash_seed);
}

#[test]
fn a_file_that_is_no_database_of_ours_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(DATABASE_FILE);
    let text =
        "this is a text of more than a hundred bytes, so that nobody takes it for an empty file. ".repeat(9);
    fs::write(&path, &text).unwrap();
    let told = refused(folder.path());
    assert!(told.contains("no database of Tocsin; move it away"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text);

    fs::remove_file(&path).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let told = refused(folder.path());
    assert!(told.contains("no database of Tocsin; move it away"), "{told}");
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(Database::open(folder.path()).unwrap());
    let other = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    other.execute_batch("INSERT INTO migrations (number) VALUES (4711)").unwrap();
    assert!(matches!(Database::open(folder.path()), Err(OpenError::Newer { found: 4_711, .. })));
    let told = refused(folder.path());
    assert!(told.contains("written by a newer Tocsin (schema 4711"), "{told}");
}

#[test]
fn a_folder_that_is_a_file_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let told = refused(&file);
    assert!(told.contains("name another with --data"), "{told}");
}

#[test]
fn opening_again_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    drop(Database::open(folder.path()).unwrap());
    let before = fs::read(folder.path().join(DATABASE_FILE)).unwrap();
    drop(Database::open(folder.path()).unwrap());
    assert!(before == fs::read(folder.path().join(DATABASE_FILE)).unwrap());
}
