//! Nothing grows too long: all ugliness is in the tail. There is no list of exceptions.

use super::Finding;
use crate::tree::Tree;

/// Lines of a Rust file. Above it, it holds two rooms.
const FILE_LINES_MAX: usize = 500;

/// Lines of a function. Above it, it does two things.
const FUNCTION_LINES_MAX: usize = 70;

/// No Rust file is longer than [`FILE_LINES_MAX`].
pub fn files(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, _) in tree.rust() {
        let lines = file.text.lines().count();
        if lines > FILE_LINES_MAX {
            let what = format!("{lines} lines, at most {FILE_LINES_MAX}: split the file");
            found.push(Finding::new(&file.path, lines, what));
        }
    }
}

/// No function is longer than [`FUNCTION_LINES_MAX`].
pub fn functions(tree: &Tree, found: &mut Vec<Finding>) {
    for (file, source) in tree.rust() {
        for function in source.functions().iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            let what = format!(
                "`{}` has {} lines, at most {FUNCTION_LINES_MAX}: split it",
                function.name, function.lines
            );
            found.push(Finding::new(&file.path, function.line, what));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn long_files_are_found() {
        let (long, fine) = ("\n".repeat(FILE_LINES_MAX + 1), "\n".repeat(FILE_LINES_MAX));
        assert_eq!(places(files, &[("a.rs", &long), ("b.rs", &fine), ("c.md", &long)]), ["a.rs:501"]);
    }

    #[test]
    fn long_functions_are_found() {
        let function = |lines: usize| format!("\nfn f() {{{}}}\n", "\n".repeat(lines - 1));
        let (long, fine) = (function(FUNCTION_LINES_MAX + 1), function(FUNCTION_LINES_MAX));
        assert_eq!(places(functions, &[("a.rs", &long), ("b.rs", &fine)]), ["a.rs:2"]);
    }
}
