//! Syslog lines: RFC 5424, RFC 3164, and RFC 3164 with an ISO time as rsyslog and systemd write it.
//!
//! The header is read here, what the message says in [`crate::messages`]. A line that begins in
//! none of these ways is refused.

use tocsin_core::batch::{EventBatch, Notes, Reason};
use tocsin_core::time::{Span, Timestamp};

use crate::format::{Format, FormatContext, Record, Refusal};
use crate::formats::syslog_header::{self, Header};
use crate::messages::{self, Said};
use crate::registry::FormatEntry;
use crate::row::{Row, Stated};
use crate::taxonomy::{Target, Taxonomy};
use crate::text::{Fill, SourceTargets, targets};

