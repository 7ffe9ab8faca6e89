//! Progress of long work, on a terminal only: how far, how fast, how long yet.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar, or nothing where nobody looks.
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over so many bytes, or without an end.
    #[must_use]
    pub fn new(total: Option<u64>) -> Progress {
        if !std::io::stderr().is_terminal() {
            return Progress { bar: ProgressBar::hidden() };
        }
        let bar = match total {
            Some(total) => ProgressBar::new(total).with_style(style(
                "{bar:32} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {msg}  {eta} left",
            )),
            None => {
                ProgressBar::no_length().with_style(style("{spinner} {bytes}  {binary_bytes_per_sec}  {msg}"))
            }
        };
        Progress { bar }
    }

    /// So many bytes and events are done.
    pub fn update(&self, bytes: u64, events: u64) {
        if !self.bar.is_hidden() {
            self.bar.set_position(bytes);
            self.bar.set_message(format!("{events} events"));
        }
    }

    /// Does something with the bar out of the way.
    pub fn suspend<R>(&self, work: impl FnOnce() -> R) -> R {
        self.bar.suspend(work)
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
