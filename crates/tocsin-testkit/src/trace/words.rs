//! Words of an `expect` line: bare, quoted, or `name=value`.

/// Takes the next word of a line: characters up to white space, of which any part may stand in
/// double quotes (with `\"` and `\\`). Returns the word and the rest, or `None` at the end.
///
/// # Errors
/// A sentence when a quote is not closed.
pub fn next_word(line: &str) -> Result<Option<(String, &str)>, String> {
    let line = line.trim_start();
    if line.is_empty() {
        return Ok(None);
    }
    let mut word = String::new();
    let mut quoted = false;
    let mut characters = line.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' if quoted => word.extend(characters.next().map(|(_, escaped)| escaped)),
            blank if blank.is_whitespace() && !quoted => return Ok(Some((word, &line[at..]))),
            other => word.push(other),
        }
    }
    if quoted {
        return Err("a quote is not closed".to_string());
    }
    Ok(Some((word, "")))
}

/// All words of a line.
///
/// # Errors
/// As [`next_word`].
pub fn words(line: &str) -> Result<Vec<String>, String> {
    let mut list = Vec::new();
    let mut rest = line;
    while let Some((word, tail)) = next_word(rest)? {
        list.push(word);
        rest = tail;
    }
    Ok(list)
}
