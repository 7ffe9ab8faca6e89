//! An explanation for people: a tree with a mark and the values seen at each condition.

use std::io::{self, IsTerminal, Write};

use tocsin_core::value::Value;
use tocsin_sigma::explain::{Fed, Node, Seen, What, requirement, role};
use tocsin_sigma::ruleset::{Rule, RuleSet};

use crate::output::sanitise;

/// Characters of a value shown; the rest becomes `…`.
const VALUE_CHARS_MAX: usize = 200;

/// Tests shown of an item that has many.
const SHOWN_TESTS_MAX: usize = 20;

/// Values shown of a field that has many.
const SHOWN_VALUES_MAX: usize = 10;

/// Whether marks have colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// As a terminal shows them.
    On,
    /// None.
    Off,
}

impl Colours {
    /// On for a terminal, unless the user wants none (<https://no-color.org>).
    #[must_use]
    pub fn for_stdout() -> Colours {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        if io::stdout().is_terminal() && !unwanted { Colours::On } else { Colours::Off }
    }
}

/// Writes explanations to an output.
pub struct TreeWriter<W> {
    out: W,
    colours: Colours,
}

impl<W: Write> TreeWriter<W> {
    /// A writer.
    #[must_use]
    pub fn new(out: W, colours: Colours) -> TreeWriter<W> {
        TreeWriter { out, colours }
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// What the output says.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// Writes a stateless rule's tree.
    ///
    /// # Errors
    /// What the output says.
    pub fn stateless(&mut self, rule: &Rule, tree: &Node<'_>) -> io::Result<()> {
        let verdict = if tree.holds { "matches" } else { "does not match" };
        self.head(tree.holds, verdict, rule)?;
        tree.children.iter().try_for_each(|child| self.node(child, 1))
    }

    /// Writes what an event means for a correlation; `matched` tells which rules match it.
    ///
    /// # Errors
    /// What the output says.
    pub fn correlation(
        &mut self,
        rules: &RuleSet,
        rule: &Rule,
        feeds: &[Fed<'_>],
        matched: &[bool],
    ) -> io::Result<()> {
        let takes_part = feeds.iter().any(|fed| takes_part(fed, matched));
        let verdict = if takes_part { "takes part in" } else { "takes no part in" };
        self.head(takes_part, verdict, rule)?;
        for fed in feeds {
            let base = &rules.rules[fed.rule.index()];
            let holds = matched[fed.rule.index()];
            let name = base.meta.name.as_deref().unwrap_or(&base.meta.id);
            let verdict = match (base.stateful.is_some(), holds) {
                (false, true) => "matches",
                (false, false) => "does not match",
                (true, true) => "takes the event into account",
                (true, false) => "has nothing to do with the event",
            };
            let part = rule.stateful.as_ref().map(|(spec, _)| role(spec, fed.role)).unwrap_or_default();
            self.line(1, holds, &format!("{name} {verdict} ({part})"), "")?;
            for (field, value) in fed.key.iter().filter(|_| holds) {
                let text = match value {
                    Some(value) => format!("group key: {field} is {}", shown(value)),
                    None => format!("group key: {field} is absent, so the event is not counted"),
                };
                self.line(2, value.is_some(), &text, "")?;
            }
            for (field, value) in fed.value.iter().filter(|_| holds) {
                let text = match value {
                    Some(value) => format!("value: {field} is {}", shown(value)),
                    None => format!("value: {field} is absent, so the event is not counted"),
                };
                self.line(2, value.is_some(), &text, "")?;
            }
        }
        let Some((spec, _)) = &rule.stateful else { return Ok(()) };
        let needed = requirement(spec, &rule.meta.key_fields);
        writeln!(self.out, "  · the rest is state: {}", sanitise::text(&needed))
    }

    fn head(&mut self, holds: bool, verdict: &str, rule: &Rule) -> io::Result<()> {
        let (meta, head) = (&rule.meta, &rule.document.head);
        let name = meta.name.as_deref().map(|name| format!(" ({name})")).unwrap_or_default();
        let place = format!("{}:{}", head.file.display(), head.place.line);
        self.line(0, holds, &format!("{verdict}: {}{name}", meta.title), &place)
    }

    /// Writes a node and what is below it. A list of one part is that part.
    fn node(&mut self, node: &Node<'_>, depth: usize) -> io::Result<()> {
        if let (What::All | What::Any, [only]) = (&node.what, node.children.as_slice()) {
            return self.node(only, depth);
        }
        if let What::Item(seen) = &node.what {
            return self.item(node, seen, depth);
        }
        let (children, list) = parts(node);
        let label = format!("{}{list}", label(&node.what));
        self.line(depth, node.holds, &label, "")?;
        children.iter().try_for_each(|child| self.node(child, depth + 1))
    }

    fn item(&mut self, node: &Node<'_>, seen: &Seen<'_>, depth: usize) -> io::Result<()> {
        let subject = seen.field.as_deref().unwrap_or("the record");
        let values = if seen.field.is_some() { values(&seen.values) } else { String::new() };
        let place = if seen.place.line > 0 { format!("line {}", seen.place.line) } else { String::new() };
        if let [only] = node.children.as_slice() {
            return self.line(depth, node.holds, &format!("{subject} {}{values}", label(&only.what)), &place);
        }
        let list = if seen.all { "all of" } else { "any of" };
        let text = format!("{subject}, {list} {}{values}", node.children.len());
        self.line(depth, node.holds, &text, &place)?;
        // Of many values those that decide come first.
        let many = node.children.len() > SHOWN_TESTS_MAX;
        let (deciding, others): (Vec<_>, Vec<_>) =
            node.children.iter().partition(|child| !many || child.holds != seen.all);
        for child in deciding.into_iter().chain(others).take(SHOWN_TESTS_MAX) {
            self.line(depth + 1, child.holds, &label(&child.what), "")?;
        }
        match node.children.len().saturating_sub(SHOWN_TESTS_MAX) {
            0 => Ok(()),
            rest => writeln!(self.out, "{:1$}… {rest} more", "", (depth + 1) * 2),
        }
    }

    /// Writes one line: mark, text, and where it stands in the rule.
    fn line(&mut self, depth: usize, holds: bool, text: &str, place: &str) -> io::Result<()> {
        let (mark, colour) = if holds { ("✓", "32") } else { ("✗", "31") };
        let text = sanitise::text(text);
        let place = sanitise::text(place);
        let indent = depth * 2;
        let gap = if place.is_empty() { "" } else { "  " };
        match self.colours {
            Colours::Off => writeln!(self.out, "{:indent$}{mark} {text}{gap}{place}", ""),
            Colours::On => {
                writeln!(
                    self.out,
                    "{:indent$}\x1b[{colour}m{mark}\x1b[0m {text}{gap}\x1b[2m{place}\x1b[0m",
                    ""
                )
            }
        }
    }
}

/// Whether an event is counted: the rule matches, and the group key and the values are whole.
#[must_use]
pub fn takes_part(fed: &Fed<'_>, matched: &[bool]) -> bool {
    matched[fed.rule.index()] && fed.key.iter().chain(&fed.value).all(|(_, value)| value.is_some())
}

/// The parts of a node, a list right below it looked through, and what to say of that list.
fn parts<'n, 'v>(node: &'n Node<'v>) -> (&'n [Node<'v>], &'static str) {
    let [list] = node.children.as_slice() else { return (&node.children, "") };
    match (&list.what, list.children.len()) {
        (What::All, 0) => (&[], ", which asks for nothing"),
        (What::Any, 0) => (&[], ", which nothing can meet"),
        (What::All, count) if count > 1 => (&list.children, ", all of:"),
        (What::Any, count) if count > 1 => (&list.children, ", any of:"),
        _ => (&node.children, ""),
    }
}

fn label(what: &What<'_>) -> String {
    match what {
        What::Rule => "rule".to_string(),
        What::LogSource(source) => format!("log source: {source}"),
        What::Unmapped(reason) => reason.clone(),
        What::Condition => "condition".to_string(),
        What::All => "all of:".to_string(),
        What::Any => "any of:".to_string(),
        What::Not => "not".to_string(),
        What::Selection(name) => name.to_string(),
        What::Item(seen) => seen.field.clone().unwrap_or_default(),
        What::Test(words) => shortened(words),
    }
}

/// What the event has for a field.
fn values(values: &[Value<'_>]) -> String {
    if values.is_empty() {
        return ": absent".to_string();
    }
    let told: Vec<String> = values.iter().take(SHOWN_VALUES_MAX).map(shown).collect();
    let more = if values.len() > SHOWN_VALUES_MAX {
        format!(", … {} more", values.len() - SHOWN_VALUES_MAX)
    } else {
        String::new()
    };
    format!(": seen {}{more}", told.join(", "))
}

fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Null => "null".to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Number(text) | Value::Object(text) => shortened(text),
        Value::Text(text) => format!("\"{}\"", shortened(text)),
        Value::EmptyList => "[]".to_string(),
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}
