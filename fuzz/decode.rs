//! Bytes that somebody finds in etcd, or pastes: no input panics or hangs the readers, and what one of them understands
//! it understands again after it was written. `cargo xtask fuzz [SECONDS]` runs it, from the values in `corpus`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use portcullis_console::inspect::inspect;
use portcullis_core::release::Release;
use portcullis_core::storage::codec;

/// All providers, so that the prefixes that the fuzzer finds lead somewhere.
const CONFIG: &str = "{kind: EncryptionConfig, resources: [{resources: [secrets, configmaps], providers: [\
    {aescbc: {keys: [{name: k, secret: AAECAwQFBgcICQoLDA0ODw==}]}}, {aesgcm: {keys: [{name: k, secret: AAECAwQFBgcICQoLDA0ODw==}]}}, \
    {secretbox: {keys: [{name: k, secret: AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=}]}}, {identity: {}}]}]}";

fuzz_target!(|bytes: &[u8]| {
    let release = Release::newest();
    drop(inspect(release, Some(CONFIG), None, bytes));
    for part in codec::parts(release, bytes) {
        assert!(part.from <= part.to && part.to <= bytes.len(), "{part:?} of {} bytes", bytes.len());
    }
    if let Ok(object) = codec::decode(release, "/registry/secrets/a/b", bytes) {
        let written = codec::encode(release, &object);
        let again = codec::decode(release, "/registry/secrets/a/b", &written).expect("what was written is read");
        assert_eq!(object.value, again.value);
    }
});
