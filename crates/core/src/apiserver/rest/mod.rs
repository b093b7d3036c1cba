//! The generic registry: what every resource of a release does with create, get, list, update, patch and delete.
//!
//! Behaviour: `apiserver/pkg/endpoints/handlers/rest.go`, `apiserver/pkg/registry/generic/registry/store.go`.

pub mod names;
pub mod patch;
pub mod selector;
