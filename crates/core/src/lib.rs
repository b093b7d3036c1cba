//! The Kubernetes API server's security layer: one request goes in, one [`apiserver::Exchange`] comes out.
//!
//! Pure: no I/O, no clock, no randomness of its own. Which room knows which, ARCHITECTURE.md says.

#![cfg_attr(not(test), deny(clippy::disallowed_types, clippy::disallowed_methods, clippy::disallowed_macros))]

pub mod admission;
pub mod apiserver;
pub mod audit;
pub mod authentication;
pub mod authorization;
pub mod encryption;
pub mod graph;
pub mod manifest;
pub mod release;
pub mod request;
pub mod sort;
pub mod status;
pub mod storage;
#[cfg(test)]
#[path = "../../../tests/vectors.rs"]
mod vectors;
pub mod world;
