//! A reader of server-sent events: bytes in any cut, events out. As much of the standard as the
//! load client needs: `event` and `data`, lines that end in LF or CRLF.

/// Bytes of one event. Beyond it the event's rest is dropped.
const EVENT_BYTES_MAX: usize = 4 << 20;

/// An event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub name: String,
    /// Its data, lines joined by LF.
    pub data: String,
}

/// The reader.
#[derive(Debug, Default)]
pub struct Reader {
    line: Vec<u8>,
    event: Event,
}

impl Reader {
    /// Takes in bytes; gives the events they complete.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() < EVENT_BYTES_MAX {
                self.line.extend_from_slice(piece);
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let line = String::from_utf8_lossy(&line);
                events.extend(self.line(line.trim_end_matches(['\r', '\n'])));
            }
        }
        events
    }

    /// Takes in a line; an empty one completes an event.
    fn line(&mut self, line: &str) -> Option<Event> {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" if line.is_empty() => {
                let event = std::mem::take(&mut self.event);
                return Some(event).filter(|event| !event.data.is_empty());
            }
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_whatever_the_cut() {
        let text = ": heartbeat 5\n\nevent: alert\nid: 7\ndata: {\"a\":1}\n\nretry: 3\ndata:x\r\ndata: y\r\n\r\nevent: none\n\n";
        let expect = [("alert", "{\"a\":1}"), ("", "x\ny")];
        for size in 1..text.len() {
            let mut reader = Reader::default();
            let events: Vec<Event> =
                text.as_bytes().chunks(size).flat_map(|bytes| reader.feed(bytes)).collect();
            let shown: Vec<_> =
                events.iter().map(|event| (event.name.as_str(), event.data.as_str())).collect();
            assert_eq!(shown, expect, "pieces of {size} bytes");
        }
    }
}
