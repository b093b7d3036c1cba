//! What people type: the shell and its commands, and the Markdown documents that hold them.

#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod access;
pub mod arguments;
pub mod audit;
mod budget;
pub mod commands;
mod engine;
mod http;
pub mod inspect;
mod later;
pub mod report;
pub mod secrets;
pub mod session;
mod shell;
pub mod transcript;
#[cfg(test)]
#[path = "../../../tests/vectors.rs"]
mod vectors;

pub use engine::{Engine, Progress, run};
