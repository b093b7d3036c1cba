//! Where the answers recorded from a real Kubernetes lie. A module of every crate that replays some of them.

use std::path::{Path, PathBuf};

/// A file or folder of the recorded answers: of all of them where they lie beside the checkout, else of the selection in
/// `tests/vectors`, whose README tells what they are.
pub fn vectors(path: &str) -> PathBuf {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let all = checkout.join("../shared/vectors/1.7");
    if all.exists() {
        return all.join(path);
    }
    println!("skipped: all but the selection of {path} in tests/vectors");
    checkout.join("tests/vectors/1.7").join(path)
}
