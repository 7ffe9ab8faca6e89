//! The journal from outside: what is written is what is read, whatever happens to its files.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

mod crash;
mod damage;
mod disk;
mod forged;
mod records;
mod recovery;
mod room;
mod round_trip;
mod support;
mod verify;
