//! Values on their way to etcd and back, of 1 and of 64 KiB, under each provider.

use std::cell::RefCell;

use portcullis_core::encryption::Config;
use portcullis_core::world::World;

use crate::{Clock, Figure, figure, rate};

/// The providers measured, with OpenSSL's name of the same cipher where it has one.
pub const PROVIDERS: [(&str, Option<&str>); 3] =
    [("aescbc", Some("aes-256-cbc")), ("aesgcm", Some("aes-256-gcm")), ("secretbox", None)];

/// The sizes measured, in bytes.
pub const SIZES: [usize; 2] = [1 << 10, 64 << 10];

/// What a figure is called.
#[must_use]
pub fn name(provider: &str, decrypt: bool, size: usize) -> String {
    format!("{} {provider}, {} KiB", if decrypt { "decrypt" } else { "encrypt" }, size >> 10)
}

pub(crate) fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    const KEY: &str = "/registry/secrets/default/bench";
    for (provider, _) in PROVIDERS {
        let secret = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let text = format!(
            "{{kind: EncryptionConfig, resources: [{{resources: [secrets], providers: [{{{provider}: {{keys: [{{name: k, \
             secret: {secret}}}]}}}}]}}]}}"
        );
        let Ok(config) = Config::parse(&text) else { continue };
        let transformer = config.transformer("", "secrets");
        for size in SIZES {
            let plain: Vec<u8> = (0..size).map(|byte| byte as u8).collect();
            let world = RefCell::new(World::new(Default::default(), "bench"));
            let value = transformer.write(KEY, &plain, &mut world.borrow_mut()).unwrap_or_default();
            // A benchmark of wrong answers would be worth nothing.
            let same = transformer.read(KEY, &value).is_ok_and(|read| read.bytes == plain);
            report(figure(format!("{provider} values read as written, {} KiB, of 1", size >> 10), f64::from(same), ""));
            let megabytes = |per_second: f64| per_second * size as f64 / 1e6;
            let write = rate(clock, &[&plain], |plain| transformer.write(KEY, plain, &mut world.borrow_mut()));
            report(figure(name(provider, false, size), megabytes(write), "MB/s"));
            let read = rate(clock, &[&value], |value| transformer.read(KEY, value));
            report(figure(name(provider, true, size), megabytes(read), "MB/s"));
        }
    }
}
