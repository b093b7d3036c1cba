//! The door in a real browser: `wasm-pack test --headless`.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, JSON, Reflect};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::JsValue;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

use door::{answer, evaluate, version};

wasm_bindgen_test_configure!(run_in_browser);

/// A module that is made for JavaScript is no crate that another could use.
#[path = "../src/lib.rs"]
mod door;

fn get(value: &JsValue, path: &[&str]) -> JsValue {
    path.iter().fold(value.clone(), |value, key| Reflect::get(&value, &(*key).into()).unwrap())
}

#[wasm_bindgen_test]
fn a_report_is_plain_data_as_the_program_prints_it() {
    let document = "---\ntitle: T\n---\n```yaml title=\"é\"\na: 1\n```\n```console\n$ echo 😀\n😀\n```\n";
    let report = evaluate("d.md", document).unwrap();
    let printed: serde_json::Value = serde_json::to_value(portcullis_console::run("d.md", document, None)).unwrap();
    let crossed = JSON::stringify(&report).unwrap();
    let crossed: serde_json::Value = serde_json::from_str(&String::from(crossed)).unwrap();
    assert_eq!(crossed, printed);
    assert_eq!(get(&report, &["title"]).as_string().unwrap(), "T");
    let steps: Array = get(&report, &["steps"]).unchecked_into();
    assert_eq!(get(&steps.get(0), &["output"]).as_string().unwrap(), "😀\n");
}

#[wasm_bindgen_test]
fn a_bad_document_is_a_report_too() {
    let report = evaluate("d.md", "```yaml\na: [\n```\n```console\n$ curl 'open\n```\n").unwrap();
    let diagnostics: Array = get(&report, &["diagnostics"]).unchecked_into();
    assert!(diagnostics.length() >= 2, "{}", String::from(JSON::stringify(&diagnostics).unwrap()));
}

#[wasm_bindgen_test]
fn where_time_is_short_no_command_begins_late_or_is_given_much() {
    let much = "A=0123456789abcdef\nA=$A$A$A$A$A$A$A$A\nA=$A$A$A$A$A$A$A$A\nA=$A$A$A$A$A$A$A$A\nA=$A$A$A$A$A$A$A$A\nA=$A$A$A$A$A$A$A$A\n";
    for (steps, until, answered) in [
        ("echo a\n", None, true),
        ("echo a\n", Some(f64::INFINITY), true),
        ("echo a\n", Some(0.0), false),
        (much, None, true),
        (much, Some(f64::INFINITY), false),
    ] {
        let report = answer("d.md", &format!("```sh\n{steps}```\n").into(), until).unwrap();
        assert_eq!(!report.is_undefined(), answered, "{steps} {until:?}");
    }
}

#[wasm_bindgen_test]
fn the_version_is_the_package_s() {
    assert_eq!(version(), env!("CARGO_PKG_VERSION"));
}
