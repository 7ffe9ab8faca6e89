//! Every bound of rule parsing, in one place. A name ends in its unit and `MAX`.

/// Bytes of one rule file. A longer one is refused before it is read as YAML.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Diagnostics told of one file that has errors. Of more only the number is told.
pub const FILE_DIAGNOSTICS_MAX: usize = 20;

/// Nesting of lists and mappings of one style in a rule file. A deeper document does not load.
pub const YAML_DEPTH_MAX: usize = 64;

/// Nesting of a condition (parentheses, `not`) and of a search identifier's lists. A deeper one
/// does not load: evaluation and compilation recurse.
pub const CONDITION_DEPTH_MAX: usize = 64;

/// Nodes of a condition once its search identifiers are put in place. A rule above it does not
/// load.
pub const CONDITION_NODES_MAX: usize = 10_000;

/// Values tested by a condition once its search identifiers are put in place. A rule above it does
/// not load: a long list named again and again would fill the memory.
pub const CONDITION_TESTS_MAX: usize = 200_000;

/// Characters of `title`, `name` and `taxonomy`.
pub const NAME_CHARS_MAX: usize = 256;

/// Characters of `description`.
pub const DESCRIPTION_CHARS_MAX: usize = 65_535;

/// Search identifiers of one detection. A rule above it does not load: every pattern of a condition
/// is held against every name.
pub const SELECTIONS_MAX: usize = 1_024;

/// Dashes of `windash` in a value that is encoded after it. Each makes five forms of every form
/// there is; a rule with more does not load.
pub const ENCODED_DASHES_MAX: usize = 3;
