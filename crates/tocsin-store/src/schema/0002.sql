-- Which rule set became active where: `rules` is the id of a file in the folder `rules`.
CREATE TABLE activations (
    position INTEGER PRIMARY KEY,
    rules BLOB NOT NULL
) STRICT;
