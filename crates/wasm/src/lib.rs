//! The wasm-bindgen door: what a page, a bundler or Node calls.
//!
//! It only translates. What is wrong with a document is in its report; nothing is thrown for it.

use std::cell::{Cell, RefCell};

use js_sys::{JsString, Uint8Array};
use portcullis_console::{Engine, Progress, access};
use serde::Serialize;
use serde_wasm_bindgen::Serializer;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(typescript_custom_section)]
const REPORT: &str = include_str!("report.d.ts");

/// Takes less code and time than the standard library's own allocator.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

/// Runs when the module is loaded: from then on a panic's message and place are printed to the JavaScript console.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(console_error_panic_hook::hook));
}

#[wasm_bindgen]
extern "C" {
    /// The platform's own, which takes long texts over several times faster than letter by letter.
    type TextEncoder;

    #[wasm_bindgen(constructor)]
    fn new() -> TextEncoder;

    #[wasm_bindgen(method)]
    fn encode(this: &TextEncoder, text: &JsString) -> Uint8Array;

    #[wasm_bindgen(js_namespace = performance)]
    fn now() -> f64;
}

/// Bytes that a command may be given where time is short: nobody can end it once it runs.
const ORDINARY: usize = 1 << 18;

thread_local! {
    /// What was made for one document serves the next, which most often differs by a letter.
    static ENGINE: RefCell<Engine> = RefCell::default();
}

/// Maps become plain objects and what is missing `null`, as in the JSON of `portcullis run`.
fn to_js(value: &impl Serialize) -> Result<JsValue, js_sys::Error> {
    value.serialize(&Serializer::json_compatible()).map_err(|error| js_sys::Error::new(&error.to_string()))
}

/// Runs the Markdown `document`, which its report calls `name`.
///
/// # Errors
///
/// None that a document can cause: only the JavaScript engine's own, where it cannot make the objects of the report.
#[wasm_bindgen(unchecked_return_type = "Report & { graph: Graph; etcd: Stored[] }")]
pub fn evaluate(name: &str, document: &str) -> Result<JsValue, js_sys::Error> {
    to_js(&ENGINE.with_borrow_mut(|engine| engine.report(name, document, None)))
}

/// Bytes of `crypto.getRandomValues`, from which documents with `seed: random` draw their keys' IVs, names and UIDs; without
/// them such a document gives the same each time.
#[wasm_bindgen]
pub fn entropy(bytes: &[u8]) {
    ENGINE.with_borrow_mut(|engine| engine.set_entropy(bytes));
}

/// As [`evaluate`], without the graph and what etcd holds, which are large where the cluster is: [`graph`] and [`etcd`] give them.
/// Where `until` is given, a time of `performance.now()`, no command begins after it or is given more than a text of ordinary
/// size, and a document that would need that has no report.
///
/// # Errors
///
/// As for [`evaluate`].
#[wasm_bindgen(unchecked_return_type = "Report | undefined")]
pub fn answer(name: &str, document: &JsString, until: Option<f64>) -> Result<JsValue, js_sys::Error> {
    let document = String::from_utf8(TextEncoder::new().encode(document).to_vec()).unwrap_or_default();
    let go_on = |bytes: usize| until.is_none_or(|until| bytes <= ORDINARY && now() <= until);
    match ENGINE.with_borrow_mut(|engine| engine.run_while(name, &document, None, &go_on)) {
        Some(report) => to_js(&report),
        None => Ok(JsValue::UNDEFINED),
    }
}

/// Lets `watch` be called again and again while a document is run: `watch(what, done, total)`, where `what` is `"read"` for the
/// bytes of its manifests and then `"load"` for their objects.
#[wasm_bindgen]
pub fn watch(watch: js_sys::Function) {
    let told = Cell::new(0);
    let tell = move |Progress { what, done, total }: Progress| {
        // A call out of wasm costs more than an object.
        told.set((told.get() + 1) % 64);
        if told.get() == 0 {
            let _ = watch.call3(&JsValue::NULL, &what.into(), &(done as f64).into(), &(total as f64).into());
        }
    };
    ENGINE.with_borrow_mut(|engine| engine.watch(tell));
}

/// The graph at the end of the document that was run last.
///
/// # Errors
///
/// As for [`evaluate`].
#[wasm_bindgen(unchecked_return_type = "Graph")]
pub fn graph() -> Result<JsValue, js_sys::Error> {
    to_js(&ENGINE.with_borrow(Engine::graph))
}

/// What etcd holds at the end of the document that was run last.
///
/// # Errors
///
/// As for [`evaluate`].
#[wasm_bindgen(unchecked_return_type = "Stored[]")]
pub fn etcd() -> Result<JsValue, js_sys::Error> {
    to_js(&ENGINE.with_borrow(Engine::etcd))
}

/// Who may do what at the end of the Markdown `document`, by RBAC: who may do something with `resource`, or what `subject` may
/// do where `resource` is empty. `namespace` is empty for the whole cluster.
///
/// # Errors
///
/// As for [`evaluate`].
#[wasm_bindgen(unchecked_return_type = "Access")]
pub fn access(
    name: &str,
    document: &str,
    namespace: &str,
    subject: &str,
    resource: &str,
) -> Result<JsValue, js_sys::Error> {
    let find = |engine: &mut Engine| access::access(engine, (name, document), namespace, subject, resource);
    to_js(&ENGINE.with_borrow_mut(find))
}

/// What in the Markdown `document` is secret, each with its line: `data.password of Secret/default/mysecret (line 7)`.
#[wasm_bindgen]
#[must_use]
pub fn secrets(document: &str) -> Vec<String> {
    let found = portcullis_console::secrets::find(document);
    found.into_iter().map(|secret| format!("{} (line {})", secret.what, secret.line)).collect()
}

/// The `document` with its secrets made unusable, in the same form.
#[wasm_bindgen]
#[must_use]
pub fn redact(document: &str) -> String {
    portcullis_console::secrets::redact(document)
}

/// Opens one stored value: bytes, base64 or a hex dump as `etcdctl get` piped through `hexdump -C` or `xxd` prints them, with
/// the EncryptionConfig and the etcd key where they are known (`""` where not). Nothing leaves the page.
///
/// # Errors
///
/// A sentence for the user: the dump or the configuration cannot be read. What is wrong with the value is in the answer.
#[wasm_bindgen(unchecked_return_type = "Inspection")]
pub fn inspect(config: &str, key: &str, dump: &[u8]) -> Result<JsValue, js_sys::Error> {
    let given = |text| Some(text).filter(|text: &&str| !text.trim().is_empty());
    let release = portcullis_core::release::Release::newest();
    let failed = |message: String| js_sys::Error::new(&message);
    let inspection = portcullis_console::inspect::inspect(release, given(config), given(key), dump).map_err(failed)?;
    let report = portcullis_console::report::Inspection::from(&inspection);
    to_js(&report)
}

/// What the audit `policy`, whose text begins on `line`, says of each of `requests`: a line each, as `portcullis audit` reads them, or a
/// `kubectl` or `curl` that is sent to a copy of the cluster that the last document left.
///
/// # Errors
///
/// The API server's own text where it refuses the policy.
#[wasm_bindgen(unchecked_return_type = "Asked[]")]
pub fn audit(policy: &str, line: u32, requests: &str) -> Result<JsValue, js_sys::Error> {
    let failed = |message: String| js_sys::Error::new(&message);
    let answers = ENGINE.with_borrow(|engine| engine.audit(policy, line, requests)).map_err(failed)?;
    answers.serialize(&Serializer::json_compatible()).map_err(|error| failed(error.to_string()))
}

/// The package's version.
#[wasm_bindgen]
#[must_use]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}
