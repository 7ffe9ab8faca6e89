//! A Rust file cut into code and comments, well enough for line checks without a parser.
//!
//! Both views keep every line and column of the original; what does not belong to a view is blank.

/// A Rust file in views.
pub struct RustSource {
    /// Code, with comments and the inside of literals blank.
    code: Vec<char>,
    /// Comments, with everything else blank.
    comments: Vec<char>,
    /// First and last lines of `#[cfg(test)]` items with a body.
    test_modules: Vec<(usize, usize)>,
    /// Names of `#[cfg(test)]` modules in files of their own.
    pub test_files: Vec<String>,
}

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of its `fn`, from 1.
    pub line: usize,
    /// Lines from there to the closing brace, both counted.
    pub lines: usize,
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    LineComment,
    /// Depth of nesting.
    BlockComment(usize),
    /// Whether the next character is escaped.
    Text {
        escaped: bool,
    },
    /// Number of `#` that close it.
    RawText(usize),
    /// Whether the next character is escaped.
    Character {
        escaped: bool,
    },
}

impl RustSource {
    /// Cuts a text.
    pub fn new(text: &str) -> RustSource {
        let (code, comments) = cut(&text.chars().collect::<Vec<_>>());
        let mut source = RustSource { code, comments, test_modules: Vec::new(), test_files: Vec::new() };
        source.find_test_modules();
        source
    }

    /// Lines of code from 1, literals and comments blank.
    pub fn code_lines(&self) -> impl Iterator<Item = (usize, String)> {
        lines(&self.code)
    }

    /// Lines of comments from 1, code blank.
    pub fn comment_lines(&self) -> impl Iterator<Item = (usize, String)> {
        lines(&self.comments)
    }

    /// Whether a line lies in a `#[cfg(test)]` item.
    pub fn in_test_module(&self, line: usize) -> bool {
        self.test_modules.iter().any(|(first, last)| (*first..=*last).contains(&line))
    }

    /// Every function that has a body.
    pub fn functions(&self) -> Vec<Function> {
        self.find("fn").filter_map(|at| self.function(at)).collect()
    }

    /// The text in code from each occurrence of `start` to the bracket that closes the first one
    /// opened at or after it, with its line. `start` is matched as code, not inside a word.
    pub fn bracketed(&self, start: &str) -> Vec<(usize, String)> {
        let found = self.find(start).filter_map(|at| {
            let open = (at..self.code.len()).find(|index| is_open(self.code[*index]))?;
            let end = self.closing(open)?;
            Some((self.line_of(at), self.code[at..=end].iter().collect()))
        });
        found.collect()
    }

    /// Range in characters of the item that begins with `start` and ends at its `;`.
    pub fn item(&self, start: &str) -> Option<(usize, std::ops::Range<usize>)> {
        let at = self.find(start).next()?;
        let mut depth = 0_usize;
        let end = (at..self.code.len()).find(|index| {
            match self.code[*index] {
                open if is_open(open) => depth += 1,
                close if is_close(close) => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && self.code[*index] == ';'
        })?;
        Some((self.line_of(at), at..end))
    }

    /// Where `word` stands in the code, not inside a longer word.
    fn find<'a>(&'a self, word: &'a str) -> impl Iterator<Item = usize> + 'a {
        let needle: Vec<char> = word.chars().collect();
        let inside_word = move |index: Option<usize>| {
            index.and_then(|index| self.code.get(index)).is_some_and(|c| is_word(*c))
        };
        (0..self.code.len()).filter(move |at| {
            self.code[*at..].starts_with(&needle)
                && !(is_word(needle[0]) && inside_word(at.checked_sub(1)))
                && !(needle.last().copied().is_some_and(is_word) && inside_word(Some(at + needle.len())))
        })
    }

    fn function(&self, at: usize) -> Option<Function> {
        let name_start = (at + 2..self.code.len()).find(|index| !self.code[*index].is_whitespace())?;
        let name: String = self.code[name_start..].iter().take_while(|c| is_word(**c)).collect();
        if name.is_empty() {
            return None; // a function type: `fn(u8)`
        }
        let mut depth = 0_usize;
        let open = (name_start..self.code.len()).find(|index| {
            match self.code[*index] {
                '(' | '[' => depth += 1,
                ')' | ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && matches!(self.code[*index], '{' | ';')
        })?;
        if self.code[open] == ';' {
            return None;
        }
        let line = self.line_of(at);
        let lines = self.line_of(self.closing(open)?) - line + 1;
        Some(Function { name, line, lines })
    }

    fn find_test_modules(&mut self) {
        let attributes: Vec<usize> = self.find("#[cfg(test)]").collect();
        for at in attributes {
            let open = (at + 12..self.code.len()).find(|index| matches!(self.code[*index], '{' | ';'));
            let Some(open) = open else { continue };
            if self.code[open] == '{' {
                let Some(end) = self.closing(open) else { continue };
                self.test_modules.push((self.line_of(at), self.line_of(end)));
            } else {
                let declaration: String = self.code[at..open].iter().collect();
                let name = declaration.rsplit_once("mod ").map(|(_, name)| name.trim().to_owned());
                self.test_files.extend(name);
            }
        }
    }

    /// The bracket that closes the one at `open`.
    fn closing(&self, open: usize) -> Option<usize> {
        let mut depth = 0_usize;
        (open..self.code.len()).find(|index| {
            match self.code[*index] {
                c if is_open(c) => depth += 1,
                c if is_close(c) => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })
    }

    fn line_of(&self, at: usize) -> usize {
        self.code[..at].iter().filter(|c| **c == '\n').count() + 1
    }
}

fn lines(view: &[char]) -> impl Iterator<Item = (usize, String)> {
    view.split(|c| *c == '\n').enumerate().map(|(index, line)| (index + 1, line.iter().collect()))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_open(c: char) -> bool {
    matches!(c, '(' | '[' | '{')
}

fn is_close(c: char) -> bool {
    matches!(c, ')' | ']' | '}')
}

/// The two views of a text.
fn cut(text: &[char]) -> (Vec<char>, Vec<char>) {
    let (mut code, mut comments) = (Vec::with_capacity(text.len()), Vec::with_capacity(text.len()));
    let mut place = Place::Code;
    let mut at = 0;
    while at < text.len() {
        let (taken, next) = step(place, text, at);
        let in_comment = |p: Place| matches!(p, Place::LineComment | Place::BlockComment(_));
        let comment = in_comment(place) || in_comment(next);
        // Quotes stay in the code; what is between them goes blank.
        let literal = place != Place::Code && next != Place::Code && !comment;
        for c in &text[at..at + taken] {
            let keep = |wanted: bool| if *c == '\n' || wanted { *c } else { ' ' };
            code.push(keep(!comment && !literal));
            comments.push(keep(comment));
        }
        place = next;
        at += taken;
    }
    (code, comments)
}

/// How many characters belong together at `at`, and where the scanner is after them.
fn step(place: Place, text: &[char], at: usize) -> (usize, Place) {
    let here = text[at];
    let next = text.get(at + 1).copied();
    match place {
        Place::Code => enter(text, at),
        Place::LineComment if here == '\n' => (1, Place::Code),
        Place::BlockComment(depth) => match (here, next) {
            ('/', Some('*')) => (2, Place::BlockComment(depth + 1)),
            ('*', Some('/')) if depth == 1 => (2, Place::Code),
            ('*', Some('/')) => (2, Place::BlockComment(depth - 1)),
            _ => (1, place),
        },
        Place::Text { escaped: false } if here == '"' => (1, Place::Code),
        Place::Text { escaped } => (1, Place::Text { escaped: !escaped && here == '\\' }),
        Place::RawText(hashes) => {
            let closes = here == '"' && text[at + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
            if closes { (1 + hashes, Place::Code) } else { (1, place) }
        }
        Place::Character { escaped: false } if here == '\'' => (1, Place::Code),
        Place::Character { escaped } => (1, Place::Character { escaped: !escaped && here == '\\' }),
        Place::LineComment => (1, place),
    }
}

/// As [`step`], for a place in code.
fn enter(text: &[char], at: usize) -> (usize, Place) {
    let ahead = |offset: usize| text.get(at + offset).copied();
    match (text[at], ahead(1)) {
        ('/', Some('/')) => (2, Place::LineComment),
        ('/', Some('*')) => (2, Place::BlockComment(1)),
        ('"', _) => (1, Place::Text { escaped: false }),
        ('r', Some('"' | '#')) if !prefixed(text, at) => {
            let hashes = text[at + 1..].iter().take_while(|c| **c == '#').count();
            match ahead(1 + hashes) {
                Some('"') => (2 + hashes, Place::RawText(hashes)),
                _ => (1, Place::Code), // a raw identifier
            }
        }
        // A lifetime has no quote after its first character, and no backslash in it.
        ('\'', Some('\\')) => (1, Place::Character { escaped: false }),
        ('\'', Some(_)) if ahead(2) == Some('\'') => (1, Place::Character { escaped: false }),
        _ => (1, Place::Code),
    }
}

/// Whether the `r` at `at` ends a longer word, so that it begins no raw string (`br` and `cr` do).
fn prefixed(text: &[char], at: usize) -> bool {
    let word: Vec<char> = text[..at].iter().rev().take_while(|c| is_word(**c)).copied().collect();
    !matches!(word[..], [] | ['b' | 'c'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        RustSource::new(text).code.iter().collect()
    }

    fn comments(text: &str) -> String {
        RustSource::new(text).comments.iter().collect()
    }

    #[test]
    fn blanks_comments_and_literals() {
        assert_eq!(code("a // b\nc"), "a     \nc");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code(r#"f("a \" // b", 'c')"#), r#"f("         ", ' ')"#);
        assert_eq!(code(r###"r#"a " b"# c"###), r###"r#"     "# c"###);
        assert_eq!(code(r##"br"\" c"##), r##"br" " c"##);
        assert_eq!(code(r#"bar"x" y"#), r#"bar" " y"#);
        assert_eq!(code("'\\'' x"), "'  ' x");
        assert_eq!(code("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
        assert_eq!(code("r#type x"), "r#type x");
    }

    #[test]
    fn keeps_comments() {
        assert_eq!(comments("a // b\nc"), "  // b\n ");
        assert_eq!(comments(r#"f("// no") /* yes */"#), r#"           /* yes */"#);
    }

    #[test]
    fn measures_functions() {
        let source = RustSource::new(
            "trait T {\n fn none(&self) -> [u8; 2];\n}\nfn one() {}\nfn two(x: [u8; 2], f: fn(u8))\nwhere u8: Copy,\n{\n \"}\";\n}\n",
        );
        let function = |name: &str, line, lines| Function { name: name.into(), line, lines };
        assert_eq!(source.functions(), [function("one", 4, 1), function("two", 5, 5)]);
    }

    #[test]
    fn knows_test_modules() {
        let source = RustSource::new("fn a() {}\n#[cfg(test)]\nmod tests {\n fn b() {}\n}\nfn c() {}\n");
        assert_eq!((1..=6).filter(|line| source.in_test_module(*line)).collect::<Vec<_>>(), [2, 3, 4, 5]);
        let source =
            RustSource::new("#[cfg(test)]\nmod a;\n#[cfg(test)]\npub mod b;\nmod c;\n#[cfg(test)]\nuse d;");
        assert_eq!(source.test_files, ["a", "b"]);
    }

    #[test]
    fn finds_bracketed_text() {
        let source = RustSource::new("\n#[allow(\n  dead_code,\n)]\nfn disallow() {}");
        assert_eq!(source.bracketed("allow"), [(2, "allow(\n  dead_code,\n)".to_owned())]);
    }

    #[test]
    fn finds_items() {
        let text = "const A: &[u8; 1] = &[\n 1,\n];\nconst B: u8 = 1;";
        let (line, range) = RustSource::new(text).item("const B").expect("B is there");
        assert_eq!((line, &text[range]), (4, "const B: u8 = 1"));
        assert_eq!(
            RustSource::new(text).item("const A").map(|(line, range)| (line, range.len())),
            Some((1, 28))
        );
    }
}
