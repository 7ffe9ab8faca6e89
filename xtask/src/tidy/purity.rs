//! Pure crates are held pure by clippy (invariant I1). Clippy reads one `clippy.toml` per crate and
//! merges nothing, so each pure crate has its own: all the same, the root's settings included.

use super::Finding;
use super::crates::PURE;
use crate::tree::Tree;

/// What every pure crate's `clippy.toml` must ban.
const BANNED: &[&str] = &[
    "std::time::Instant::now",
    "std::time::SystemTime::now",
    "std::fs::read",
    "std::fs::File",
    "std::net::TcpStream",
    "std::env::var",
    "std::thread::spawn",
];

/// Each pure crate has a `clippy.toml` that bans the world outside, the same in all of them.
pub fn clippy_bans(tree: &Tree, found: &mut Vec<Finding>) {
    let path_of = |name: &str| format!("crates/{name}/clippy.toml");
    let pure = PURE.iter().map(|(name, _)| *name);
    let pure: Vec<&str> =
        pure.filter(|name| tree.get(&format!("crates/{name}/Cargo.toml")).is_some()).collect();
    let Some(first) = pure.first().map(|name| path_of(name)) else { return };
    let Some(model) = tree.get(&first) else {
        found.push(Finding::new(&first, 1, "missing: a pure crate bans clocks, files and sockets here"));
        return;
    };
    let root = tree.get("clippy.toml").map_or("", |file| file.text.as_str());
    let settings = root.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    for wanted in settings.filter(|line| !model.text.lines().any(|other| other == *line)) {
        found.push(Finding::new(&first, 1, format!("add `{wanted}`, as in the root's clippy.toml")));
    }
    for banned in BANNED.iter().filter(|banned| !model.text.contains(&format!("\"{banned}\""))) {
        found.push(Finding::new(&first, 1, format!("ban `{banned}`, with its reason")));
    }
    for path in pure[1..].iter().map(|name| path_of(name)) {
        if tree.get(&path).is_none_or(|file| file.text != model.text) {
            found.push(Finding::new(
                &path,
                1,
                format!("copy {first} here: all pure crates have the same bans"),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn missing_bans_are_found() {
        let bans: String = BANNED.iter().map(|banned| format!("    \"{banned}\",\n")).collect();
        let full = format!("a = 1\n{bans}");
        let core = ("crates/tocsin-core/Cargo.toml", "");
        let alert = ("crates/tocsin-alert/Cargo.toml", "");
        let root = ("clippy.toml", "a = 1\n");
        let good = ("crates/tocsin-core/clippy.toml", full.as_str());
        assert_eq!(places(clippy_bans, &[root, core]), ["crates/tocsin-core/clippy.toml:1"]);
        assert_eq!(places(clippy_bans, &[root, core, good]), [""; 0]);
        let without_root = ("crates/tocsin-core/clippy.toml", bans.as_str());
        assert_eq!(places(clippy_bans, &[root, core, without_root]).len(), 1);
        let empty = ("crates/tocsin-core/clippy.toml", "a = 1\n");
        assert_eq!(places(clippy_bans, &[root, core, empty]).len(), BANNED.len());
        assert_eq!(places(clippy_bans, &[root, core, good, alert]), ["crates/tocsin-alert/clippy.toml:1"]);
    }
}
