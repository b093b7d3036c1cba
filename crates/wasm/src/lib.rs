//! The wasm-bindgen door: what a page, a bundler or Node calls.

use wasm_bindgen::prelude::wasm_bindgen;

/// Runs when the module is loaded: from then on a panic's message and place are printed to the JavaScript console.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// The package's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
