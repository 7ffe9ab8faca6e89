"""The documented differences: where Tocsin follows the text of the specification and pySigma does not,
or where both may do what they do. Everything else is a defect of one of them.
"""

import re

# Of matches. The name is a reading the oracle can take on (`oracle.Judge`): a difference is explained
# only if the oracle, with that reading and no other, says what Tocsin says.
READINGS = {
    "number_as_written": "A number of a rule also equals the text the rule writes it as: `0x1F` is 31 and `0x1F`.",
    "whole_numbers_exact": "Whole numbers are equal if all their digits are; pySigma rounds those above 2^53.",
    "cased_to_the_end": "`cased` holds for the whole chain; pySigma loses it when `windash` or an encoding follows.",
    "filter_apart": "A rule's patterns of names do not see a filter's selections; in pySigma `1 of _*` does.",
    "words_of_unicode": r"`\w` is what Unicode TS 18 says, marks and circled letters too; the specification has no `\w`.",
}

# Of loading: name, what Tocsin says, what pySigma says ("" is a rule that loads), why.
LOADING = [
    ("needs_a_field", r"\[no_field\]", "", "What tests a field's value needs a field; pySigma makes a keyword of it."),
    ("no_value", r"\[no_value\]", "", "A field with an empty list tests nothing; pySigma reads it as `null`."),
    ("null_in_list", r"\[(null_in_list|null_value)\]", "", "`null` is a value by itself: not in a list, no keyword."),
    ("never_in_a_date", r"\[date_value\]", "", "No time has this part; a rule that can never match is told."),
    ("netmask", r"`[0-9.]+` is no prefix length", "", "CIDR notation is an address and a prefix length."),
    ("linear_time", r"regular expression (looks around|refers back|repeats possessively|has an atomic)", "", "Not in the specification's part of PCRE, and not in linear time."),
    ("utf16_alone", r"no text that an event could hold", "", "UTF-16 without base64 behind it is no text: it stands only before base64."),
    ("short_offset", r"too short for `base64offset`", "", "A shifted form without letters would be found in every value."),
    ("utf16_of_ascii", "", r"only allowed for (ascii|valid Unicode) strings", "UTF-16 is defined for all text; pySigma encodes what passes as UTF-8."),
    ("spelled_scalar", "", r"incompatible to value type of '([\d.]+|True|False)'", "A number or boolean under a text modifier is the text it is written as."),
    ("cased_fieldref", "", r"CaseSensitiveModifier incompatible .*'SigmaFieldReference", "`cased` means the same for another field's value."),
    ("many_dashes", "", r"windash modifier expands at most three", "All permutations are asked for; pySigma stops at three dashes."),
    ("capital_operators", "", r"found '(AND|OR|NOT)'", "Operators are read in any case, as older rules write them."),
    ("hyphen_in_pattern", "", r"Expected end of text, found '-", "Names may hold hyphens, so patterns of names may."),
    ("repeated_repeat", "", r"multiple repeat", "Repeating a repetition is no error in linear time."),
]


def of_loading(tocsin, oracle):
    """The name of the explanation of a rule that only one of them takes, if there is one."""
    for name, tocsin_says, oracle_says, _ in LOADING:
        if all(re.search(wanted, said) if wanted else not said for wanted, said in [(tocsin_says, tocsin), (oracle_says, oracle)]):
            return name
    return None


def sentences():
    """What each explanation says, by name."""
    return READINGS | {name: why for name, _, _, why in LOADING}
