//! The figures of wasm, in Chromium, beside those of its WebCrypto: `cargo xtask bench` runs this and shows what it prints.
#![cfg(target_arch = "wasm32")]

use js_sys::{Date, Function, Promise, Reflect};
use portcullis_bench::{Figure, encryption};
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::JsValue;
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

// It measures for minutes: a page that is held up as long takes its driver for dead.
wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Megabytes a second of WebCrypto: the best of three rounds of at least 100 ms, several values at a time, as a page that
/// has many would ask for them.
const WEBCRYPTO: &str = r#"(async (name, size, decrypt) => {
    const secret = await crypto.subtle.importKey("raw", new Uint8Array(32), name, false, ["encrypt", "decrypt"]);
    const iv = new Uint8Array(name === "AES-GCM" ? 12 : 16);
    const plain = new Uint8Array(size);
    const value = decrypt ? await crypto.subtle.encrypt({ name, iv }, secret, plain) : plain;
    const once = () => crypto.subtle[decrypt ? "decrypt" : "encrypt"]({ name, iv }, secret, value);
    let best = 0;
    for (let round = 0; round < 3; round += 1) {
        const start = performance.now();
        let values = 0;
        for (; performance.now() - start < 100; values += 16) await Promise.all(Array.from({ length: 16 }, once));
        best = Math.max(best, (values * size) / 1000 / (performance.now() - start));
    }
    return best;
})"#;

#[wasm_bindgen_test]
async fn figures() {
    let performance = Reflect::get(&js_sys::global(), &"performance".into()).unwrap_or(JsValue::NULL);
    let now = Reflect::get(&performance, &"now".into()).ok().and_then(|now| now.dyn_into::<Function>().ok());
    let clock = || {
        let now = now.as_ref().and_then(|now| now.call0(&performance).ok()?.as_f64());
        now.unwrap_or_else(Date::now)
    };
    let mut figures = Vec::new();
    portcullis_bench::run(&clock, &mut |figure| {
        console_log!("{figure}");
        figures.push(figure);
    });
    for (provider, cipher) in [("aescbc", "AES-CBC"), ("aesgcm", "AES-GCM")] {
        for (size, decrypt) in encryption::SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
            let name = encryption::name(provider, decrypt, size);
            let Some(theirs) = webcrypto(cipher, size, decrypt).await else { return console_log!("no WebCrypto here") };
            let ours = figures.iter().find(|figure| figure.name == name).map_or(0.0, |figure| figure.value);
            for (what, value, unit) in [("WebCrypto", theirs, "MB/s"), ("ratio to WebCrypto", ours / theirs, "x")] {
                console_log!("{}", Figure { name: format!("{name}, {what}"), value, unit });
            }
        }
    }
}

async fn webcrypto(cipher: &str, size: usize, decrypt: bool) -> Option<f64> {
    let ask = js_sys::eval(WEBCRYPTO).ok()?.dyn_into::<Function>().ok()?;
    let answer = ask.call3(&JsValue::NULL, &cipher.into(), &(size as f64).into(), &decrypt.into()).ok()?;
    JsFuture::from(answer.dyn_into::<Promise>().ok()?).await.ok()?.as_f64()
}
