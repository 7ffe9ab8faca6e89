//! A folder of its own for each test, and the binary run in it.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up fails")]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A temporary folder that commands run in.
pub struct Folder(TempDir);

/// What a command came to.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    /// The exit status.
    pub code: i32,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Folder {
    /// An empty folder.
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// The folder with this file in it.
    pub fn with(self, name: &str, content: impl AsRef<[u8]>) -> Folder {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// The text of a file in it.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// Runs the binary in it.
    pub fn run(&self, args: &[&str]) -> Outcome {
        self.run_with_input(args, b"")
    }

    /// Runs the binary in it with this standard input.
    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Outcome {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tocsin"))
            .args(args)
            .current_dir(self.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads no input may have ended already.
        drop(child.stdin.take().unwrap().write_all(input));
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}
