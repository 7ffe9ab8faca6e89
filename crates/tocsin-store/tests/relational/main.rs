//! The relational store from outside: what is committed, listed, granted, and what a failure leaves.
//! One binary for all of them.

mod access;
mod checkpoints;
mod commit;
mod listing;
mod opening;
mod rule_sets;
mod support;
