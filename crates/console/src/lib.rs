//! What people type: the shell and its commands, and the Markdown documents that hold them.

pub mod commands;
pub mod report;
pub mod session;
