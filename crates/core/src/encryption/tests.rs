use std::fs;

use proptest::prelude::*;

use super::*;
use crate::manifest::{Value, base64};
use crate::vectors::vectors;
use crate::world::World;

fn lines(path: &str) -> Vec<Value> {
    let text = fs::read_to_string(vectors(path)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn world() -> World {
    World::new(Default::default(), "encryption")
}

/// A configuration of one provider with the keys `k1` and `k2`, of `size` bytes each.
fn config(provider: &str, size: usize) -> Config {
    use ::base64::Engine as _;
    let secret = |byte: u8| ::base64::engine::general_purpose::STANDARD.encode(vec![byte; size]);
    let text = format!(
        "{{kind: EncryptionConfig, resources: [{{resources: [secrets], providers: [{{{provider}: {{keys: [{{name: k1, \
         secret: {}}}, {{name: k2, secret: {}}}]}}}}]}}]}}",
        secret(1),
        secret(2)
    );
    Config::parse(&text).unwrap()
}

const PROVIDERS: [(&str, usize); 7] =
    [("aescbc", 16), ("aescbc", 24), ("aescbc", 32), ("aesgcm", 16), ("aesgcm", 24), ("aesgcm", 32), ("secretbox", 32)];

/// Group and resource of an etcd key of the vectors.
fn resource(key: &str) -> (&'static str, &str) {
    match key.split('/').nth(2).unwrap() {
        "deployments" => ("extensions", "deployments"),
        "roles" => ("rbac.authorization.k8s.io", "roles"),
        "clusterrolebindings" => ("rbac.authorization.k8s.io", "clusterrolebindings"),
        core => ("", core),
    }
}

#[test]
fn recorded_values_read_as_the_server_read_them() {
    let (mut read, mut refused, mut passed) = (0, 0, 0);
    for line in lines("etcd/encrypted.jsonl") {
        let text = |name: &str| line[name].as_str().unwrap();
        let config = Config::parse(text("config")).unwrap();
        let key = text("key");
        let value = base64::decode(text("value").as_bytes()).unwrap();
        let (group, name) = resource(key);
        let transformer = config.transformer(group, name);
        let result = transformer.read(key, &value);
        let parts = transformer.parts(key, &value);
        assert!(value.is_empty() || parts.first().unwrap().from == 0 && parts.last().unwrap().to == value.len());
        assert!(parts.windows(2).all(|pair| pair[0].to == pair[1].from));
        if line["plaintext"].is_string() {
            let plain = result.unwrap_or_else(|failure| panic!("{key}: {failure}"));
            assert_eq!(plain.bytes, base64::decode(text("plaintext").as_bytes()).unwrap(), "{key}");
            read += 1;
            if !plain.stale {
                assert_eq!(seal_again(transformer, key, &plain.bytes, &value), value, "{key}");
            }
        } else if line["crash"].is_boolean() {
            assert!(result.unwrap_err().ends_the_server(), "{key}");
            refused += 1;
        } else if let Some(expected) = text("error").strip_prefix("Internal error occurred: ") {
            assert_eq!(result.unwrap_err().to_string(), expected, "{key} {value:02x?}");
            refused += 1;
        } else {
            // What fails is decoding: the transformers let the bytes through, aescbc even those that were tampered with.
            let plain = result.unwrap_or_else(|failure| panic!("{key}: {failure}"));
            assert!(plain.provider == "aescbc" || plain.bytes == value, "{key}");
            passed += 1;
        }
    }
    println!("read {read}, refused {refused}, let through {passed}");
}

/// Writes `plain` with the IV or nonce found in `value`.
fn seal_again(transformer: &Transformer, key: &str, plain: &[u8], value: &[u8]) -> Vec<u8> {
    let parts = transformer.parts(key, value);
    let Some(nonce) = parts.iter().find(|part| matches!(part.what, "IV" | "nonce")) else { return plain.to_vec() };
    let provider = &transformer.providers.as_ref().unwrap()[0];
    let mut sealed = value[..nonce.from].to_vec();
    provider.keys[0].cipher.seal(key, plain, &value[nonce.from..nonce.to], &mut sealed).unwrap();
    sealed
}

#[test]
fn recorded_configurations_are_refused_as_the_server_refused_them() {
    let mut checked = 0;
    for line in lines("config/errors.jsonl") {
        let flag = "--experimental-encryption-provider-config=enc.yaml";
        let Some(text) = line["files"]["enc.yaml"].as_str().filter(|_| line["flags"][0] == flag) else { continue };
        let prefix = "error while parsing encryption provider configuration file \"enc.yaml\": ";
        let expected = line["error"].as_str().map(|error| error.strip_prefix(prefix).unwrap().to_string());
        assert_eq!(Config::parse(text).err(), expected, "{text}");
        checked += 1;
    }
    println!("{checked} configurations");
}

#[test]
fn the_dump_of_the_seed_document_decrypts_with_its_key() {
    let hex = |text: &str| -> Vec<u8> {
        text.as_bytes().chunks(2).map(|byte| u8::from_str_radix(str::from_utf8(byte).unwrap(), 16).unwrap()).collect()
    };
    let config = Config::parse(
        "kind: EncryptionConfig\nresources:\n- resources: [configmaps]\n  providers:\n  - aescbc: {keys: [{name: mykey, \
         secret: HON5ISH9XMfFB6dnm25U0vSwxR58n7UrpxKPvmCJLTw=}]}\n",
    )
    .unwrap();
    let plain =
        hex("6b3873000a0f0a0276311209436f6e6669674d6170125e0a500a07656e637279707412001a0764656661756c7422002a24\
                     31303837363431622d363064302d313165372d396633372d66613136336534376165616232003800420c0888f1eeca0510\
                     dcebeae7017a00120a0a03666f6f12036261721a002200");
    let mut value = b"k8s:enc:aescbc:v1:mykey:".to_vec();
    value.extend(hex("1abf22a5886a65239f05ba0e7b9cc8a2"));
    value.extend(hex(
        "d2c90abc57d0f02dbd423b8ae3320911383f0a4a1c538b07ceebda1421c8baa0984af47f3fa75423ebf574fe9f243629\
                      492bb4fe918852a43490182eaad807b3c1aa33e054a434fe32a3a950fd91f162a86030cde2f9806bc4a29d667396d194\
                      62a8bc788b071bf2c4008cb3c85ae2b77b6156b46c9680358f3283ccb7aac7bb",
    ));
    let transformer = config.transformer("", "configmaps");
    let key = "/registry/configmaps/default/encrypt";
    let read = transformer.read(key, &value).unwrap();
    assert_eq!(read, Plain { bytes: plain, provider: "aescbc", key_name: "mykey".into(), stale: false });
    assert_eq!(seal_again(transformer, key, &read.bytes, &value), value);
    let parts: Vec<_> =
        transformer.parts(key, &value).into_iter().map(|part| (part.from, part.to, part.what)).collect();
    let expected =
        [(0, 18, "prefix"), (18, 24, "key name"), (24, 40, "IV"), (40, 161, "ciphertext"), (161, 168, "padding")];
    assert_eq!(parts, expected);
}

#[test]
fn a_cut_or_moved_value_says_what_is_wrong() {
    let key = "/registry/secrets/default/a";
    for (provider, size) in PROVIDERS {
        let config = config(provider, size);
        let transformer = config.transformer("", "secrets");
        let value = transformer.write(key, b"plain", &mut world()).unwrap();
        for end in 0..value.len() {
            assert!(transformer.read(key, &value[..end]).is_err(), "{provider}: cut at {end}");
            transformer.parts(key, &value[..end]);
        }
        let moved = transformer.read("/registry/secrets/default/b", &value).map(|plain| plain.bytes);
        let expected = if provider == "aesgcm" { Err(Failure::NotAuthenticGcm) } else { Ok(b"plain".to_vec()) };
        assert_eq!(moved, expected, "only aesgcm binds a value to its key");
    }
    let empty = Config::parse("{kind: EncryptionConfig, resources: [{resources: [secrets]}]}").unwrap();
    let transformer = empty.transformer("", "secrets");
    assert_eq!(transformer.read(key, b"x").unwrap_err(), Failure::NoProvider);
    assert!(transformer.write(key, b"x", &mut world()).unwrap_err().ends_the_server());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_written_is_read(plain in proptest::collection::vec(any::<u8>(), 0..5000), choice in 0..PROVIDERS.len()) {
        let (provider, size) = PROVIDERS[choice];
        let config = config(provider, size);
        let transformer = config.transformer("", "secrets");
        let value = transformer.write("/registry/secrets/a/b", &plain, &mut world()).unwrap();
        let read = transformer.read("/registry/secrets/a/b", &value).unwrap();
        prop_assert_eq!(read, Plain { bytes: plain, provider, key_name: "k1".into(), stale: false });
    }

    #[test]
    fn a_flipped_bit_of_an_authenticated_value_is_an_error(
        plain in proptest::collection::vec(any::<u8>(), 0..200),
        choice in 3..PROVIDERS.len(),
        place in any::<proptest::sample::Index>(),
        bit in 0..8u8,
    ) {
        let (provider, size) = PROVIDERS[choice];
        let config = config(provider, size);
        let transformer = config.transformer("", "secrets");
        let mut value = transformer.write("/registry/secrets/a/b", &plain, &mut world()).unwrap();
        let at = place.index(value.len());
        value[at] ^= 1 << bit;
        prop_assert!(transformer.read("/registry/secrets/a/b", &value).is_err());
    }
}

#[test]
fn every_length_survives() {
    for (provider, size) in PROVIDERS {
        let config = config(provider, size);
        let transformer = config.transformer("", "secrets");
        let mut world = world();
        for length in (0..80).chain([4095, 4096, 4097, 5000]) {
            let plain: Vec<u8> = (0..length).map(|byte| byte as u8).collect();
            let value = transformer.write("/k", &plain, &mut world).unwrap();
            assert_eq!(transformer.read("/k", &value).unwrap().bytes, plain, "{provider} {size} {length}");
        }
    }
}
