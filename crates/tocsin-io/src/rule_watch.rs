//! Whether rule files have changed, asked often and cheaply: by what the folder says of them, without
//! opening any.

use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::rule_files::{ENDINGS, FOLDER_DEPTH_MAX};

/// How long files must have stayed as they are to count as written.
const SETTLED: Duration = Duration::from_secs(1);

/// How often to look when nothing changes, and while something does.
const LOOK_EVERY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_millis(250));

/// Time between two looks, where one takes long. Files on such a disk are noticed that late.
const LOOK_EVERY_MAX: Duration = Duration::from_secs(60);

/// The part of the time that looking may take: where it takes long, it is done less often.
const SHARE: u32 = 50;

/// What rule files look like from outside: the same as long as none was written, replaced, added or
/// taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look(u64);

impl Look {
    /// What the files under these paths look like now. What cannot be read looks like nothing.
    #[must_use]
    pub fn at(paths: &[PathBuf]) -> Look {
        let mut seen = Vec::new();
        for path in paths {
            match fs::metadata(path) {
                Ok(found) if found.is_dir() => folder(path, 0, &mut seen),
                Ok(found) => seen.push((path.clone(), stamp(&found))),
                Err(_) => {}
            }
        }
        seen.sort_unstable();
        let mut hasher = DefaultHasher::new();
        seen.hash(&mut hasher);
        Look(hasher.finish())
    }
}

/// Size, inode and the time of the last change, which no program can set.
type Stamp = [u64; 4];

fn stamp(found: &Metadata) -> Stamp {
    let (seconds, nanoseconds) = (found.ctime().cast_unsigned(), found.ctime_nsec().cast_unsigned());
    [found.len(), found.ino(), seconds, nanoseconds]
}

fn folder(path: &Path, depth: usize, seen: &mut Vec<(PathBuf, Stamp)>) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        let inner = entry.path();
        let wanted = inner.extension().is_some_and(|ending| ENDINGS.iter().any(|e| *ending == **e));
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && depth + 1 < FOLDER_DEPTH_MAX {
            folder(&inner, depth + 1, seen);
        } else if wanted && let Ok(found) = fs::metadata(&inner) {
            seen.push((inner, stamp(&found)));
        }
    }
}

/// Looks at files again and again, and says when they have changed and settled.
#[derive(Debug)]
pub struct RuleWatch {
    paths: Vec<PathBuf>,
    /// What was there when they were last read.
    known: Look,
    /// What else is there, and since when it has stayed so.
    changed: Option<(Look, Instant)>,
    next: Duration,
}

impl RuleWatch {
    /// A watch over these paths, whose files were read when they looked so.
    #[must_use]
    pub fn new(paths: &[PathBuf], known: Look) -> RuleWatch {
        RuleWatch { paths: paths.to_vec(), known, changed: None, next: LOOK_EVERY.0 }
    }

    /// When to look again.
    #[must_use]
    pub fn next(&self) -> Duration {
        self.next
    }

    /// Whether the files have changed since they were read, and are written to the end: they have
    /// looked the same for a second.
    pub fn has_settled(&mut self) -> bool {
        let begun = Instant::now();
        let look = Look::at(&self.paths);
        let changed = self.changed.filter(|(before, _)| *before == look);
        self.changed = (look != self.known).then(|| changed.unwrap_or((look, begun)));
        let pace = if self.changed.is_some() { LOOK_EVERY.1 } else { LOOK_EVERY.0 };
        self.next = pace.max((begun.elapsed() * SHARE).min(LOOK_EVERY_MAX));
        self.changed.is_some_and(|(_, since)| since.elapsed() >= SETTLED)
    }

    /// The files were read when they looked so.
    pub fn note(&mut self, read: Look) {
        self.known = read;
        self.changed = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_of_a_rule_file_shows_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("inner")).unwrap();
        fs::write(path("a.yml"), "one").unwrap();
        fs::write(path("inner/b.yaml"), "two").unwrap();
        let paths = [folder.path().to_path_buf(), path("gone.yml")];
        let mut before = Look::at(&paths);
        let mut step = |what: &str, differs: bool, act: &dyn Fn()| {
            // The clock of the file system is coarser than this test is fast.
            std::thread::sleep(Duration::from_millis(20));
            act();
            let now = Look::at(&paths);
            assert_eq!(now != before, differs, "{what}");
            before = now;
        };
        step("nothing", false, &|| {});
        step("the same length", true, &|| fs::write(path("a.yml"), "eno").unwrap());
        step("the same text again", true, &|| fs::write(path("a.yml"), "eno").unwrap());
        step("a file in a folder", true, &|| fs::write(path("inner/b.yaml"), "three").unwrap());
        step("something else", false, &|| fs::write(path("inner/c.txt"), "three").unwrap());
        step("one more", true, &|| fs::write(path("inner/c.yml"), "three").unwrap());
        step("put in its place", true, &|| {
            fs::write(path("new"), "neo").unwrap();
            fs::rename(path("new"), path("a.yml")).unwrap();
        });
        step("one less", true, &|| fs::remove_file(path("inner/c.yml")).unwrap());
        step("a path that was not there", true, &|| fs::write(path("gone.yml"), "x").unwrap());
    }

    #[test]
    fn files_that_are_being_written_are_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let paths = [folder.path().to_path_buf()];
        let mut watch = RuleWatch::new(&paths, Look::at(&paths));
        assert!(!watch.has_settled());
        assert_eq!(watch.next(), LOOK_EVERY.0);
        let begun = Instant::now();
        for part in 0..5 {
            fs::write(folder.path().join("a.yml"), "x".repeat(part + 1)).unwrap();
            assert!(!watch.has_settled(), "part {part}");
            std::thread::sleep(Duration::from_millis(300));
        }
        while !watch.has_settled() {
            assert!(begun.elapsed() < Duration::from_secs(60));
            std::thread::sleep(watch.next());
        }
        assert!(begun.elapsed() >= Duration::from_millis(4 * 300) + SETTLED, "{:?}", begun.elapsed());
        watch.note(Look::at(&paths));
        assert!(!watch.has_settled());
    }
}
