//! Writing and reading journals in a folder that goes away with the test.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tocsin_core::batch::{RawBatch, RecordSpan};
use tocsin_core::time::Timestamp;
use tocsin_pipeline::journal::{Appended, Frame, FrameBody, Journal, NewFrame, RequestMark};
use tocsin_pipeline::rules::RuleSetId;
use tocsin_store::journal::{Frames, Hole, Opened, Options, Read, Writer};

/// What a frame is made of, on its own.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    Tick(i64),
    Rules { id: [u8; 16], at: i64, by: String },
    Events(Box<Batch>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub tenant: String,
    pub source: String,
    pub ingest: Option<i64>,
    pub reference: Option<i64>,
    pub backfill: bool,
    pub first_record: u64,
    pub bytes: Vec<u8>,
    pub spans: Vec<(u32, u32)>,
    pub requests: Vec<RequestMark>,
}

/// Events of records as given, with a line end behind each.
pub fn events(records: &[&[u8]]) -> Content {
    let mut bytes = Vec::new();
    let mut spans = Vec::new();
    for record in records {
        spans.push((bytes.len() as u32, record.len() as u32));
        bytes.extend_from_slice(record);
        bytes.push(b'\n');
    }
    Content::Events(Box::new(Batch {
        tenant: "default".to_string(),
        source: "key-1".to_string(),
        ingest: Some(1_700_000_000_000_000_000),
        reference: None,
        backfill: false,
        first_record: 0,
        bytes,
        spans,
        requests: Vec::new(),
    }))
}

/// Events of one record of so many bytes, different for each `number`.
pub fn record_of(bytes: usize, number: usize) -> Content {
    let record: Vec<u8> = (0..bytes).map(|at| b'a' + ((at * 7 + number * 13) % 26) as u8).collect();
    events(&[&record])
}

/// The k-th of a row of frames of every kind and many sizes.
pub fn some_frame(k: usize) -> Content {
    match k % 7 {
        0 => Content::Tick(k as i64),
        1 => events(&[format!("short {k}").as_bytes(), b"{}", format!("last {k}").as_bytes()]),
        kind => record_of(kind * 300 + k % 50, k),
    }
}

pub fn append(writer: &mut Writer, content: &Content) -> Appended {
    try_append(writer, content).expect("appended")
}

pub fn try_append(
    writer: &mut Writer,
    content: &Content,
) -> Result<Appended, tocsin_pipeline::journal::JournalError> {
    match content {
        Content::Tick(time) => writer.append(NewFrame::Tick(Timestamp(*time))),
        Content::Rules { id, at, by } => {
            writer.append(NewFrame::Rules { id: RuleSetId(*id), at: Timestamp(*at), by })
        }
        Content::Events(batch) => {
            let raw = RawBatch {
                ingest: batch.ingest.map(Timestamp),
                reference: batch.reference.map(Timestamp),
                backfill: batch.backfill,
                first_record: batch.first_record,
                bytes: batch.bytes.clone(),
                records: batch.spans.iter().map(|&(start, len)| RecordSpan { start, len }).collect(),
                ..RawBatch::default()
            };
            let (tenant, source) = (&batch.tenant, &batch.source);
            writer.append(NewFrame::Events { tenant, source, raw: &raw, requests: &batch.requests })
        }
    }
}

/// What a frame that was read is made of.
pub fn content(frame: &Frame) -> Content {
    match &frame.body {
        FrameBody::Tick(time) => Content::Tick(time.0),
        FrameBody::Rules { id, at, by } => Content::Rules { id: id.0, at: at.0, by: by.clone() },
        FrameBody::Events { tenant, source, raw, requests } => Content::Events(Box::new(Batch {
            tenant: tenant.clone(),
            source: source.clone(),
            ingest: raw.ingest.map(|time| time.0),
            reference: raw.reference.map(|time| time.0),
            backfill: raw.backfill,
            first_record: raw.first_record,
            bytes: raw.bytes.clone(),
            spans: raw.records.iter().map(|span| (span.start, span.len)).collect(),
            requests: requests.clone(),
        })),
    }
}

/// Options for small segments.
pub fn small(segment_bytes: u64) -> Options {
    Options { segment_bytes, ..Options::default() }
}

pub fn open(folder: &Path, options: Options) -> (Writer, Opened) {
    Writer::open(folder, options).expect("opened")
}

/// A frame with its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    pub start: u64,
    pub end: u64,
    pub content: Content,
}

/// Everything between two positions.
pub fn read(folder: &Path, from: u64, until: u64) -> (Vec<Placed>, Vec<Hole>) {
    split(Frames::new(folder, from, until).expect("a folder"))
}

pub fn split(frames: Frames) -> (Vec<Placed>, Vec<Hole>) {
    let (mut placed, mut holes) = (Vec::new(), Vec::new());
    for read in frames {
        match read {
            Read::Frame(frame) => {
                placed.push(Placed { start: frame.start, end: frame.end, content: content(&frame) });
            }
            Read::Hole(hole) => holes.push(hole),
        }
    }
    (placed, holes)
}

/// A journal with frames in it, closed.
pub struct Written {
    pub folder: TempDir,
    pub frames: Vec<Placed>,
    pub end: u64,
}

impl Written {
    /// A journal of these frames, synced each.
    pub fn of(options: Options, contents: impl IntoIterator<Item = Content>) -> Written {
        let (written, writer) = Written::with_writer(options, contents);
        drop(writer);
        written
    }

    /// The same, as a kill of its writer leaves it.
    pub fn killed(options: Options, contents: impl IntoIterator<Item = Content>) -> Written {
        let (written, writer) = Written::with_writer(options, contents);
        let folder = copy(written.path());
        drop(writer);
        Written { folder, ..written }
    }

    fn with_writer(options: Options, contents: impl IntoIterator<Item = Content>) -> (Written, Writer) {
        let folder = tempfile::tempdir().unwrap();
        let (mut writer, _) = open(folder.path(), options);
        let mut frames = Vec::new();
        for content in contents {
            let Appended { start, end, .. } = append(&mut writer, &content);
            writer.sync().expect("synced");
            frames.push(Placed { start, end, content });
        }
        let end = writer.end();
        (Written { folder, frames, end }, writer)
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The files of the segments with their bases, in order.
    pub fn segments(&self) -> Vec<(u64, PathBuf)> {
        segments(self.path())
    }
}

/// The files of the segments with their bases, in order.
pub fn segments(folder: &Path) -> Vec<(u64, PathBuf)> {
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().parse().unwrap(), path))
        .collect();
    found.sort();
    found
}

/// A copy of a journal's files.
pub fn copy(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}
