//! A panic in a real browser. It ends the module that it happens in: it has this one for itself.
#![cfg(target_arch = "wasm32")]

use js_sys::{Array, Function, Reflect};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::{Closure, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// A module that is made for JavaScript is no crate that another could use.
#[path = "../src/lib.rs"]
mod door;

#[wasm_bindgen_test]
fn a_panic_is_printed_to_the_console() {
    // The test runner has put its own hook in the place of ours.
    door::start();
    let seen = Array::new();
    let write = Function::new_with_args("text", "this.push(text)").bind(&seen);
    let console = Reflect::get(&js_sys::global(), &"console".into()).unwrap();
    let error = Reflect::get(&console, &"error".into()).unwrap();
    Reflect::set(&console, &"error".into(), &write).unwrap();
    let panics = Closure::<dyn Fn()>::new(|| panic!("the portcullis falls"));
    let caught = Function::new_with_args("panics", "try { panics() } catch (error) { return error.name }")
        .call1(&JsValue::NULL, panics.as_ref().unchecked_ref());
    Reflect::set(&console, &"error".into(), &error).unwrap();
    assert_eq!(caught.unwrap().as_string().as_deref(), Some("RuntimeError"));
    let seen = String::from(seen.join(" "));
    assert!(seen.contains("the portcullis falls") && seen.contains("tests/panic.rs"), "{seen}");
    // Its borrow was never given back.
    std::mem::forget(panics);
}
