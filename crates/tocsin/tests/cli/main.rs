//! The commands from outside: the built binary, files in a folder of their own, what is written
//! and the exit status. One binary for all of them.

mod check;
mod demo;
mod explain;
mod keys;
mod recordings;
mod recordings_cloud;
mod recordings_windows;
mod rule_folders;
mod rule_language;
mod scan;
mod scan_bad_input;
mod scan_clouds;
mod scan_forms;
mod scan_inputs;
mod scan_support;
mod server_after_kill;
mod server_alerts;
mod server_bad_input;
mod server_config;
mod server_contract_access;
mod server_contract_alerts;
mod server_contract_events;
mod server_contract_logs;
mod server_contract_stream;
mod server_contract_support;
mod server_crash;
mod server_disk;
mod server_load;
mod server_resume;
mod server_scan;
mod server_support;
mod server_trace;
mod support;
mod test_command;
mod verify;
