//! YAML as Kubernetes reads and writes it: go-yaml v2, by way of JSON.
//!
//! Behaviour: `gopkg.in/yaml.v2` (YAML 1.1 scalars) under `github.com/ghodss/yaml` (keys become strings).

mod read;
mod scalar;
mod write;

pub(super) use read::{Failure, Read, read};
pub use write::to_string;

use super::Value;

/// Reads the first document of a text; an empty one is null. Errors read as go-yaml's: `yaml: line 1: did not find ...`.
pub fn parse(text: &str) -> Result<Value, String> {
    match read(&"".into(), 1, text) {
        Ok(read) => Ok(read.value),
        Err(failure) => Err(failure.go_yaml()),
    }
}
