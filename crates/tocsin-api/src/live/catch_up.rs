//! Catching up: what was committed before, read again and put in the one order.

use tocsin_alert::role::MinRole;
use tocsin_core::batch::{RawBatch, TenantId};
use tocsin_pipeline::commit::{Change, StoreError};

use super::frame::{Cursor, Encoder, Frame, change};
use super::limits::{PAGE_BYTES_MAX, PAGE_CHANGES_MAX};
use super::queue::Viewer;

/// Records of one tenant, as the journal holds them.
#[derive(Debug, Default)]
pub struct RecordPage {
    /// The batches, in order; records outside of what was asked for may be among theirs.
    pub batches: Vec<RawBatch>,
    /// Everything the journal holds up to this position is among them. `until` when there is no
    /// more.
    pub covered: u64,
    /// Below this position the journal has let go of records; 0 when it never did.
    pub kept_from: u64,
}

/// Changes of one tenant, as the store keeps them.
#[derive(Debug, Default)]
pub struct ChangePage {
    /// The changes, in order.
    pub changes: Vec<Change>,
    /// The newest change the store has let go of, of whatever tenant; the beginning when it never
    /// did.
    pub dropped: Cursor,
}

/// What was committed before. Called from blocking threads, some pages at a time.
pub trait History: Send + Sync {
    /// The tenant's accepted records at positions in (`after`, `until`]: whole frames from the one
    /// that holds `after` on, until they reach `bytes_max`.
    ///
    /// # Errors
    /// [`StoreError`] when the journal cannot be read; the stream ends then and may come back.
    fn records(
        &self,
        tenant: TenantId,
        after: u64,
        until: u64,
        bytes_max: usize,
    ) -> Result<RecordPage, StoreError>;

    /// The tenant's changes in (`after`, `until`], the first `limit` of them.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read; the stream ends then and may come back.
    fn changes(
        &self,
        tenant: TenantId,
        after: Cursor,
        until: Cursor,
        limit: usize,
    ) -> Result<ChangePage, StoreError>;
}

/// A stretch of the order to read again: everything after `from`, up to `until`.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// The last place seen.
    pub from: Cursor,
    /// The last place to read.
    pub until: Cursor,
    /// What of it.
    pub content: Content,
}

/// What of a stretch is read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Events and changes.
    Everything,
    /// Changes alone: the events were told as missed.
    Changes,
}

/// The first part of a stretch.
#[derive(Debug)]
pub struct Page {
    /// What the viewer may see of it, in order.
    pub frames: Vec<Frame>,
    /// The stretch is read up to here.
    pub reached: Cursor,
    /// Whether some of it is no longer kept.
    pub is_cut: bool,
}

/// Reads the first part of a stretch.
///
/// # Errors
/// [`StoreError`] when history cannot be read.
pub fn page(history: &dyn History, viewer: &Viewer, stretch: &Stretch) -> Result<Page, StoreError> {
    let Stretch { from, until, content } = *stretch;
    let records = match content {
        Content::Changes => RecordPage { covered: until.position, ..RecordPage::default() },
        Content::Everything => {
            history.records(viewer.tenant, from.position, until.position, PAGE_BYTES_MAX)?
        }
    };
    let covered = until.min(Cursor::after(records.covered));
    let kept = history.changes(viewer.tenant, from, covered, PAGE_CHANGES_MAX)?;
    let more = kept.changes.len() >= PAGE_CHANGES_MAX;
    let reached = kept.changes.last().filter(|_| more).map_or(covered, Cursor::change);
    let seen = |min_role: &MinRole| viewer.roles.may_see(min_role);
    let changes = kept.changes.iter().filter(|one| seen(&one.min_role));
    let mut frames: Vec<Frame> = changes.map(|one| change(one, viewer.view)).collect();
    let mut encoder = Encoder::default();
    for raw in &records.batches {
        let places = (0..raw.records.len() as u32)
            .map(|record| (record, Cursor::event(raw.position(record).offset())))
            .filter(|(_, at)| *at > from && *at <= reached);
        let events = places.map(|(record, _)| encoder.event(raw, record, viewer.view));
        frames.extend(events.filter(|frame| seen(&frame.min_role)));
    }
    frames.sort_by_key(|frame| frame.at);
    let is_cut = records.kept_from > from.position || kept.dropped > from;
    Ok(Page { frames, reached, is_cut })
}
