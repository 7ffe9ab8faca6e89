//! What is kept: the journal, alerts, keys, checkpoints.
