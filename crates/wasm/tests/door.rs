//! The door in a real browser: `wasm-pack test --headless`.
#![cfg(target_arch = "wasm32")]

use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
fn the_version_is_the_package_s() {
    assert_eq!(portcullis_wasm::version(), env!("CARGO_PKG_VERSION"));
}
