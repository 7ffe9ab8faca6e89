//! What stands in a trace beside stories: rules, values of placeholders, log sources, each an
//! indented block of YAML under a word.
//!
//! A block keeps its place: composed with others it is a text in which every line has the number
//! it has in the trace, so that what is found in a rule is told where it stands.

/// Characters a `%{xN text}` may become. Longer ones do not read.
const REPEATED_CHARS_MAX: usize = 200_000;

/// What a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Rules, as a rule file holds them.
    Rule,
    /// Values for placeholders.
    Placeholders,
    /// Log sources besides the known ones.
    LogSources,
}

impl BlockKind {
    /// All kinds with the words they begin with.
    pub const WORDS: [(&str, BlockKind); 3] = [
        ("rule", BlockKind::Rule),
        ("placeholders", BlockKind::Placeholders),
        ("logsources", BlockKind::LogSources),
    ];
}

/// One block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// What it holds.
    pub kind: BlockKind,
    /// The line of its word.
    pub line: u32,
    /// Whether its lines end as on Windows.
    pub crlf: bool,
    /// Its lines without their indentation.
    pub lines: Vec<String>,
    /// How far its lines are indented.
    indentation: usize,
}

impl Block {
    /// An empty block; `rest` is what follows its word.
    ///
    /// # Errors
    /// A sentence.
    pub fn open(kind: BlockKind, rest: &str, line: u32) -> Result<Block, String> {
        let crlf = match rest {
            "" => false,
            "crlf" => true,
            other => return Err(format!("`{other}` says nothing of a block (known: crlf)")),
        };
        Ok(Block { kind, line, crlf, lines: Vec::new(), indentation: 0 })
    }

    /// Adds a line as it stands in the trace.
    ///
    /// # Errors
    /// A sentence.
    pub fn push(&mut self, line: &str) -> Result<(), String> {
        let text = line.trim_start();
        if self.indentation == 0 {
            self.indentation = line.len() - text.len();
        }
        let inner = match line.get(..self.indentation) {
            Some(indentation) if indentation.trim().is_empty() => &line[self.indentation..],
            _ if text.is_empty() => "",
            _ => {
                self.lines.push(String::new());
                return Err("this line is indented less than the first of its block".into());
            }
        };
        self.lines.push(repeated(inner)?);
        Ok(())
    }
}

/// The blocks of a kind as one text; `None` if there is none. Blocks of rules are documents of it.
#[must_use]
pub fn compose<'b>(kind: BlockKind, blocks: impl Iterator<Item = &'b Block>) -> Option<String> {
    let mut text = String::new();
    let mut next = 1;
    let mut found = false;
    for block in blocks.filter(|block| block.kind == kind) {
        found = true;
        let end = if block.crlf { "\r\n" } else { "\n" };
        while next < block.line {
            text.push_str(end);
            next += 1;
        }
        let marker = if kind == BlockKind::Rule { "---" } else { "" };
        for line in std::iter::once(marker).chain(block.lines.iter().map(String::as_str)) {
            text.push_str(line);
            text.push_str(end);
            next += 1;
        }
    }
    found.then_some(text)
}

/// A line with each `%{xN text}` written out N times.
fn repeated(line: &str) -> Result<String, String> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("%{x") {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let inner = from[3..].split_once('}').and_then(|(inner, after)| {
            let (number, text) = inner.split_once(' ')?;
            Some((number.parse::<usize>().ok()?, text, after))
        });
        let Some((number, text, after)) = inner else {
            return Err("repeats in a block are written `%{x257 text}`".into());
        };
        if number.saturating_mul(text.len()) > REPEATED_CHARS_MAX {
            return Err(format!("a repeat gives at most {REPEATED_CHARS_MAX} characters"));
        }
        out.push_str(&text.repeat(number));
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(line: u32, rest: &str, lines: &[&str]) -> Block {
        let mut block = Block::open(BlockKind::Rule, rest, line).unwrap();
        lines.iter().for_each(|line| block.push(line).unwrap());
        block
    }

    #[test]
    fn lines_keep_their_numbers() {
        let blocks = [block(2, "", &["  a:", "    b", "", "  c"]), block(8, "", &["   d"])];
        assert_eq!(compose(BlockKind::Rule, blocks.iter()).unwrap(), "\n---\na:\n  b\n\nc\n\n---\nd\n");
        assert_eq!(compose(BlockKind::Placeholders, blocks.iter()), None);
        let windows = [block(1, "crlf", &["  a"])];
        assert_eq!(compose(BlockKind::Rule, windows.iter()).unwrap(), "---\r\na\r\n");
    }

    #[test]
    fn repeats_are_written_out() {
        assert_eq!(block(1, "", &["  a: %{x3 ab}%{x2 -}"]).lines, ["a: ababab--"]);
        for wrong in ["  %{x}", "  %{x3}", "  %{xa b}", "  %{x3 a", "  %{x200001 a}"] {
            assert!(Block::open(BlockKind::Rule, "", 1).unwrap().push(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_is_told() {
        assert!(Block::open(BlockKind::Rule, "lf", 1).is_err());
        let mut block = block(1, "", &["    a"]);
        assert!(block.push("  b").is_err());
    }
}
