//! Encryption at rest: how a value that the API server stores becomes the bytes that etcd holds, and back.
//!
//! Behaviour: <https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/>; in Kubernetes 1.7
//! `apiserver/pkg/server/options/encryptionconfig` (the file) and `apiserver/pkg/storage/value` (the transformers).
//! The ciphers are those of the RustCrypto crates; nothing here is cryptography of its own but the PKCS#7 padding,
//! whose errors Kubernetes tells apart.

use std::fmt;
use std::rc::Rc;

use crate::world::World;

mod cipher;
mod config;

pub use config::Config;

use cipher::Cipher;

/// The transformers of one resource, in the order in which the configuration lists their providers.
#[derive(Clone, Debug)]
pub struct Transformer {
    /// `None` where no configuration names the resource: then every byte passes, even those of an encrypted value.
    providers: Option<Vec<Rc<Provider>>>,
}

/// One provider of the configuration.
#[derive(Debug)]
struct Provider {
    kind: ProviderKind,
    /// In order: the first one writes. Empty for `identity`.
    keys: Vec<Key>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ProviderKind {
    Identity,
    AesCbc,
    AesGcm,
    Secretbox,
}

#[derive(Debug)]
struct Key {
    name: String,
    cipher: Cipher,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    /// The value as the API server encoded it.
    pub bytes: Vec<u8>,
    /// `identity`, `aescbc`, `aesgcm` or `secretbox`.
    pub provider: &'static str,
    /// The key's name in the configuration; `""` for `identity`.
    pub key_name: String,
    /// True where a write would use another provider or key: the next update rewrites the value even if nothing changed.
    pub stale: bool,
}

/// Why a value cannot be read (or, with no provider, not be written). `Display` is the server's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No provider's prefix begins the value.
    NoProvider,
    /// The provider knows no key of the name that the value carries.
    NoKey {
        /// As [`Plain::provider`].
        provider: &'static str,
    },
    /// Shorter than the IV or nonce (and the tag of secretbox).
    Short,
    /// aescbc: not whole blocks.
    NotBlocks,
    /// aescbc: the last byte says a padding that cannot be.
    NotPadded,
    /// aescbc: the bytes of the padding differ.
    BadPadding,
    /// aesgcm: the tag is not that of these bytes, this key and this place in etcd.
    NotAuthenticGcm,
    /// secretbox: the tag is not that of these bytes and this key.
    NotAuthenticSecretbox,
    /// aescbc: an IV and no block. The server process ends, and again at every start while the value is there.
    NoBlock,
    /// A write with an empty provider list. The server process ends.
    NothingToWriteWith,
}

/// A range of a stored value's bytes, and what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// First byte.
    pub from: usize,
    /// Behind the last byte.
    pub to: usize,
    /// `prefix`, `key name`, `IV`, `nonce`, `tag`, `ciphertext`, `padding` (the ciphertext of it) or `plain`.
    pub what: &'static str,
}

/// Provider and name of the key that a value's own prefix says; `identity` where it has none.
pub fn claimed(value: &[u8]) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let Some(rest) = value.strip_prefix(b"k8s:enc:") else { return ("identity".to_owned(), String::new()) };
    let mut words = rest.split(|byte| *byte == b':');
    let provider = words.next().map(text).unwrap_or_default();
    (provider, words.nth(1).map(text).unwrap_or_default())
}

/// The transformer of what no configuration names.
pub fn plain() -> &'static Transformer {
    const PLAIN: &Transformer = &Transformer { providers: None };
    PLAIN
}

impl Transformer {
    /// Reads `value`, stored under the etcd key `key`.
    pub fn read(&self, key: &str, value: &[u8]) -> Result<Plain, Failure> {
        let Some(providers) = &self.providers else {
            return Ok(Plain { bytes: value.to_vec(), provider: "identity", key_name: String::new(), stale: false });
        };
        for (index, provider) in providers.iter().enumerate() {
            if provider.kind == ProviderKind::Identity {
                // The one provider whose refusal lets the next one try.
                if value.starts_with(b"k8s:enc:") {
                    continue;
                }
                let stale = index != 0;
                return Ok(Plain { bytes: value.to_vec(), provider: "identity", key_name: String::new(), stale });
            }
            let Some(rest) = value.strip_prefix(provider.kind.prefix().as_bytes()) else { continue };
            let (nth, used, sealed) = provider.key_of(rest).ok_or(Failure::NoKey { provider: provider.kind.name() })?;
            let bytes = used.cipher.open(key, sealed)?;
            let stale = index != 0 || nth != 0;
            return Ok(Plain { bytes, provider: provider.kind.name(), key_name: used.name.clone(), stale });
        }
        Err(Failure::NoProvider)
    }

    /// The bytes that etcd holds for `plain` under the etcd key `key`: the first provider's first key writes.
    pub fn write(&self, key: &str, plain: &[u8], world: &mut World) -> Result<Vec<u8>, Failure> {
        let Some(providers) = &self.providers else { return Ok(plain.to_vec()) };
        let first = providers.first().ok_or(Failure::NothingToWriteWith)?;
        let Some(used) = first.keys.first() else { return Ok(plain.to_vec()) };
        let mut value = format!("{}{}:", first.kind.prefix(), used.name).into_bytes();
        used.cipher.seal(key, plain, &used.cipher.nonce(world), &mut value)?;
        Ok(value)
    }

    /// Whether the configuration names the resource.
    pub fn is_configured(&self) -> bool {
        self.providers.is_some()
    }

    /// Whether [`Transformer::write`] changes no byte.
    pub fn writes_plain(&self) -> bool {
        let first = self.providers.as_ref().map(|providers| providers.first().map(|provider| provider.kind));
        matches!(first, None | Some(None | Some(ProviderKind::Identity)))
    }

    /// Provider and name of the key that a write uses; the name is empty for `identity`.
    pub fn writer(&self) -> (&'static str, &str) {
        let first = self.providers.as_ref().and_then(|providers| providers.first());
        first.map_or(("identity", ""), |first| {
            (first.kind.name(), first.keys.first().map_or("", |key| key.name.as_str()))
        })
    }

    /// Why the server ends at every write; `None` where it can write.
    pub fn fails_to_write(&self) -> Option<Failure> {
        self.providers.as_ref().is_some_and(Vec::is_empty).then_some(Failure::NothingToWriteWith)
    }

    /// What each byte of `value` is, in order and without gaps. Of a value that cannot be read, as much as its form says;
    /// the padding is known only where `value` can be read.
    pub fn parts(&self, key: &str, value: &[u8]) -> Vec<Part> {
        let kinds = [ProviderKind::AesCbc, ProviderKind::AesGcm, ProviderKind::Secretbox];
        let kind = kinds.into_iter().find(|kind| value.starts_with(kind.prefix().as_bytes()));
        let mut parts = Parts { parts: Vec::new(), end: value.len() };
        let Some(kind) = kind else {
            parts.up_to(value.len(), "plain");
            return parts.parts;
        };
        let plain = self.read(key, value).ok();
        let prefix = kind.prefix().len();
        let named = match &plain {
            Some(plain) => prefix + plain.key_name.len() + 1,
            None => value.iter().skip(prefix).position(|byte| *byte == b':').map_or(value.len(), |at| prefix + at + 1),
        };
        parts.up_to(prefix, "prefix");
        parts.up_to(named, "key name");
        match kind {
            ProviderKind::AesCbc => {
                parts.up_to(named + 16, "IV");
                // CBC encrypts block by block, in place: what follows the plain text is the padding's ciphertext.
                let text = plain.map_or(value.len(), |plain| named + 16 + plain.bytes.len());
                parts.up_to(text, "ciphertext");
                parts.up_to(value.len(), "padding");
            }
            ProviderKind::AesGcm => {
                parts.up_to(named + 12, "nonce");
                parts.up_to((named + 12).max(value.len().saturating_sub(16)), "ciphertext");
                parts.up_to(value.len(), "tag");
            }
            ProviderKind::Secretbox => {
                parts.up_to(named + 24, "nonce");
                parts.up_to(named + 24 + 16, "tag");
                parts.up_to(value.len(), "ciphertext");
            }
            ProviderKind::Identity => {}
        }
        parts.parts
    }
}

struct Parts {
    parts: Vec<Part>,
    end: usize,
}

impl Parts {
    fn up_to(&mut self, to: usize, what: &'static str) {
        let from = self.parts.last().map_or(0, |part| part.to);
        let to = to.min(self.end);
        if from < to {
            self.parts.push(Part { from, to, what });
        }
    }
}

impl Provider {
    /// The first key whose `name:` begins `value`, its index, and what follows.
    fn key_of<'a>(&self, value: &'a [u8]) -> Option<(usize, &Key, &'a [u8])> {
        self.keys.iter().enumerate().find_map(|(index, key)| {
            let rest = value.strip_prefix(key.name.as_bytes())?.strip_prefix(b":")?;
            Some((index, key, rest))
        })
    }
}

impl ProviderKind {
    fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::AesCbc => "aescbc",
            Self::AesGcm => "aesgcm",
            Self::Secretbox => "secretbox",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::AesCbc => "k8s:enc:aescbc:v1:",
            Self::AesGcm => "k8s:enc:aesgcm:v1:",
            Self::Secretbox => "k8s:enc:secretbox:v1:",
        }
    }
}

impl Failure {
    /// True where the server does not answer but ends.
    pub fn ends_the_server(self) -> bool {
        matches!(self, Self::NoBlock | Self::NothingToWriteWith)
    }

    /// What it usually means, for a person who looks at one value.
    pub fn usually(self) -> &'static str {
        match self {
            Self::NoProvider => {
                "The configuration lists no provider for a value that begins so: a plain value needs identity, an \
                 encrypted one the provider that its prefix names."
            }
            Self::NoKey { .. } => {
                "The value names a key that the configuration does not: it was removed too early, or this is another \
                 cluster's value."
            }
            Self::Short | Self::NotBlocks => "The dump is truncated, or bytes were lost on the way.",
            Self::NotPadded | Self::BadPadding => {
                "The key has the right name and other bytes than the one that wrote the value, or the value was changed."
            }
            Self::NotAuthenticGcm => {
                "The key's bytes are others than those that wrote the value, the value was changed, or it was copied from \
                 another etcd key: aesgcm binds it to its place."
            }
            Self::NotAuthenticSecretbox => {
                "The key's bytes are others than those that wrote the value, or the value was changed."
            }
            Self::NoBlock => "The value is cut off behind its IV. The real server ends when it meets it.",
            Self::NothingToWriteWith => {
                "The configuration's provider list is empty. The real server ends at the first write."
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoProvider => "no matching prefix found",
            Self::NoKey { provider: "secretbox" } => "no matching key was found for the provided Secretbox transformer",
            Self::NoKey { .. } => "no matching key was found for the provided AES transformer",
            Self::Short => "the stored data was shorter than the required size",
            Self::NotBlocks => "the stored data is not a multiple of the block size",
            Self::NotPadded => "invalid PKCS7 data (empty or not padded)",
            Self::BadPadding => "invalid padding on input",
            Self::NotAuthenticGcm => "cipher: message authentication failed",
            Self::NotAuthenticSecretbox => "output array was not large enough for encryption",
            Self::NoBlock => "runtime error: index out of range [-1]",
            Self::NothingToWriteWith => "runtime error: index out of range [0] with length 0",
        })
    }
}

#[cfg(test)]
mod tests;
