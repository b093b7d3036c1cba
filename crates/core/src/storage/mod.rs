//! What the API server keeps in etcd: keys, the stored form of objects, and the store itself.
//!
//! Behaviour: `apiserver/pkg/storage/etcd3/store.go`; keys in `apiserver/pkg/registry/generic/registry/store.go`.

use std::cell::OnceCell;
use std::rc::Rc;

use crate::encryption::{self, Failure, Transformer};
use crate::manifest::{Object, Value};
use crate::release::Release;
use crate::sort::SortedMap;
use crate::world::World;

pub mod codec;
mod protobuf;

use codec::MAGIC;
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
/// The server works on objects. Bytes are made where somebody asks for them ([`Store::bytes`]), and then stay.
#[derive(Clone, Debug)]
pub struct Entry {
    /// In its storage version, metadata.resourceVersion as of `revision`. A selfLink is one that a client sent.
    pub object: Result<Rc<Object>, Unreadable>,
    /// etcd's revision of the last write.
    pub revision: u64,
    /// The revision that made the key.
    pub created: u64,
    /// How many writes there were since.
    pub version: u64,
    /// True where another provider or key than the first wrote the bytes: an update rewrites them even if nothing changed.
    pub stale: bool,
    bytes: OnceCell<Rc<[u8]>>,
    /// Written by a server that encrypts nothing here: bytes that are still to be made are plain, whoever makes them.
    plain: bool,
}

/// etcd: ordered keys and one revision counter. `Clone` is a snapshot, which costs nothing until one of the two is written to.
#[derive(Clone, Debug)]
pub struct Store {
    entries: Rc<SortedMap<Rc<str>, Entry>>,
    revision: u64,
    /// The last writes, oldest first.
    history: Rc<Vec<Change>>,
    /// What was written up to this revision is not in the history.
    begins: u64,
}

/// How many writes are remembered: as many as the server's watch caches do of pods.
const MOST_CHANGES: usize = 1000;

/// One write, as those see it who watch.
#[derive(Clone, Debug)]
pub struct Change {
    /// What was written.
    pub key: Rc<str>,
    /// The object that stood there; `None` where none did that could be read.
    pub before: Option<Rc<Object>>,
    /// The one that stands there now.
    pub after: Option<Rc<Object>>,
    revision: u64,
}

/// How one server writes and reads values: the codec of its release, and the transformers of its configuration.
#[derive(Clone, Debug)]
pub struct Format {
    release: &'static Release,
    /// The transformers of the configured resources, by what their keys begin with.
    transformers: Vec<(String, Transformer)>,
    /// Each write draws its nonce from a world of its own, so that it does not matter when its bytes are made.
    nonces: World,
}

/// A stored value, with what it tells without its object.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The bytes in etcd.
    pub bytes: Rc<[u8]>,
    /// What each of them is.
    pub parts: Vec<Part>,
    /// The bytes behind the encryption, and what each of them is; `None` where they cannot be read.
    pub plain: Option<(encryption::Plain, Vec<Part>)>,
}

impl Format {
    /// The format of a server that starts in `world`.
    pub fn new(release: &'static Release, encryption: &encryption::Config, world: &mut World) -> Self {
        let place = world.draw::<16>();
        let stored = release.resources().iter().filter(|it| it.storage_version == it.api_version);
        let transformers = stored.map(|it| (it, encryption.transformer(it.group, it.resource)));
        let configured = transformers.filter(|(_, transformer)| transformer.is_configured());
        let transformers = configured.map(|(it, transformer)| (it.key("", ""), transformer.clone())).collect();
        Self { release, transformers, nonces: world.apart(&place) }
    }

    /// The format of a server without encryption.
    pub fn plain(release: &'static Release) -> Self {
        Self { release, transformers: Vec::new(), nonces: World::new(Default::default(), "") }
    }

    fn transformer(&self, key: &str) -> &Transformer {
        let configured = self.transformers.iter().find(|(prefix, _)| key.starts_with(prefix));
        configured.map_or(encryption::plain(), |(_, transformer)| transformer)
    }

    /// Why the server ends where it is to write to `key`; `None` where it can write.
    pub fn fails_to_write(&self, key: &str) -> Option<Failure> {
        self.transformer(key).fails_to_write()
    }

    /// Whether the server writes plain text to `key`.
    pub fn writes_plain(&self, key: &str) -> bool {
        self.transformer(key).writes_plain()
    }

    /// The bytes that the server stores for `object` as the write `revision`.
    fn write(&self, key: &str, revision: u64, object: &Object) -> Result<Vec<u8>, Failure> {
        let mut world = self.nonces.apart(format!("{key}@{revision}").as_bytes());
        self.transformer(key).write(key, &codec::encode(self.release, object), &mut world)
    }

    /// What the server makes of `bytes` under `key`, and whether they are stale.
    fn read(&self, key: &str, bytes: &[u8]) -> Result<(Result<Object, Unreadable>, bool), Failure> {
        let plain = match self.transformer(key).read(key, bytes) {
            Err(failure) if failure.ends_the_server() => return Err(failure),
            Err(failure) => return Ok((Err(Unreadable::Transform(failure.to_string())), false)),
            Ok(plain) => plain,
        };
        let object = codec::decode(self.release, key, &plain.bytes).and_then(|mut object| {
            let (api_version, kind) = (object.api_version().to_owned(), object.kind().to_owned());
            object.value = self.release.decode(&api_version, &kind, object.value)?;
            Ok(object)
        });
        Ok((object.map_err(Unreadable::Decode), plain.stale))
    }
}

impl Default for Store {
    /// An empty etcd stands at revision 1.
    fn default() -> Self {
        Self { entries: Rc::default(), revision: 1, history: Rc::default(), begins: 1 }
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

    /// Whether nothing was ever written.
    pub fn is_new(&self) -> bool {
        self.revision == Self::default().revision
    }

    /// What `key` holds.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The keys that begin with `prefix`, in order.
    pub fn range(&self, prefix: &str) -> impl Iterator<Item = (&str, &Entry)> {
        self.entries
            .range_from(prefix)
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, entry)| (&**key, entry))
    }

    /// Writes `object` and gives it back with its new resourceVersion.
    pub fn put(&mut self, key: &str, object: Object) -> Rc<Object> {
        self.revision += 1;
        let before = self.object(key);
        let object = self.put_at(key, object, self.revision);
        self.remember(key, before, Some(object.clone()));
        object
    }

    fn object(&self, key: &str) -> Option<Rc<Object>> {
        self.get(key)?.object.as_ref().ok().cloned()
    }

    fn remember(&mut self, key: &str, before: Option<Rc<Object>>, after: Option<Rc<Object>>) {
        let history = Rc::make_mut(&mut self.history);
        if history.len() >= MOST_CHANGES {
            self.begins = history.remove(0).revision;
        }
        history.push(Change { key: key.into(), before, after, revision: self.revision });
    }

    fn forget(&mut self) {
        self.history = Rc::default();
        self.begins = self.revision;
    }

    /// What was written after the revision `since` to the keys of a resource, which begin with `prefix`. The error is the
    /// revision after which all is known: as in the server's watch caches, the one before the first write that is remembered
    /// of this resource.
    pub fn changes(&self, prefix: &str, since: u64) -> Result<impl Iterator<Item = &Change>, u64> {
        let changes = self.history.iter().filter(move |change| change.key.starts_with(prefix));
        let oldest = changes.clone().next().map_or(self.begins, |change| change.revision) - 1;
        if since < oldest { Err(oldest) } else { Ok(changes.filter(move |change| change.revision > since)) }
    }

    /// Puts `object` under `key` as if it had been written as the write `revision`.
    pub fn put_at(&mut self, key: &str, mut object: Object, revision: u64) -> Rc<Object> {
        set_revision(&mut object, revision);
        let object = Rc::new(object);
        self.insert(revision, key, Ok(object.clone()), OnceCell::new(), false);
        object
    }

    /// Removes `key` as if it had never been written.
    pub fn withdraw(&mut self, key: &str) {
        Rc::make_mut(&mut self.entries).remove(key);
    }

    /// Stands at `revision`, to which nothing needs to have been written. Who watches begins there.
    pub fn advance(&mut self, revision: u64) {
        self.revision = revision;
        self.forget();
    }

    /// Writes raw bytes, as `etcdctl put` does. `format` is that of the server that runs over the store, if one does.
    ///
    /// Errors: the value ends the server that meets it; it is written all the same.
    pub fn put_bytes(&mut self, key: &str, bytes: &[u8], format: Option<&Format>) -> Result<(), Failure> {
        self.revision += 1;
        let read = format.map(|format| format.read(key, bytes)).transpose();
        let unread = || (Err(Unreadable::Transform("no server has read this value".to_owned())), false);
        let (object, stale) = read.as_ref().ok().cloned().flatten().unwrap_or_else(unread);
        let revision = self.revision;
        let before = self.object(key);
        self.insert(revision, key, at_revision(object, revision), OnceCell::from(Rc::from(bytes)), stale);
        self.remember(key, before, self.object(key));
        read.map(|_| ())
    }

    fn insert(
        &mut self,
        revision: u64,
        key: &str,
        object: Result<Rc<Object>, Unreadable>,
        bytes: OnceCell<Rc<[u8]>>,
        stale: bool,
    ) {
        let (created, version) = self.entries.get(key).map_or((revision, 1), |old| (old.created, old.version + 1));
        let entry = Entry { object, revision, created, version, stale, bytes, plain: false };
        Rc::make_mut(&mut self.entries).insert(key.into(), entry);
    }

    /// Removes `key`; `None` where it was not there.
    pub fn delete(&mut self, key: &str) -> Option<Entry> {
        self.entries.get(key)?;
        let entry = Rc::make_mut(&mut self.entries).remove(key)?;
        self.revision += 1;
        self.remember(key, entry.object.clone().ok(), None);
        Some(entry)
    }

    /// The bytes under `key`. `format` is that of the server that runs over the store.
    pub fn bytes(&self, key: &str, format: &Format) -> Option<Rc<[u8]>> {
        let entry = self.entries.get(key)?;
        Some(entry.bytes(key, format))
    }

    /// The bytes under `key` with what they are.
    pub fn stored(&self, key: &str, format: &Format) -> Option<Stored> {
        let bytes = self.bytes(key, format)?;
        let transformer = format.transformer(key);
        let plain = transformer.read(key, &bytes).ok().map(|plain| {
            let parts = codec::parts(format.release, &plain.bytes);
            (plain, parts)
        });
        let parts = match &plain {
            Some((plain, parts)) if plain.provider == "identity" => parts.clone(),
            _ => transformer.parts(key, &bytes).into_iter().map(Part::from).collect(),
        };
        Some(Stored { bytes, parts, plain })
    }

    /// The same objects as if nobody had asked for bytes yet: another server makes others of them.
    pub fn unwritten(&self) -> Self {
        let mut entries = (*self.entries).clone();
        entries.iter_mut().for_each(|(_, entry)| entry.bytes = OnceCell::new());
        Self { entries: Rc::new(entries), ..self.clone() }
    }

    /// The server with this format ends: what it encrypted is encrypted now, before its keys are gone.
    pub fn close(&mut self, format: &Format) {
        for (key, entry) in Rc::make_mut(&mut self.entries).iter_mut() {
            if format.transformer(key).writes_plain() {
                entry.plain |= entry.bytes.get().is_none();
            } else {
                entry.bytes(key, format);
            }
        }
    }

    /// A server with this format starts and reads what is there. Where that is no longer the very object of before, gives the
    /// two; `None` where there was or is none.
    ///
    /// Errors: it meets a value at which it ends.
    pub fn open(&mut self, format: &Format) -> Result<Vec<[Option<Rc<Object>>; 2]>, Failure> {
        self.forget();
        let mut reread = Vec::new();
        for (key, entry) in Rc::make_mut(&mut self.entries).iter_mut() {
            if entry.bytes.get().is_none() {
                // A plain value whose bytes nobody asked for: whether it can be read does not depend on what is in it.
                match format.transformer(key).read(key, MAGIC) {
                    Ok(plain) => {
                        entry.stale = plain.stale;
                        continue;
                    }
                    Err(_) => drop(entry.bytes(key, format)),
                }
            }
            let bytes = entry.bytes(key, format);
            if let (Ok(object), Ok(plain)) = (&entry.object, format.transformer(key).read(key, &bytes))
                && plain.bytes == codec::encode(format.release, object)
            {
                entry.stale = plain.stale;
                continue;
            }
            let (object, stale) = format.read(key, &bytes)?;
            // What reads the same keeps its place in the user's text, which bytes do not hold.
            let same = matches!((&entry.object, &object), (Ok(_), Ok(_)));
            if !same {
                let now = at_revision(object, entry.revision);
                let before = std::mem::replace(&mut entry.object, now.clone());
                reread.push([before.ok(), now.ok()]);
            }
            entry.stale = stale;
        }
        Ok(reread)
    }
}

impl Entry {
    /// The bytes of this entry, which stands under `key`. `format` is that of the server that runs over the store.
    pub fn bytes(&self, key: &str, format: &Format) -> Rc<[u8]> {
        let make = |object: &Rc<Object>| match self.plain {
            true => codec::encode(format.release, object),
            // A server that cannot write ends before anybody asks.
            false => format.write(key, self.revision, object).unwrap_or_default(),
        };
        self.bytes.get_or_init(|| self.object.as_ref().map(make).unwrap_or_default().into()).clone()
    }
}

impl Entry {
    /// Provider and key name of the bytes under `key`, without making them.
    pub fn provider(&self, key: &str, format: &Format) -> (String, String) {
        match self.bytes.get() {
            Some(bytes) => encryption::claimed(bytes),
            None if self.plain => ("identity".to_owned(), String::new()),
            None => {
                let (provider, name) = format.transformer(key).writer();
                (provider.to_owned(), name.to_owned())
            }
        }
    }
}

fn at_revision(object: Result<Object, Unreadable>, revision: u64) -> Result<Rc<Object>, Unreadable> {
    object.map(|mut object| {
        set_revision(&mut object, revision);
        Rc::new(object)
    })
}

fn set_revision(object: &mut Object, revision: u64) {
    if let Some(Value::Object(metadata)) = object.value.get_mut("metadata") {
        metadata.insert("resourceVersion".into(), revision.to_string().into());
    }
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

    const PLAIN: &str = "";
    const CBC: &str = "- aescbc: {keys: [{name: k1, secret: AAAAAAAAAAAAAAAAAAAAAA==}]}";
    const IDENTITY: &str = "- identity: {}";

    fn format(providers: &str) -> Format {
        let config = match providers {
            "" => encryption::Config::default(),
            _ => {
                let head = "kind: EncryptionConfig\nresources:\n- resources: [configmaps]\n  providers:\n";
                let lines: String = providers.lines().map(|line| format!("  {line}\n")).collect();
                encryption::Config::parse(&format!("{head}{lines}")).unwrap()
            }
        };
        let mut world = World::new(Default::default(), "store");
        Format::new(Release::find("1.7").unwrap(), &config, &mut world)
    }

    const KEY: &str = "/registry/configmaps/default/a";

    fn config_map() -> Object {
        let value = json!({"metadata": {"name": "a", "namespace": "default"}, "data": {"a": "b"}});
        Object::new(Release::find("1.7").unwrap().decode("v1", "ConfigMap", value).unwrap(), None)
    }

    /// Servers start one after another over a store in which the first one wrote.
    #[test]
    fn restarts_show_which_values_are_plain_stale_or_unreadable() {
        let both = [CBC, IDENTITY].join("\n");
        let back = [IDENTITY, CBC].join("\n");
        // Who wrote; who reads; what the bytes begin with; whether they are stale (`None`: not readable).
        let rows: [(&str, &str, &str, Option<bool>); 8] = [
            (PLAIN, PLAIN, "k8s\0", Some(false)),
            (PLAIN, CBC, "k8s\0", None),
            (PLAIN, &both, "k8s\0", Some(true)),
            (&both, CBC, "k8s:enc:aescbc:v1:k1:", Some(false)),
            (&both, &back, "k8s:enc:aescbc:v1:k1:", Some(true)),
            (&back, CBC, "k8s\0", None),
            (CBC, IDENTITY, "k8s:enc:aescbc:v1:k1:", None),
            (CBC, PLAIN, "k8s:enc:aescbc:v1:k1:", None),
        ];
        for (writer, reader, begins, stale) in rows {
            for asked in [false, true] {
                let mut store = Store::default();
                let (writer, reader) = (format(writer), format(reader));
                store.put(KEY, config_map());
                if asked {
                    store.bytes(KEY, &writer);
                }
                store.close(&writer);
                store.open(&reader).unwrap();
                let bytes = store.bytes(KEY, &reader).unwrap();
                assert!(bytes.starts_with(begins.as_bytes()), "{}", String::from_utf8_lossy(&bytes));
                let entry = store.get(KEY).unwrap();
                assert_eq!(entry.object.is_ok().then_some(entry.stale), stale);
                // And what the first server wrote is what it reads again.
                store.close(&reader);
                store.open(&writer).unwrap();
                let object = store.get(KEY).unwrap().object.clone().unwrap();
                assert_eq!(object.value["data"], json!({"a": "b"}));
                assert_eq!(object.value["metadata"]["resourceVersion"], "2");
            }
        }
    }

    #[test]
    fn a_write_has_one_nonce_whenever_its_bytes_are_made() {
        let format = format(CBC);
        let value = |asked: bool| {
            let mut store = Store::default();
            store.put("/registry/configmaps/default/b", config_map());
            if asked {
                store.bytes("/registry/configmaps/default/b", &format);
            }
            store.put(KEY, config_map());
            let first = store.bytes(KEY, &format).unwrap();
            store.put(KEY, config_map());
            (first, store.bytes(KEY, &format).unwrap())
        };
        let (first, second) = value(true);
        assert_eq!((first.clone(), second.clone()), value(false));
        assert_ne!(first, second);
    }

    #[test]
    fn raw_bytes_are_read_as_the_server_reads_them() {
        let format = format(CBC);
        let mut store = Store::default();
        let mut error = |bytes: &[u8]| {
            let met = store.put_bytes(KEY, bytes, Some(&format));
            (
                met.map_err(|failure| failure.to_string()),
                store.get(KEY).unwrap().object.clone().map(|object| object.value.clone()),
            )
        };
        let refused = |text: &str| Err(Unreadable::Transform(text.to_owned()));
        assert_eq!(error(b"{}"), (Ok(()), refused("no matching prefix found")));
        let (met, _) = error(b"k8s:enc:aescbc:v1:k1:0123456789abcdef");
        assert_eq!(met, Err("runtime error: index out of range [-1]".to_owned()));
    }
}
