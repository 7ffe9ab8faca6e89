//! A parser of event streams after the HTML standard, 9.2.5 and 9.2.6: any line ends, any chunks,
//! whatever bytes.

/// One event as a client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type; `message` where none was sent.
    pub kind: String,
    /// Its data.
    pub data: String,
    /// The id in force when it came.
    pub last_event_id: String,
}

/// Takes bytes, gives events.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    line: Vec<u8>,
    is_after_cr: bool,
    has_first_line: bool,
    kind: String,
    data: String,
    id: String,
    last_event_id: String,
    retry_ms: Option<u64>,
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

impl Parser {
    /// The events that these bytes complete.
    pub fn feed(&mut self, chunk: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for &byte in chunk {
            // A line feed after a carriage return belongs to it, in the next chunk too.
            let ends_crlf = byte == b'\n' && self.is_after_cr;
            self.is_after_cr = byte == b'\r';
            match byte {
                b'\n' if ends_crlf => {}
                b'\r' | b'\n' => messages.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        messages
    }

    /// The id a client sends when it comes back.
    #[must_use]
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// How long a client waits before it comes back, in ms, as last sent.
    #[must_use]
    pub fn retry_ms(&self) -> Option<u64> {
        self.retry_ms
    }

    fn end_line(&mut self) -> Option<Message> {
        let line = std::mem::take(&mut self.line);
        let is_first = !std::mem::replace(&mut self.has_first_line, true);
        let line = line.strip_prefix(BYTE_ORDER_MARK).filter(|_| is_first).unwrap_or(&line);
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            return self.dispatch();
        }
        match line.split_once(':') {
            Some(("", _comment)) => {}
            Some((name, value)) => self.field(name, value.strip_prefix(' ').unwrap_or(value)),
            None => self.field(&line, ""),
        }
        None
    }

    fn field(&mut self, name: &str, value: &str) {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        match name {
            "event" => self.kind = value.to_string(),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => self.id = value.to_string(),
            "retry" if is_number => self.retry_ms = value.parse().ok().or(self.retry_ms),
            _ => {}
        }
    }

    fn dispatch(&mut self) -> Option<Message> {
        self.last_event_id.clone_from(&self.id);
        let kind = std::mem::take(&mut self.kind);
        let mut data = std::mem::take(&mut self.data);
        // Without its last line feed; without one there was no data.
        data.pop()?;
        let kind = if kind.is_empty() { "message".to_string() } else { kind };
        Some(Message { kind, data, last_event_id: self.last_event_id.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types and data of a stream's events.
    fn events(stream: &str) -> Vec<(String, String)> {
        let messages = Parser::default().feed(stream.as_bytes());
        messages.into_iter().map(|message| (message.kind, message.data)).collect()
    }

    fn event(kind: &str, data: &str) -> (String, String) {
        (kind.to_string(), data.to_string())
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        for (stream, expect) in [
            ("data\n\n", vec![event("message", "")]),
            ("data\ndata\n\n", vec![event("message", "\n")]),
            ("data:  two\n\n", vec![event("message", " two")]),
            ("data:x\n", vec![]),
            ("event: a\n\ndata: x\n\n", vec![event("message", "x")]),
            ("event: a\nevent: b\ndata: x\n\n", vec![event("b", "x")]),
            ("Data: x\ndata : y\n\n", vec![]),
            (": data: x\n\n", vec![]),
            ("data: x\r\rdata: y\r\n\r\n", vec![event("message", "x"), event("message", "y")]),
        ] {
            assert_eq!(events(stream), expect, "{stream:?}");
        }
    }

    #[test]
    fn ids_last_until_another_is_committed() {
        for (stream, expect) in [
            ("id: 1\ndata: x\n\n", "1"),
            ("id: 1\n\n", "1"),
            ("id: 1\n", ""),
            ("id: 1\n\nid\n\n", ""),
            ("id: 1\n\nid: 2\0\n\n", "1"),
            ("id: 1\n\ndata: x\n\n", "1"),
        ] {
            let mut parser = Parser::default();
            parser.feed(stream.as_bytes());
            assert_eq!(parser.last_event_id(), expect, "{stream:?}");
        }
    }

    #[test]
    fn only_digits_are_a_time_to_wait() {
        for (stream, expect) in
            [("retry: 30\n", Some(30)), ("retry: 3x\n", None), ("retry:\n", None), ("retry: -1\n", None)]
        {
            let mut parser = Parser::default();
            parser.feed(stream.as_bytes());
            assert_eq!(parser.retry_ms(), expect, "{stream:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_become_replacement_characters() {
        let messages = Parser::default().feed(b"data: \xff\xc3\n\n");
        assert_eq!(messages[0].data, "\u{fffd}\u{fffd}");
    }
}
