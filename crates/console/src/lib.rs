//! What people type: the shell and its commands, and the Markdown documents that hold them.

pub mod report;
