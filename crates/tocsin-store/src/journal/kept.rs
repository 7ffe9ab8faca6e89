//! The segments that are closed: how many bytes they take, and which may go.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;

use crate::crash::{self, Point};
use crate::journal::folder::Listing;

/// A file of the journal that nothing is appended to any more.
#[derive(Clone, Debug)]
pub struct Closed {
    /// One past its last position.
    pub end: u64,
    /// Bytes it takes.
    pub bytes: u64,
    /// The file.
    pub path: PathBuf,
}

/// All of them, oldest first.
#[derive(Debug, Default)]
pub struct Kept {
    files: VecDeque<Closed>,
    bytes: u64,
}

impl Kept {
    /// The files of a listing, those that are no segments too: they take room all the same.
    #[must_use]
    pub fn of(listing: &Listing) -> Kept {
        let segments = listing.segments.iter().map(|segment| {
            (segment.base, Closed { end: segment.limit, bytes: segment.bytes, path: segment.path.clone() })
        });
        let strays = listing.strays.iter().map(|stray| {
            (
                stray.base,
                Closed { end: stray.base + stray.bytes, bytes: stray.bytes, path: stray.path.clone() },
            )
        });
        let mut files: Vec<(u64, Closed)> = segments.chain(strays).collect();
        files.sort_by_key(|(base, _)| *base);
        let bytes = files.iter().map(|(_, file)| file.bytes).sum();
        Kept { files: files.into_iter().map(|(_, file)| file).collect(), bytes }
    }

    /// Bytes they take together.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds the newest one.
    pub fn push(&mut self, closed: Closed) {
        self.bytes += closed.bytes;
        self.files.push_back(closed);
    }

    /// Takes a file out again that is about to be written on.
    pub fn take(&mut self, path: &std::path::Path) {
        if let Some(index) = self.files.iter().position(|file| file.path == path)
            && let Some(file) = self.files.remove(index)
        {
            self.bytes -= file.bytes;
        }
    }

    /// Deletes the oldest file if it is wholly below `released`; whether it did.
    pub fn free_oldest(&mut self, released: u64) -> bool {
        let Some(oldest) = self.files.front().filter(|file| file.end <= released) else { return false };
        match fs::remove_file(&oldest.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return false,
            _ => {}
        }
        crash::point(Point::SegmentFreed);
        self.bytes -= oldest.bytes;
        self.files.pop_front();
        true
    }
}
