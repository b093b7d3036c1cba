//! The figures of wasm, in Node: `cargo xtask bench` runs this and shows what it prints.
#![cfg(target_arch = "wasm32")]

use js_sys::{Date, Function, Reflect};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::JsValue;
use wasm_bindgen_test::{console_log, wasm_bindgen_test};

#[wasm_bindgen_test]
fn figures() {
    let performance = Reflect::get(&js_sys::global(), &"performance".into()).unwrap_or(JsValue::NULL);
    let now = Reflect::get(&performance, &"now".into()).ok().and_then(|now| now.dyn_into::<Function>().ok());
    let clock = || {
        let now = now.as_ref().and_then(|now| now.call0(&performance).ok()?.as_f64());
        now.unwrap_or_else(Date::now)
    };
    portcullis_bench::run(&clock, &mut |figure| console_log!("{figure}"));
}
