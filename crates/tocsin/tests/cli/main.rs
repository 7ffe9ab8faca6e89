//! The commands from outside: the built binary, files in a folder of their own, what is written
//! and the exit status. One binary for all of them.

mod check;
mod explain;
mod support;
mod test_command;
