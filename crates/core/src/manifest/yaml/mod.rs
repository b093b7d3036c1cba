//! YAML as Kubernetes reads and writes it: go-yaml v2, by way of JSON.
//!
//! Behaviour: `gopkg.in/yaml.v2` (YAML 1.1 scalars) under `github.com/ghodss/yaml` (keys become strings).

mod read;
mod scalar;
mod write;

pub(super) use read::{Failure, Read, read, read_below};
pub use write::{to_string, to_string_in_order};

use super::Value;

/// Reads the first document of a text; an empty one is null. Errors read as go-yaml's: `yaml: line 1: did not find ...`.
pub fn parse(text: &str) -> Result<Value, String> {
    match read(&"".into(), 1, text) {
        Ok(read) => Ok(read.value),
        Err(failure) => Err(failure.go_yaml()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Map;

    use super::*;

    /// Values whose strings the two YAML versions read alike.
    fn value() -> impl Strategy<Value = Value> {
        let text = prop_oneof!["[a-zA-Z0-9 :#'\"\\-\\[\\]{},&*!|>%@`./?~=\n\té😀]{0,12}", "[a-z /:*-]{60,120}"];
        let alike = |text: &String| text.is_empty() || (!scalar::needs_quotes(text) && text.parse::<f64>().is_err());
        let plain = text.prop_filter("a number or a word of one YAML version alone", alike);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(Value::from),
            plain.clone().prop_map(Value::String),
        ];
        leaf.prop_recursive(5, 40, 5, move |inner| {
            let member = (plain.clone(), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::Array),
                prop::collection::vec(member, 0..5).prop_map(|members| Value::Object(Map::from_iter(members))),
            ]
        })
    }

    proptest! {
        /// Another reader understands what is written here, and what another writes is read here.
        #[test]
        fn yaml_serde_agrees(value in value()) {
            let ours = to_string(&value);
            prop_assert_eq!(&parse(&ours).unwrap(), &value, "{}", ours);
            prop_assert_eq!(&serde_yaml::from_str::<Value>(&ours).unwrap(), &value, "{}", ours);
            let theirs = serde_yaml::to_string(&value).unwrap();
            prop_assert_eq!(&parse(&theirs).unwrap(), &value, "{}", theirs);
        }

        /// Any text at all: an answer or an error, and places within the text.
        #[test]
        fn no_text_is_too_much(text in "[-a: \n\t\\[\\]{}'\"&*!|>#?,<~.]{0,80}") {
            let (documents, diagnostics) = crate::manifest::parse(&"a".into(), 1, &text);
            let lines = text.split('\n').count() as u32;
            prop_assert!(diagnostics.iter().all(|found| found.line >= 1 && found.line <= lines));
            for document in documents {
                let place = document.origin.place(&[]);
                prop_assert!(place.line >= 1 && place.end_line <= lines, "{}..{}", place.line, place.end_line);
            }
        }
    }
}
