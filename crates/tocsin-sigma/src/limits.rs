//! Every bound of rule parsing, in one place. A name ends in its unit and `MAX`.

/// Bytes of one rule file. A longer one is refused before it is read as YAML.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// Diagnostics told of one file that has errors. Of more only the number is told.
pub const FILE_DIAGNOSTICS_MAX: usize = 20;

/// Nesting of lists and mappings of one style in a rule file. A deeper document does not load.
pub const YAML_DEPTH_MAX: usize = 64;

/// Values, lists, mappings and keys of one document of a rule file. A rule with more does not load: long
/// lists belong into placeholders.
pub const YAML_NODES_MAX: usize = 16_384;

/// The same of a file of placeholders or log sources. One with more is not read.
pub const LOCAL_NODES_MAX: usize = 262_144;

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

/// Rules one `temporal` correlation refers to. Above it the correlation does not load: what was seen
/// is kept as the bits of one word.
pub const SEQUENCE_RULES_MAX: usize = 64;

/// Correlations that stand one upon the other. A longer chain does not load: a detection is handed
/// on from each to the next.
pub const CHAIN_DEPTH_MAX: usize = 16;

/// Values of one placeholder. A file with more does not give it.
pub const PLACEHOLDER_VALUES_MAX: usize = 100_000;

/// Values one value of a rule may become when its placeholders are replaced. A rule above it does
/// not load: several placeholders in one value multiply.
pub const EXPANDED_VALUES_MAX: usize = 100_000;

/// Log sources a house may map itself. A file with more maps none.
pub const OWN_SOURCES_MAX: usize = 1_024;

/// Examples a rule may carry. More than that are left out, with a warning.
pub const EXEMPLARS_MAX: usize = 256;

/// Values tested by filters in all the rules they are added to. A rule that would go beyond it does
/// not load: a filter for any rule with a long list would fill the memory.
pub const FILTERED_TESTS_MAX: usize = 4_000_000;

/// Documents of one file. A file with more is not read: it is something else.
pub const FILE_DOCUMENTS_MAX: usize = 4_096;

/// Diagnostics kept of one document and of one file while it is read. Of more only the number is
/// told: each takes more memory than the few bytes that cause it.
pub const FINDINGS_MAX: usize = 1_000;

/// Characters of a diagnostic's reason or hint. What a longer one quotes is cut short.
pub const MESSAGE_CHARS_MAX: usize = 500;

/// Characters of a condition. A longer one does not load.
pub const CONDITION_CHARS_MAX: usize = 65_536;

/// Bytes of the values of a condition once its search identifiers are put in place. A rule above it
/// does not load: a long value named again and again would fill the memory.
pub const CONDITION_BYTES_MAX: usize = 8 << 20;

/// Characters compared while a condition's patterns are held against the names of search
/// identifiers. A rule above it does not load.
pub const CONDITION_STEPS_MAX: usize = 20_000_000;

/// Characters of the name of a search identifier. A longer one does not load.
pub const IDENTIFIER_CHARS_MAX: usize = 256;

/// Modifiers behind one field. A key with more does not load.
pub const MODIFIERS_MAX: usize = 16;

/// Bytes of one regular expression, its placeholders replaced. A longer one does not load: parsing
/// takes some hundred times its length.
pub const REGEX_TEXT_BYTES_MAX: usize = 32 << 10;

/// Bytes that all expressions of one rule may take once compiled. A rule above it does not load.
pub const REGEX_RULE_BYTES_MAX: usize = 12 << 20;

/// Bytes of all the values one value of a rule may become when its placeholders are replaced.
pub const EXPANDED_BYTES_MAX: usize = 8 << 20;

/// Rules a correlation names in one list. One with more does not load.
pub const CORRELATION_RULES_MAX: usize = 4_096;

/// Fields a correlation groups by or counts, and aliases it has. One with more does not load.
pub const CORRELATION_FIELDS_MAX: usize = 64;

/// Aliases of YAML told of in one document. At the last the document is given up.
pub const YAML_ALIASES_MAX: usize = 20;

/// Wildcards of one value. A value with more does not load: each takes thirty times its one byte.
pub const WILDCARDS_MAX: usize = 4_096;

/// Bytes of a value that lints look at. Longer ones are not looked at.
pub const LINT_VALUE_BYTES_MAX: usize = 16 << 10;

/// Rules told of that a filter names and does not apply to. Of more only the number is told.
pub const FILTER_FINDINGS_MAX: usize = 16;

/// Dashes of `windash` in a value that is encoded after it. Each makes five forms of every form
/// there is; a rule with more does not load.
pub const ENCODED_DASHES_MAX: usize = 3;

/// Requirements of one conjunction that are held against each other to find conditions that cannot
/// hold. Of more the rest is taken to fit.
pub const LINT_CLAUSES_MAX: usize = 128;

/// Pairs of values compared to find out whether one rule's condition can hold. Above it the rest is
/// taken to fit.
pub const LINT_STEPS_MAX: usize = 200_000;
