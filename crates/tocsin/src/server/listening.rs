//! Where a running server listens, told in its data folder, so that commands find it there.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The file within the data folder.
const LISTENING_FILE: &str = "listening";

/// The file of a server that runs. It goes when the server does; a kill leaves it behind.
#[derive(Debug)]
pub struct Listening(PathBuf);

impl Listening {
    /// Tells where the server of this data folder listens.
    ///
    /// # Errors
    /// What the system says when the file cannot be written.
    pub fn tell(data: &Path, address: SocketAddr) -> io::Result<Listening> {
        let path = data.join(LISTENING_FILE);
        fs::write(&path, format!("{address}\n"))?;
        Ok(Listening(path))
    }

    /// Where the server of this data folder listens, if one was started there.
    #[must_use]
    pub fn read(data: &Path) -> Option<SocketAddr> {
        fs::read_to_string(data.join(LISTENING_FILE)).ok()?.trim().parse().ok()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // What is left behind is no worse than after a kill.
        drop(fs::remove_file(&self.0));
    }
}
