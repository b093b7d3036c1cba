//! The wasm-bindgen door.
