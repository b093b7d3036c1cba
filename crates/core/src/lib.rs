//! The Kubernetes API server's security layer: one request goes in, one [`apiserver::Exchange`] comes out.
//!
//! Pure: no I/O, no clock, no randomness of its own. A room knows the rooms above it in this list and none below.

pub mod manifest;
pub mod release;
pub mod request;
pub mod authentication;
pub mod graph;
pub mod authorization;
pub mod admission;
pub mod encryption;
pub mod storage;
pub mod audit;
pub mod apiserver;
