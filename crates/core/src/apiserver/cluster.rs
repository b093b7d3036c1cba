//! The cluster behind a server: its store, and everybody who watches it.

use std::rc::Rc;

use super::bootstrap::DefaultObject;
use super::controllers::TOKEN;
use super::rest::{self, fill_system_fields, list, member, set, text};
use crate::admission::Plugin;
use crate::authentication::User;
use crate::authorization::{Authorizers, Informers};
use crate::encryption::Failure;
use crate::manifest::{Diagnostic, Object, PathStep, Severity, Value, json};
use crate::release::{Release, ResourceType};
use crate::sort::SortedMap;
use crate::storage::{Entry, Format, Store};
use crate::world::{World, time};

/// What flags decide of a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--allow-privileged`.
    pub allow_privileged: bool,
    /// `--enable-garbage-collector`: objects that are deleted wait for their finalizers.
    pub finalizes: bool,
    /// `--secure-port`, to which the service `kubernetes` leads.
    pub secure_port: u16,
    /// `--service-cluster-ip-range` and `--service-node-port-range`.
    pub services: rest::Ranges,
}

/// What an API server works on.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Whose behaviour.
    pub release: &'static Release,
    /// What its flags ask for.
    pub settings: Settings,
    /// etcd. Writes go through the cluster, which tells the informers.
    pub store: Store,
    /// How this server writes values and reads them.
    pub format: Format,
    /// The configured authorizers with what their informers know.
    pub authorizers: Authorizers,
    /// The admission chain, in order.
    pub admission: Vec<Plugin>,
    /// Why the process ended, if it did.
    pub(super) ended: Option<Failure>,
    /// Keys that requests wrote and controllers have not seen yet; with the object where it was removed.
    touched: Touched,
    uids: Uids,
    /// What stood for each object of the default policy after the start.
    pub(super) defaults: Vec<DefaultObject>,
}

/// What a server knew when it was stopped, for the next one over the same store: what is as it was then need not be looked at
/// again.
#[derive(Clone, Debug)]
pub struct Before {
    pub(super) informers: Informers,
    pub(super) defaults: Vec<DefaultObject>,
}

/// What a server made when it started over an empty etcd. Another in the same world, with the same modes, admission chain and
/// settings, makes the same, whatever else its flags say.
#[derive(Clone, Debug)]
pub struct FirstStart {
    cluster: Cluster,
    /// The worlds before and afterwards.
    worlds: [World; 2],
}

pub(super) type Touched = SortedMap<String, Option<Rc<Object>>>;

/// What became of an object that was loaded.
///
/// One that is left out takes a revision and a UID all the same: those behind it are the same whatever is wrong with it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// `None` where it was left out.
    key: Option<String>,
    revision: u64,
    /// `None` where it stands in the text.
    uid: Option<Rc<str>>,
    /// Whether nothing else that is loaded or made depends on it, but for the graph.
    alone: bool,
    read_as: Option<ReadAs>,
    unread: Vec<Unread>,
    /// What is to be said of it.
    pub diagnostics: Vec<Diagnostic>,
}

/// The `apiVersion` of an object, which is none of the release, and the one as which it was read.
type ReadAs = (Rc<str>, &'static str);

/// A member that no field of the release reads: where it stands, as `kubectl explain` writes it, and on which line of the
/// object, from 0.
#[derive(Clone, Debug)]
struct Unread {
    field: String,
    line: u32,
}

/// An object as the release can read it, and what is to be said of that.
struct AsRead {
    object: Rc<Object>,
    read_as: Option<ReadAs>,
    unread: Vec<Unread>,
    diagnostics: Vec<Diagnostic>,
}

/// An object as found, ready for the store but for what the cluster gives it.
struct Found {
    hub: &'static ResourceType,
    value: Value,
    /// What the text says of the cluster's doing.
    kept: [(&'static [&'static str], Option<Value>); 4],
    created: Option<Value>,
}

/// Makes version-1 UUIDs: time, and a node that stays the same while the server runs.
#[derive(Clone, Debug)]
struct Uids {
    /// In 100 ns since 15 October 1582.
    last: u64,
    node: [u8; 8],
}

impl Cluster {
    /// A server's cluster over `store`, which was opened with `format`; the authorizers' informers know what is there.
    pub fn new(
        release: &'static Release,
        settings: Settings,
        store: Store,
        format: Format,
        authorizers: Authorizers,
        admission: Vec<Plugin>,
        world: &mut World,
    ) -> Self {
        let mut node: [u8; 8] = world.draw();
        // The variant of the clock sequence, and the multicast bit of a node that is no network card.
        let [sequence, _, address, ..] = &mut node;
        *sequence = *sequence & 0x3f | 0x80;
        *address |= 1;
        Self {
            release,
            settings,
            store,
            format,
            authorizers,
            admission,
            ended: None,
            touched: Touched::new(),
            defaults: Vec::new(),
            uids: Uids { last: 0, node },
        }
    }

    /// What the next server over the same store may know.
    pub fn before(&self) -> Before {
        Before { informers: self.authorizers.informers().clone(), defaults: self.defaults.clone() }
    }

    /// What the server has made, which started over an empty etcd in the world `before`; now it is `after`.
    pub(super) fn first_start(&self, before: World, after: World) -> FirstStart {
        FirstStart { cluster: self.clone(), worlds: [before, after] }
    }

    /// Has what `first` made, if this server, which started in the world `before`, would make the same.
    pub(super) fn start_as(&mut self, first: &FirstStart, before: &World, world: &mut World) -> bool {
        let FirstStart { cluster: made, worlds: [then, after] } = first;
        if !self.store.is_new()
            || self.release.version() != made.release.version()
            || self.authorizers.modes() != made.authorizers.modes()
            || self.admission != made.admission
            || self.settings != made.settings
            || before != then
            || made.store.range("").any(|(key, _)| self.format.fails_to_write(key).is_some())
        {
            return false;
        }
        self.store = made.store.unwritten();
        *self.authorizers.informers_mut() = made.authorizers.informers().clone();
        self.defaults.clone_from(&made.defaults);
        self.touched.clone_from(&made.touched);
        self.uids = made.uids.clone();
        *world = after.clone();
        true
    }

    /// A UID that nobody has, made at the world's time.
    pub fn new_uid(&mut self, world: &World) -> String {
        let since_epoch = world.now.timestamp_micros().unsigned_abs() * 10;
        // A few microseconds behind the creationTimestamp, and never the same twice.
        let ticks = (since_epoch + 0x01b2_1dd2_1381_4000 + 40).max(self.uids.last + 1);
        self.uids.last = ticks;
        let [a, b, c, d, e, f, g, h] = self.uids.node;
        let (low, mid, high) = (ticks & 0xffff_ffff, ticks >> 32 & 0xffff, ticks >> 48 & 0x0fff | 0x1000);
        format!("{low:08x}-{mid:04x}-{high:04x}-{a:02x}{b:02x}-{c:02x}{d:02x}{e:02x}{f:02x}{g:02x}{h:02x}")
    }

    /// Writes an object and tells the informers.
    pub fn put(&mut self, key: &str, object: Object) -> Rc<Object> {
        if let Some(failure) = self.format.fails_to_write(key) {
            self.ended = Some(failure);
            return Rc::new(object);
        }
        let object = self.store.put(key, object);
        self.authorizers.informers_mut().upsert(&object);
        self.touched.insert(key.to_owned(), None);
        object
    }

    /// Writes raw bytes, as `etcdctl put` does, and tells the informers.
    ///
    /// The server that meets them may end.
    pub fn put_bytes(&mut self, key: &str, bytes: &[u8]) {
        if let Some(Entry { object: Ok(before), .. }) = self.store.get(key) {
            self.authorizers.informers_mut().delete(before);
        }
        self.ended = self.store.put_bytes(key, bytes, Some(&self.format)).err();
        if let Some(Entry { object: Ok(object), .. }) = self.store.get(key) {
            self.authorizers.informers_mut().upsert(object);
        }
    }

    /// Removes an object and tells the informers; false where there was none.
    pub fn remove(&mut self, key: &str) -> bool {
        match self.store.delete(key) {
            Some(Entry { object: Ok(object), .. }) => {
                self.authorizers.informers_mut().delete(&object);
                self.touched.insert(key.to_owned(), Some(object));
                true
            }
            removed => removed.is_some(),
        }
    }

    /// What requests wrote since the last call.
    pub(super) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// Takes objects as found: with their status, and with names that the server would refuse.
    ///
    /// An object that is there already is replaced and keeps its UID. What is of another version of its group than
    /// the release has is read in that one. What is no object of the release is left out with an error, and the revision and
    /// the UID that it would have are nobody's; what the server would refuse is taken with a warning.
    pub fn load(&mut self, objects: Vec<Object>, world: &mut World) -> Vec<Diagnostic> {
        let load = |object| {
            let object = Rc::new(object);
            let loaded = self.load_object(&object, world);
            (object, loaded)
        };
        let loaded: Vec<_> = objects.into_iter().map(load).collect();
        let mut diagnostics = unserved(self.release, loaded.iter().map(|(object, loaded)| (&**object, loaded)));
        diagnostics.extend(loaded.into_iter().flat_map(|(_, loaded)| loaded.diagnostics));
        diagnostics
    }

    /// Takes one object as found: see [`Cluster::load`].
    pub fn load_object(&mut self, object: &Rc<Object>, world: &mut World) -> Loaded {
        let AsRead { object, read_as, unread, diagnostics } = self.as_read(object);
        let mut found = find(self.release, &object);
        let mut alone = found.as_ref().map_or(true, Found::is_alone);
        if let Ok(Found { value, .. }) = &mut found
            && text(value, "metadata.name").is_empty()
        {
            let name = rest::generate_name(text(value, "metadata.generateName"), world);
            set(value, &["metadata", "name"], Some(name.into()));
        }
        let old = found.as_ref().ok().and_then(|found| self.store.get(&found.key()));
        let old = old.and_then(|entry| entry.object.as_ref().ok()).map(|old| old.uid().to_owned());
        alone &= old.is_none();
        let uid = object.uid().is_empty().then(|| old.unwrap_or_else(|| self.new_uid(world)).into());
        let revision = self.store.revision() + 1;
        let place = Loaded { key: None, revision, uid, alone, read_as, unread, diagnostics };
        let (loaded, object) = self.place(&object, found, place, world);
        if let Some(object) = object {
            self.authorizers.informers_mut().upsert(&object);
        }
        self.store.advance(revision);
        loaded
    }

    /// Takes `object` in the place of what was loaded before: the cluster is then as if it had been loaded at that time.
    /// `None` where more than the one object would have become otherwise; the cluster is as it was.
    pub fn load_instead(&mut self, before: &Loaded, object: &Rc<Object>, world: &mut World) -> Option<Loaded> {
        let AsRead { object, read_as, unread, diagnostics } = self.as_read(object);
        let found = find(self.release, &object);
        let old = match &before.key {
            Some(key) => {
                let entry = self.store.get(key).filter(|it| it.version == 1 && it.revision == before.revision)?;
                Some(entry.object.clone().ok()?)
            }
            None => None,
        };
        let fits = |found: &Found| {
            let key = found.key();
            let is_free = before.key.as_ref() == Some(&key) || self.store.get(&key).is_none();
            is_free && found.is_alone()
        };
        let (now, then) = (found.as_ref().ok().map(|found| &found.value), old.as_ref().map(|old| &old.value));
        let has_uid = before.uid.is_none();
        if !before.alone
            || has_uid == object.uid().is_empty()
            || !found.as_ref().map_or(true, fits)
            || now.and_then(taken) != then.and_then(taken)
        {
            return None;
        }
        // What was told twice of those that refer to others has left its traces in the graph.
        let refers = |value: Option<&Value>| value.is_some_and(|value| text(value, "apiVersion") == "v1");
        let mut referring = ["/registry/pods/", "/registry/persistentvolumes/"].into_iter();
        let is_twice = |prefix| self.store.range(prefix).any(|(_, entry)| entry.version > 1);
        if (refers(now) || refers(then)) && referring.any(is_twice) {
            return None;
        }
        if let Some(key) = &before.key {
            self.store.withdraw(key);
        }
        let place = Loaded { key: None, read_as, unread, diagnostics, ..before.clone() };
        let (loaded, new) = self.place(&object, found, place, world);
        let told = || {
            let entries = self.store.range("").map(|(_, entry)| entry);
            entries.filter_map(|entry| Some((entry.created, entry.object.clone().ok()?))).collect()
        };
        self.authorizers.informers_mut().exchange(old.as_ref(), new.as_ref(), &told);
        Some(loaded)
    }

    /// Puts what was found in its place, if it was; tells nobody.
    fn place(
        &mut self,
        object: &Object,
        found: Result<Found, String>,
        mut place: Loaded,
        world: &mut World,
    ) -> (Loaded, Option<Rc<Object>>) {
        let mut stored = None;
        let problem = match found.and_then(|found| self.store_one(object, found, &place, world)) {
            Ok((key, object, warning)) => {
                (place.key, stored) = (Some(key), Some(object));
                warning.map(|warning| (Severity::Warning, warning))
            }
            Err(error) => Some((Severity::Error, error)),
        };
        if let Some((severity, message)) = problem {
            let at = object.origin.as_ref().map(|origin| origin.place(&[PathStep::Key("metadata")]));
            let at = at.filter(|_| severity == Severity::Warning);
            let at = at.or_else(|| object.origin.as_ref().map(|origin| origin.place(&[])));
            let (file, line) = at.map_or_else(|| (Rc::from(""), 0), |place| (place.file, place.line));
            place.diagnostics.push(Diagnostic { severity, file, line, column: 0, message });
        }
        (place, stored)
    }

    /// The object in a version that the release knows, with words that stand for text as text.
    fn as_read(&self, object: &Rc<Object>) -> AsRead {
        let mut object = object.clone();
        let mut diagnostics = Vec::new();
        let instead = self.release.served_instead(object.api_version(), object.kind());
        let read_as = instead.map(|version| {
            let given = object.api_version().into();
            set(&mut Rc::make_mut(&mut object).value, &["apiVersion"], Some(version.into()));
            (given, version)
        });
        if object.origin.as_ref().is_some_and(|origin| origin.has_spellings()) {
            diagnostics = read_words_as_text(self.release, Rc::make_mut(&mut object));
        }
        AsRead { unread: unread(self.release, &object), object, read_as, diagnostics }
    }

    /// Gives the key, the object and a warning, or why it is left out.
    fn store_one(
        &mut self,
        object: &Object,
        found: Found,
        place: &Loaded,
        world: &mut World,
    ) -> Result<(String, Rc<Object>, Option<String>), String> {
        let key = found.key();
        let Found { hub, mut value, kept, created } = found;
        rest::prepare_for_create(hub.kind, &mut value, &User::default());
        for (path, kept) in kept {
            if kept.is_some() {
                set(&mut value, path, kept);
            }
        }
        let uid = place.uid.as_deref().unwrap_or(object.uid()).to_owned();
        let nanos = fill_system_fields(&mut value, uid, world);
        let creation_nanos = if created.is_some() { 0 } else { nanos };
        if created.is_some() {
            set(&mut value, &["metadata", "creationTimestamp"], created);
        }
        rest::complete(hub.kind, &mut value);
        // The cluster where it was found ran it, whatever its server's flags were.
        let settings = Settings { allow_privileged: true, ..self.settings.clone() };
        let wrong = rest::validate(&settings, hub, &value);
        if hub.kind == "Service" && text(&value, "spec.clusterIP").is_empty() {
            // A full range leaves it without.
            let _ = rest::allocate(self, hub, &mut value, None, world);
        }
        let value = self.release.canonical(hub.api_version(), hub.kind, value)?;
        let name = text(&value, "metadata.name").to_owned();
        let object = Object { creation_nanos, ..Object::new(value, object.origin.clone()) };
        let object = self.store.put_at(&key, object, place.revision);
        let kind = hub.kind;
        let warning = wrong
            .map(|reason| format!("The API server would refuse {kind} {name:?}: {reason}. It is loaded as found."));
        Ok((key, object, warning))
    }

    /// `pod` on `node`, as a Binding makes it: with the condition `PodScheduled`.
    pub(super) fn bind(&self, pod: &Object, node: &str, annotations: Option<&Value>, world: &World) -> Object {
        let mut value = pod.value.clone();
        set(&mut value, &["spec", "nodeName"], Some(node.into()));
        for (key, annotation) in annotations.and_then(Value::as_object).into_iter().flatten() {
            set(&mut value, &["metadata", "annotations", key], Some(annotation.clone()));
        }
        set_condition(&mut value, "PodScheduled", world);
        let kept = value.clone();
        let value = self.release.canonical("v1", "Pod", value).unwrap_or(kept);
        Object { creation_nanos: pod.creation_nanos, ..Object::new(value, pod.origin.clone()) }
    }
}

/// What is to be said of what objects have and the release has not: once for each `apiVersion`, and once for each field of a
/// kind, where the first object has it.
pub fn unserved<'a>(release: &Release, loaded: impl Iterator<Item = (&'a Object, &'a Loaded)>) -> Vec<Diagnostic> {
    let mut versions: SortedMap<&ReadAs, (&Object, usize)> = SortedMap::new();
    let mut fields: SortedMap<&str, SortedMap<&str, (&Object, &Unread, usize)>> = SortedMap::new();
    for (object, loaded) in loaded.filter(|(_, loaded)| loaded.key.is_some()) {
        if let Some(read_as) = &loaded.read_as {
            versions.get_or_insert_with(read_as, || (object, 0)).1 += 1;
        }
        for unread in &loaded.unread {
            let of_kind = fields.get_or_default(object.kind());
            of_kind.get_or_insert_with(&unread.field, || (object, unread, 0)).2 += 1;
        }
    }
    let release = release.version();
    let warn = |object: &Object, below: u32, message| {
        let place = object.origin.as_ref().map(|origin| origin.place(&[]));
        let (file, line) = place.map_or_else(|| (Rc::from(""), 0), |place| (place.file, place.line + below));
        Diagnostic { severity: Severity::Warning, file, line, column: 0, message }
    };
    let version = |((given, read_as), (object, count)): (&&ReadAs, &(&Object, usize))| {
        let objects = if *count == 1 { "One object is".to_owned() } else { format!("{count} objects are") };
        let message = format!("Kubernetes {release} has no {given}. {objects} read as {read_as} instead.");
        warn(object, line_below(object, &[PathStep::Key("apiVersion")]), message)
    };
    let field = |kind: &str, field: &str, (object, unread, count): &(&Object, &Unread, usize)| {
        let objects = if *count == 1 { String::new() } else { format!(", here and in {} more", count - 1) };
        warn(
            object,
            unread.line,
            format!("Kubernetes {release} has no field {field} of {kind} and ignores it{objects}."),
        )
    };
    let mut told: Vec<Diagnostic> = versions.iter().map(version).collect();
    for (kind, fields) in &fields {
        told.extend(fields.iter().map(|(name, first)| field(kind, name, first)));
    }
    told
}

/// The members of `object` that no field of its type reads, each once, however many elements of a list have it. What servers
/// of other releases wrote down for themselves is nobody's wish.
fn unread(release: &Release, object: &Object) -> Vec<Unread> {
    let mut found: Vec<Unread> = Vec::new();
    release.unread(object.api_version(), object.kind(), &object.value, &mut |path| {
        let keys = path.iter().filter_map(|step| match step {
            PathStep::Key(key) => Some(*key),
            PathStep::Index(_) => None,
        });
        let field = keys.collect::<Vec<_>>().join(".");
        let is_the_servers = field.starts_with("status.") || field == "metadata.managedFields";
        if !is_the_servers && !found.iter().any(|known| known.field == field) {
            found.push(Unread { field, line: line_below(object, path) });
        }
    });
    found
}

/// How many lines below the first line of `object` a part of it stands.
fn line_below(object: &Object, path: &[PathStep<'_>]) -> u32 {
    let line = |path: &[PathStep<'_>]| object.origin.as_ref().map_or(0, |origin| origin.place(path).line);
    line(path).saturating_sub(line(&[]))
}

/// The object as the store would hold it, or why it is left out.
fn find(release: &'static Release, object: &Object) -> Result<Found, String> {
    let (api_version, kind) = (object.api_version(), object.kind());
    let Some(resource) = release.resource_of(api_version, kind) else {
        let version = release.version();
        let mut known: Vec<&str> =
            release.resources().iter().filter(|it| it.kind == kind).map(|it| it.api_version).collect();
        known.dedup();
        let hint = if api_version.is_empty() || kind.is_empty() {
            "Every object says its `apiVersion` and `kind`.".to_owned()
        } else if known.is_empty() {
            "Check `apiVersion` and `kind`.".to_owned()
        } else {
            format!("It has one in {}.", known.join(", "))
        };
        return Err(format!(
            "Kubernetes {version} has no kind {kind:?} in {api_version:?}; the object is left out. {hint}"
        ));
    };
    let hub = release.resource_of(resource.storage_version, kind).unwrap_or(resource);
    let decoded = release.decode(api_version, kind, object.value.clone());
    let decoded = decoded.map_err(|reason| format!("{kind} {:?} cannot be read: {reason}", object.name()))?;
    let mut value = rest::to_hub(release, resource, hub, decoded);
    // What the text says of the cluster's doing is how it was found.
    let said: [&[&str]; 4] = [&["status"], &["metadata", "generation"], &["spec", "username"], &["spec", "groups"]];
    let part = |value: &Value, path: &[&str]| path.iter().try_fold(value, |value, key| value.get(*key)).cloned();
    let kept = said.map(|path| (path, part(&object.value, path).and_then(|_| part(&value, path))));
    let created = member(&value, "metadata.creationTimestamp").cloned();
    if hub.namespaced {
        if text(&value, "metadata.namespace").is_empty() {
            set(&mut value, &["metadata", "namespace"], Some("default".into()));
        }
    } else {
        set(&mut value, &["metadata", "namespace"], None);
    }
    if text(&value, "metadata.name").is_empty() && text(&value, "metadata.generateName").is_empty() {
        return Err(format!("This {kind} has no metadata.name and is left out."));
    }
    Ok(Found { hub, value, kept, created })
}

impl Found {
    fn key(&self) -> String {
        self.hub.key(text(&self.value, "metadata.namespace"), text(&self.value, "metadata.name"))
    }

    /// Whether nothing is drawn for it, and no controller looks for it that makes what is missing.
    fn is_alone(&self) -> bool {
        let is_own = match self.hub.kind {
            "Service" => !text(&self.value, "spec.clusterIP").is_empty(),
            "ServiceAccount" => text(&self.value, "metadata.name") != "default",
            "Secret" => text(&self.value, "type") != TOKEN,
            _ => true,
        };
        is_own && !text(&self.value, "metadata.name").is_empty()
    }
}

/// What a service takes that no other can have.
fn taken(value: &Value) -> Option<(&str, Vec<&Value>)> {
    let ports = list(value, "spec.ports").iter().filter_map(|port| member(port, "nodePort"));
    (text(value, "kind") == "Service").then(|| (text(value, "spec.clusterIP"), ports.collect()))
}

/// Booleans of one object that are looked at: each may cost another reading of the object.
const MOST_WORDS: usize = 200;

/// Turns words that YAML 1.1 takes for booleans (`n`, `yes`, `off`) back into text where the object cannot be read with
/// the boolean: the reader that made the cluster took them for text, or they would not be in it.
fn read_words_as_text(release: &Release, object: &mut Object) -> Vec<Diagnostic> {
    let Some(origin) = object.origin.clone().filter(|origin| origin.has_spellings()) else { return Vec::new() };
    let (api_version, kind) = (object.api_version().to_owned(), object.kind().to_owned());
    let reads = |value: &Value| release.decode(&api_version, &kind, value.clone()).is_ok();
    if reads(&object.value) {
        return Vec::new();
    }
    let mut words = Vec::new();
    let mut looked_at = 0;
    find_booleans(&object.value, &mut Vec::new(), &mut |path| {
        looked_at += 1;
        if looked_at <= MOST_WORDS {
            words.extend(origin.spelling(path).map(|word| (pointer(path), origin.place(path), word.to_owned())));
        }
    });
    let set = |value: &mut Value, pointer: &str, new: Value| {
        value.pointer_mut(pointer).map(|part| std::mem::replace(part, new)).unwrap_or_default()
    };
    // Every type takes null, so that each word can be tried alone.
    let mut bare = object.value.clone();
    let booleans: Vec<Value> = words.iter().map(|(pointer, ..)| set(&mut bare, pointer, Value::Null)).collect();
    if !reads(&bare) {
        return Vec::new();
    }
    let mut diagnostics = Vec::new();
    for ((pointer, place, word), boolean) in words.into_iter().zip(booleans) {
        set(&mut bare, &pointer, boolean);
        if !reads(&bare) {
            set(&mut object.value, &pointer, word.as_str().into());
            let message = format!(
                "Kubernetes reads the bare word `{word}` as a boolean and would refuse this {kind} for it: put it in quotes. \
                 It is loaded as text."
            );
            let severity = Severity::Warning;
            diagnostics.push(Diagnostic { severity, file: place.file, line: place.line, column: 0, message });
        }
        set(&mut bare, &pointer, Value::Null);
    }
    diagnostics
}

fn find_booleans<'a>(value: &'a Value, path: &mut Vec<PathStep<'a>>, found: &mut impl FnMut(&[PathStep<'_>])) {
    let mut below = |step, part, found: &mut _| {
        path.push(step);
        find_booleans(part, path, found);
        path.pop();
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, part)| below(PathStep::Key(key), part, found)),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, part)| below(PathStep::Index(index), part, found))
        }
        Value::Bool(_) => found(path),
        _ => {}
    }
}

/// A path as RFC 6901 writes it.
fn pointer(path: &[PathStep<'_>]) -> String {
    let step = |step: &PathStep<'_>| match step {
        PathStep::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
        PathStep::Index(index) => format!("/{index}"),
    };
    path.iter().map(step).collect()
}

/// Sets a pod's condition to true.
pub(super) fn set_condition(pod: &mut Value, name: &str, world: &World) {
    let mut conditions = list(pod, "status.conditions").to_vec();
    conditions.retain(|condition| text(condition, "type") != name);
    let now = time::rfc3339(world.now);
    conditions.push(json::object([
        ("type", name.into()),
        ("status", "True".into()),
        ("lastProbeTime", Value::Null),
        ("lastTransitionTime", now.into()),
    ]));
    set(pod, &["status", "conditions"], Some(conditions.into()));
}
