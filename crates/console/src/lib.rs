//! What people type: the shell and its commands, and the Markdown documents that hold them.

#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod access;
pub mod arguments;
pub mod audit;
mod budget;
mod commands;
mod engine;
mod http;
pub mod inspect;
mod later;
pub mod report;
pub mod secrets;
mod session;
mod shell;
mod transcript;
#[cfg(test)]
#[path = "../../../tests/vectors.rs"]
mod vectors;

pub use commands::Output;
pub use engine::{Engine, Progress, run};
pub use transcript::compare;
