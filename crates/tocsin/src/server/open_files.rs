//! Open files: every connection is one. Systems start a process with a small limit (often 1,024)
//! that it may raise itself; a server that does not is full long before its own bounds.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files of the server's own: journal, store, threads, standard streams. So many stay free of
/// connections.
const OWN_FILES_MAX: usize = 256;

/// Raises the limit as far as the system lets us; gives how many of these connections fit into it,
/// at least one. Fewer than asked for are told.
pub fn room_for(connections: usize) -> usize {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Where it may not be raised, what is there has to do.
    let now = setrlimit(Resource::Nofile, limit).map_or_else(|_| getrlimit(Resource::Nofile), |()| limit);
    let fits = fitting(now.current, connections);
    if fits < connections {
        tracing::warn!(
            connections = fits,
            asked = connections,
            "the system allows too few open files for limits.connections_max; raise them (ulimit -Hn) or lower it"
        );
    }
    fits
}

/// How many connections fit into a limit of open files; none is no limit.
fn fitting(files_max: Option<u64>, connections: usize) -> usize {
    let Some(files_max) = files_max.and_then(|files| usize::try_from(files).ok()) else { return connections };
    connections.min(files_max.saturating_sub(OWN_FILES_MAX)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_servers_own_files() {
        for (files_max, asked, fits) in [
            (None, 12_288, 12_288),
            (Some(20_000), 12_288, 12_288),
            (Some(1_024), 12_288, 768),
            (Some(100), 8, 1),
        ] {
            assert_eq!(fitting(files_max, asked), fits, "{files_max:?} {asked}");
        }
    }
}
