//! Objects to stored bytes and back, and a restart over 10,000 Secrets with another key.

use portcullis_core::encryption::Config;
use portcullis_core::manifest::Object;
use portcullis_core::release::Release;
use portcullis_core::storage::{Format, Store, codec};
use portcullis_core::world::World;
use serde_json::json;

use crate::{Clock, Figure, best, figure, rate};

const SECRETS: usize = 10_000;

pub fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    let release = Release::newest();
    let posted = |index: usize| {
        json!({"metadata": {"name": format!("secret-{index}"), "namespace": "default", "labels": {"app": "shop"},
            "creationTimestamp": "2017-07-04T15:47:20Z", "uid": "1087641b-60d0-11e7-9f37-fa163e47aeab"},
            "stringData": {"user": "shop", "password": "open-sesame"}})
    };
    let posted: Vec<_> = (0..SECRETS).map(posted).collect();
    report(figure(
        "objects read from JSON, with defaults",
        rate(clock, &posted, |value| release.decode("v1", "Secret", value.clone())),
        "/s",
    ));
    let objects: Vec<Object> = posted
        .iter()
        .filter_map(|value| Some(Object::new(release.decode("v1", "Secret", value.clone()).ok()?, None)))
        .collect();
    report(figure("secrets encoded", rate(clock, &objects, |object| codec::encode(release, object)), "/s"));
    let values: Vec<Vec<u8>> = objects.iter().map(|object| codec::encode(release, object)).collect();
    report(figure(
        "secrets decoded",
        rate(clock, &values, |value| codec::decode(release, "/registry/secrets/default/a", value)),
        "/s",
    ));

    let mut world = World::new(Default::default(), "bench");
    let mut format = |keys: &str| {
        let config = format!(
            "{{kind: EncryptionConfig, resources: [{{resources: [secrets], providers: [{{aescbc: {{keys: [{keys}]}}}}]}}]}}"
        );
        Format::new(release, &Config::parse(&config).unwrap_or_default(), &mut world)
    };
    const OLD: &str = "{name: old, secret: AAAAAAAAAAAAAAAAAAAAAA==}";
    const NEW: &str = "{name: new, secret: AQEBAQEBAQEBAQEBAQEBAQ==}";
    let (old, new) = (format(OLD), format(&format!("{NEW}, {OLD}")));
    let (time, stale) = best(clock, || {
        let mut store = Store::default();
        for object in &objects {
            store.put(&format!("/registry/secrets/default/{}", object.name()), object.clone());
        }
        store.close(&old);
        match store.open(&new) {
            Ok(_) => store.range("").filter(|(_, entry)| entry.stale).count(),
            Err(_) => 0,
        }
    });
    report(figure(format!("write {SECRETS} secrets, restart with a new key"), time, "ms"));
    report(figure("stale after it", stale as f64, ""));
}
