"""Tocsin beside other engines: the same files, the same rules, in turn. Rows in `rows_*.py`, one function each."""
