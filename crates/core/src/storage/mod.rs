//! What the API server keeps in etcd: keys, the stored form of objects, and the store itself.
//!
//! Behaviour: `apiserver/pkg/storage/etcd3/store.go`; keys in `apiserver/pkg/registry/generic/registry/store.go`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;

use crate::manifest::{Object, Value};

pub mod codec;
mod protobuf;

pub use protobuf::Part;

/// One write to etcd, as an exchange shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// `/registry/secrets/default/mysecret`.
    pub key: String,
    /// etcd's revision after the write: the object's resourceVersion.
    pub revision: u64,
    /// False for a deletion.
    pub put: bool,
}

/// Why a stored value gives no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// The transformers refuse it: reads of it are a 500, lists leave it out.
    Transform(String),
    /// What the transformers let through is no object: reads and lists alike are a 500 with this text.
    Decode(String),
}

impl Unreadable {
    /// Why.
    pub fn text(&self) -> &str {
        let (Self::Transform(text) | Self::Decode(text)) = self;
        text
    }
}

/// What a key holds: an object, its bytes, or both.
///
/// The server works on objects. Bytes are made where somebody asks for them ([`Store::bytes`], [`Store::seal`]), and then stay.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In its storage version, metadata.resourceVersion as of `revision`. A selfLink is one that a client sent.
    pub object: Result<Rc<Object>, Unreadable>,
    /// etcd's revision of the last write.
    pub revision: u64,
    /// True where another provider or key than the first wrote the bytes: an update rewrites them even if nothing changed.
    pub stale: bool,
    bytes: OnceCell<Rc<[u8]>>,
}

/// etcd: ordered keys and one revision counter. `Clone` is a snapshot.
#[derive(Clone, Debug)]
pub struct Store {
    entries: BTreeMap<String, Entry>,
    revision: u64,
}

impl Default for Store {
    /// An empty etcd stands at revision 1.
    fn default() -> Self {
        Self { entries: BTreeMap::new(), revision: 1 }
    }
}

impl Store {
    /// The revision of the last write.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What `key` holds.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The keys that begin with `prefix`, in order.
    pub fn range(&self, prefix: &str) -> impl Iterator<Item = (&str, &Entry)> {
        let from: (Bound<&str>, Bound<&str>) = (Bound::Included(prefix), Bound::Unbounded);
        self.entries
            .range::<str, _>(from)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (key.as_str(), entry))
    }

    /// Writes `object` and gives it back with its new resourceVersion.
    pub fn put(&mut self, key: &str, mut object: Object) -> Rc<Object> {
        self.revision += 1;
        if let Some(Value::Object(metadata)) = object.value.get_mut("metadata") {
            metadata.insert("resourceVersion".into(), self.revision.to_string().into());
        }
        let object = Rc::new(object);
        self.insert(key, Ok(object.clone()), OnceCell::new(), false);
        object
    }

    /// Writes raw bytes, as `etcdctl put` does; `read` makes of them what the API server would.
    pub fn put_bytes(
        &mut self,
        key: &str,
        bytes: &[u8],
        read: impl FnOnce(&[u8]) -> (Result<Object, Unreadable>, bool),
    ) {
        self.revision += 1;
        let (object, stale) = read(bytes);
        let revision = self.revision;
        self.insert(key, at_revision(object, revision), OnceCell::from(Rc::from(bytes)), stale);
    }

    fn insert(&mut self, key: &str, object: Result<Rc<Object>, Unreadable>, bytes: OnceCell<Rc<[u8]>>, stale: bool) {
        let entry = Entry { object, revision: self.revision, stale, bytes };
        self.entries.insert(key.to_owned(), entry);
    }

    /// Removes `key`; `None` where it was not there.
    pub fn delete(&mut self, key: &str) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.revision += 1;
        Some(entry)
    }

    /// The bytes under `key`; where nobody asked before, `encode` makes them of the object.
    pub fn bytes(&self, key: &str, encode: impl FnOnce(&Object) -> Vec<u8>) -> Option<Rc<[u8]>> {
        let entry = self.entries.get(key)?;
        Some(entry.bytes_with(encode))
    }

    /// Makes all bytes that nobody asked for, before the writer and its keys are gone.
    pub fn seal(&self, mut encode: impl FnMut(&str, &Object) -> Vec<u8>) {
        for (key, entry) in &self.entries {
            entry.bytes_with(|object| encode(key, object));
        }
    }

    /// Reads every sealed value anew, as a server with other keys does; the flag says whether the value is stale.
    pub fn reread(&mut self, mut read: impl FnMut(&str, &[u8]) -> (Result<Object, Unreadable>, bool)) {
        for (key, entry) in &mut self.entries {
            let Some(bytes) = entry.bytes.get() else { continue };
            let (object, stale) = read(key, bytes);
            // What reads the same keeps its place in the user's text, which bytes do not hold.
            let same = matches!((&entry.object, &object), (Ok(_), Ok(_)));
            if !same {
                entry.object = at_revision(object, entry.revision);
            }
            entry.stale = stale;
        }
    }
}

impl Entry {
    fn bytes_with(&self, encode: impl FnOnce(&Object) -> Vec<u8>) -> Rc<[u8]> {
        let make = || self.object.as_ref().map(|object| encode(object)).unwrap_or_default().into();
        self.bytes.get_or_init(make).clone()
    }
}

fn at_revision(object: Result<Object, Unreadable>, revision: u64) -> Result<Rc<Object>, Unreadable> {
    object.map(|mut object| {
        if let Some(Value::Object(metadata)) = object.value.get_mut("metadata") {
            metadata.insert("resourceVersion".into(), revision.to_string().into());
        }
        Rc::new(object)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str) -> Object {
        Object::new(json!({"metadata": {"name": name}}), None)
    }

    #[test]
    fn one_counter_counts_every_write_and_keys_are_ordered() {
        let mut store = Store::default();
        store.put("/registry/b/2", object("2"));
        store.put("/registry/a/1", object("1"));
        store.put("/registry/b/1", object("1"));
        assert_eq!(store.revision(), 4);
        let keys: Vec<_> = store.range("/registry/b/").map(|(key, entry)| (key, entry.revision)).collect();
        assert_eq!(keys, [("/registry/b/1", 4), ("/registry/b/2", 2)]);
        assert!(store.delete("/registry/c").is_none());
        assert!(store.delete("/registry/b/2").is_some());
        assert_eq!(store.revision(), 5);
        let first = store.get("/registry/a/1").unwrap().object.as_ref().unwrap();
        assert_eq!(first.value["metadata"]["resourceVersion"], "3");
    }

    #[test]
    fn bytes_are_made_once_and_what_cannot_be_read_says_why() {
        let mut store = Store::default();
        store.put("/k", object("k"));
        assert_eq!(&*store.bytes("/k", |_| b"one".to_vec()).unwrap(), b"one");
        assert_eq!(&*store.bytes("/k", |_| b"two".to_vec()).unwrap(), b"one");
        store.reread(|_, _| (Err(Unreadable::Transform("no matching prefix found".into())), false));
        let error = store.get("/k").unwrap().object.as_ref().unwrap_err();
        assert_eq!(*error, Unreadable::Transform("no matching prefix found".into()));
        store.reread(|_, bytes| (Ok(object(std::str::from_utf8(bytes).unwrap())), true));
        let entry = store.get("/k").unwrap();
        assert_eq!(entry.object.as_ref().unwrap().name(), "one");
        assert!(entry.stale);
    }
}
