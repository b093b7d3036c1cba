//! One document being run: the server, the files, the shell's variables, and the clock.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use portcullis_core::apiserver::{Earlier, Exchange, File, Files, Response};
use portcullis_core::audit::{self, Delivery};
use portcullis_core::graph::View;
use portcullis_core::manifest::{Diagnostic, Object, Origin, Standing};
use portcullis_core::release::Release;
use portcullis_core::request::Request;
use portcullis_core::sort::SortedMap;
use portcullis_core::storage::{Entry, Format, Store};
use portcullis_core::world::World;

use portcullis_core::apiserver::Server;
use portcullis_core::apiserver::cluster::{Before, Cluster, Loaded};

use crate::budget::{self, Budget};

/// The path that a flag may name, and the file's own name.
fn path_of(flag: &str) -> (&str, &str) {
    let path = flag.split_once('=').map_or(flag, |(_, value)| value);
    (path, path.rsplit('/').next().unwrap_or_default())
}

/// One pair of etcd, with the revisions that etcd keeps of it.
pub(crate) struct KeyValue {
    pub(crate) key: String,
    pub(crate) value: Rc<[u8]>,
    pub(crate) created: u64,
    pub(crate) revision: u64,
    pub(crate) version: u64,
}

/// The API server is not running: its last start failed. A client says `Connection refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning;

/// Where a request over the network ends that reaches nobody: curl's status and message.
pub type Unreachable = (u8, String);

/// What the commands of a document share. A clone costs little however much the cluster holds.
#[derive(Clone)]
pub struct Session {
    /// The shell's variables.
    pub(crate) variables: SortedMap<String, String>,
    /// The exit status of the last command.
    pub(crate) status: u8,
    release: &'static Release,
    source: Rc<str>,
    files: Files,
    /// What redirections wrote, by name, with the line of the step.
    written: SortedMap<String, (Vec<u8>, u32)>,
    kept: Budget,
    world: World,
    line: u32,
    origin: Option<Rc<Origin>>,
    machine: Machine,
    exchanges: Vec<Exchange>,
    notes: Vec<String>,
    audit: AuditBackends,
}

/// What stands behind the audit backends of every server that ran.
#[derive(Clone, Default)]
struct AuditBackends {
    log: Vec<String>,
    deliveries: Vec<Delivery>,
    /// URLs of webhooks.
    webhooks: Vec<String>,
    warnings: Vec<Diagnostic>,
    rules: Vec<Standing>,
}

/// The machine that the API server runs on.
#[derive(Clone)]
enum Machine {
    Running(Box<Server>),
    /// Nothing runs; what etcd holds stays, and what the last server knew of it, unless something has changed it since.
    Stopped(Store, Option<Box<Before>>),
}

/// What a request for the health of the control plane's parts leaves to be said.
const COMPONENTS: &str = "A real API server asks the scheduler, the controller manager and etcd for their health and lists \
    them as componentstatuses. Here nobody is there to be asked: only what manifests hold is listed.";

/// As much of the endless `/dev/urandom` as a program sees.
const RANDOM: usize = 64 << 10;

impl Default for Machine {
    fn default() -> Self {
        Self::Stopped(Store::default(), None)
    }
}

impl Session {
    /// A session of the document `source`, with no server yet and an empty etcd.
    pub fn new(release: &'static Release, source: Rc<str>, files: Files, world: World) -> Self {
        Self {
            variables: SortedMap::from_iter([("HOME".to_owned(), "/home/admin".to_owned())]),
            status: 0,
            release,
            source,
            files,
            written: SortedMap::new(),
            kept: budget::KEPT,
            world,
            line: 0,
            origin: None,
            machine: Machine::default(),
            exchanges: Vec::new(),
            notes: Vec::new(),
            audit: AuditBackends::default(),
        }
    }

    /// Starts the API server over what etcd holds, after it was stopped if it ran.
    ///
    /// # Errors
    ///
    /// The exit status and what the server printed, where it does not start.
    pub fn restart(&mut self, flags: &[String]) -> Result<(), (u8, String)> {
        self.restart_like(None, flags)
    }

    /// The same; what a server made at its first start in the session `like` is not made again where it would be the same.
    pub(crate) fn restart_like(&mut self, like: Option<&Self>, flags: &[String]) -> Result<(), (u8, String)> {
        let first = like.and_then(|like| like.server()?.first_start());
        let (store, before) = match std::mem::take(&mut self.machine) {
            Machine::Running(server) => {
                let before = Box::new(server.cluster().before());
                (server.stop(), Some(before))
            }
            Machine::Stopped(store, before) => (store, before),
        };
        let files = self.files_for(flags);
        let earlier = match (&before, first) {
            (Some(before), _) => Earlier::Stopped(before),
            (None, Some(first)) => Earlier::First(first),
            (None, None) => Earlier::Unknown,
        };
        match Server::start_after(earlier, self.release, flags, &files, store, &mut self.world) {
            Ok(server) => {
                self.notes = server.notes().to_vec();
                let auditor = server.auditor();
                self.audit.webhooks.extend(auditor.webhook_url().map(str::to_owned));
                if let Some(policy) = auditor.policy() {
                    let standing = policy.standing();
                    // The same policy may start more than one server.
                    if !standing.iter().any(|rule| self.audit.rules.contains(rule)) {
                        self.audit.warnings.extend(policy.unread());
                        self.audit.warnings.extend(standing.iter().filter_map(Standing::warning));
                        self.audit.rules.extend(standing);
                    }
                }
                self.machine = Machine::Running(Box::new(server));
                Ok(())
            }
            Err(stopped) => {
                self.machine = Machine::Stopped(stopped.store, before.filter(|_| !stopped.read));
                Err((stopped.exit, stopped.message))
            }
        }
    }

    /// The files that flags can name: what is written `/etc/kubernetes/audit.yaml` is the document's `audit.yaml`.
    fn files_for(&self, flags: &[String]) -> Files {
        let mut files = self.files.clone();
        let written = self.written.keys().filter_map(|name| Some((name.clone(), self.file(name)?)));
        files.extend(written);
        let named = flags.iter().filter_map(|flag| {
            let (path, name) = path_of(flag);
            (!files.contains_key(path)).then(|| Some((path.to_owned(), files.get(name)?.clone())))?
        });
        let named: Vec<(String, File)> = named.collect();
        files.extend(named);
        files
    }

    /// Those of the document's files that flags name, as [`Session::restart`] finds them.
    pub(crate) fn files_named(&self, flags: &[String]) -> Vec<(String, File)> {
        let named = flags.iter().filter_map(|flag| {
            let (path, name) = path_of(flag);
            let file = self.files.get(path).or_else(|| self.files.get(name))?;
            Some((path.to_owned(), file.clone()))
        });
        named.collect()
    }

    /// Says something of the step at hand that no program would print.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What the flags of the last start, or requests since, ask for and is not done.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The session with other files.
    pub(crate) fn with_files(self, files: Files) -> Self {
        Self { files, ..self }
    }

    /// Loads an object of a cluster as found; `None` where no server runs.
    pub(crate) fn load(&mut self, object: &Rc<Object>) -> Option<Loaded> {
        match &mut self.machine {
            Machine::Running(server) => Some(server.load_object(object, &mut self.world)),
            Machine::Stopped(..) => None,
        }
    }

    /// Loads `object` in the place of another, as if it had been there at once; `None` where that would change more.
    pub(crate) fn load_instead(&mut self, before: &Loaded, object: &Rc<Object>) -> Option<Loaded> {
        match &mut self.machine {
            Machine::Running(server) => server.load_instead(before, object, &mut self.world),
            Machine::Stopped(..) => None,
        }
    }

    /// Lets the controllers, the scheduler and the kubelets do what is theirs, and batches leave whose time has come.
    pub fn settle(&mut self) {
        if let Machine::Running(server) = &mut self.machine {
            server.settle(&mut self.world);
            self.bury();
        }
        self.take_audit();
    }

    /// Brings what the audit backends wrote to where it belongs.
    fn take_audit(&mut self) {
        let Machine::Running(server) = &mut self.machine else { return };
        let outbox = server.take_audit();
        let path = server.auditor().log_path().filter(|path| *path != "-").map(str::to_owned);
        self.audit.deliveries.extend(outbox.deliveries);
        self.audit.log.extend(outbox.log.lines().map(str::to_owned));
        if let Some(path) = path.filter(|_| !outbox.log.is_empty()) {
            self.write(&path, outbox.log.as_bytes());
        }
    }

    /// Sends one request; what it creates comes from the step's line unless the request says otherwise.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] where there is no server to answer.
    pub fn send(&mut self, mut request: Request) -> Result<Response, NotRunning> {
        let Machine::Running(server) = &mut self.machine else { return Err(NotRunning) };
        request.origin = request.origin.or_else(|| self.origin.clone());
        if request.source_ip.is_empty() {
            "127.0.0.1".clone_into(&mut request.source_ip);
        }
        let exchange = server.handle(request, &mut self.world);
        let response = exchange.response.clone();
        self.audit.warnings.extend(exchange.audit.as_ref().and_then(|audited| audited.warning.clone()));
        let asks_components = exchange.info.as_ref().is_some_and(|info| info.resource == "componentstatuses");
        if asks_components && matches!(response.status, 200 | 404) {
            self.note(COMPONENTS.to_owned());
        }
        self.exchanges.push(exchange);
        self.take_audit();
        // A request at which the server ends gets no answer.
        match self.bury() {
            None => Ok(response),
            Some(_) => Err(NotRunning),
        }
    }

    /// Notices that the server ended by itself, and says what it printed.
    fn bury(&mut self) -> Option<String> {
        let message = self.server()?.ended()?;
        if let Machine::Running(server) = std::mem::take(&mut self.machine) {
            self.machine = Machine::Stopped(server.stop(), None);
        }
        Some(message)
    }

    /// What etcd holds, and how the server writes it that runs over it.
    pub(crate) fn with_etcd<R>(&self, ask: impl FnOnce(&Store, &Format) -> R) -> R {
        match &self.machine {
            Machine::Running(server) => ask(&server.cluster().store, &server.cluster().format),
            Machine::Stopped(store, _) => ask(store, &Format::plain(self.release)),
        }
    }

    /// What etcd holds under the keys that begin with `prefix`.
    pub(crate) fn etcd(&self, prefix: &str) -> Vec<KeyValue> {
        self.with_etcd(|store, format| {
            let pair = |(key, entry): (&str, &Entry)| KeyValue {
                key: key.to_owned(),
                value: entry.bytes(key, format),
                created: entry.created,
                revision: entry.revision,
                version: entry.version,
            };
            store.range(prefix).map(pair).collect()
        })
    }

    /// The revision of the last write.
    pub(crate) fn etcd_revision(&self) -> u64 {
        self.with_etcd(|store, _| store.revision())
    }

    /// Writes to etcd, past the server; what a server printed that ends at this value.
    pub(crate) fn etcd_put(&mut self, key: &str, value: &[u8]) -> Option<String> {
        match &mut self.machine {
            Machine::Running(server) => server.put_bytes(key, value),
            // Whoever starts next reads it.
            Machine::Stopped(store, before) => {
                *before = None;
                let _ = store.put_bytes(key, value, None);
            }
        }
        self.bury()
    }

    /// Removes a key from etcd, past the server.
    pub(crate) fn etcd_delete(&mut self, key: &str) {
        match &mut self.machine {
            Machine::Running(server) => drop(server.delete_key(key)),
            Machine::Stopped(store, before) => {
                *before = None;
                drop(store.delete(key));
            }
        }
    }

    /// Sends a request to whoever answers at `authority`: the API server, or a webhook's receiver.
    ///
    /// # Errors
    ///
    /// curl's status and message where nobody does.
    pub(crate) fn fetch(
        &mut self,
        scheme: &str,
        authority: &str,
        mut request: Request,
    ) -> Result<Response, Unreachable> {
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if port.parse::<u16>().is_ok() => (host, port),
            _ => (authority, if scheme == "https" { "443" } else { "80" }),
        };
        let url = format!("{scheme}://{authority}");
        if self.audit.webhooks.iter().any(|webhook| audit::same_server(webhook, &url)) {
            let arrived = self.audit.deliveries.iter().filter(|delivery| audit::same_server(&delivery.url, &url));
            let texts: Vec<String> = arrived.map(Delivery::to_text).collect();
            return Ok(Response { status: 200, headers: Vec::new(), body: texts.join("\n").into_bytes() });
        }
        let names = [
            "apiserver",
            "kube-apiserver",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "localhost",
            "127.0.0.1",
        ];
        let refused = (7, format!("Failed to connect to {host} port {port}: Connection refused"));
        let loopback = matches!(host, "localhost" | "127.0.0.1");
        let insecure_port = self.server().and_then(Server::insecure_port);
        request.insecure = loopback && insecure_port.is_some_and(|open| open.to_string() == port);
        if port != "6443" && !(port == "443" && names.contains(&host)) && !request.insecure {
            return Err(if loopback { refused } else { (6, format!("Could not resolve host: {host}")) });
        }
        match (scheme, request.insecure) {
            ("https", true) => {
                Err((35, "the insecure port of the API server speaks http, which knows no TLS".to_owned()))
            }
            ("http", false) => {
                Err((52, "Empty reply from server: the API server speaks https on this port".to_owned()))
            }
            _ => self.send(request).map_err(|NotRunning| refused),
        }
    }

    /// A file of the document, or one that a step wrote, as text. A path to it means it too: `./rbac.yaml`,
    /// `/etc/kubernetes/rbac.yaml`.
    pub fn file(&self, name: &str) -> Option<File> {
        let name = self.own_name(name);
        match self.written.get(name) {
            Some((bytes, line)) => Some(File {
                source: self.source.clone(),
                first_line: *line,
                text: String::from_utf8_lossy(bytes).into(),
            }),
            None => self.files.get(name).cloned(),
        }
    }

    /// A file of the document, one that a step wrote, or a log of the server.
    pub fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        match name {
            "/dev/null" => return Some(Vec::new()),
            "/dev/urandom" | "/dev/random" => return Some(self.random(RANDOM)),
            _ => {}
        }
        let name = self.own_name(name);
        if let Some((bytes, _)) = self.written.get(name) {
            return Some(bytes.clone());
        }
        self.files.get(name).map(|file| file.text.as_bytes().to_vec())
    }

    /// The name under which a file is kept that `path` leads to.
    fn own_name<'a>(&self, path: &'a str) -> &'a str {
        if self.written.contains_key(path) || self.files.contains_key(path) {
            return path;
        }
        path.rsplit('/').next().unwrap_or(path)
    }

    /// Random bytes: the same in every replay of the document, and others on every line of it.
    pub(crate) fn random(&self, count: usize) -> Vec<u8> {
        let mut world = self.world.apart(format!("urandom@{}", self.line).as_bytes());
        std::iter::repeat_with(|| world.draw::<32>()).flatten().take(count).collect()
    }

    /// Makes `name` an empty file.
    pub(crate) fn truncate(&mut self, name: &str) {
        if name != "/dev/null" {
            self.written.insert(name.to_owned(), (Vec::new(), self.line));
        }
    }

    /// What a command made is to stay: `count` bytes.
    ///
    /// # Errors
    ///
    /// There are too many of them.
    pub(crate) fn keep(&mut self, count: usize) -> Result<(), &'static str> {
        self.kept.take(count)
    }

    /// Gives a variable its value.
    ///
    /// # Errors
    ///
    /// As [`Session::keep`].
    pub(crate) fn assign(&mut self, name: String, value: String) -> Result<(), &'static str> {
        self.keep(value.len())?;
        self.variables.insert(name, value);
        Ok(())
    }

    /// Writes what a command printed behind what the file `name` holds.
    ///
    /// # Errors
    ///
    /// As [`Session::keep`].
    pub(crate) fn append(&mut self, name: &str, bytes: &[u8]) -> Result<(), &'static str> {
        if name != "/dev/null" {
            self.keep(bytes.len())?;
            self.write(name, bytes);
        }
        Ok(())
    }

    fn write(&mut self, name: &str, bytes: &[u8]) {
        if !self.written.contains_key(name) {
            let before = self.bytes(name).unwrap_or_default();
            self.written.insert(name.to_owned(), (before, self.line));
        }
        if let Some((file, _)) = self.written.get_mut(name) {
            file.extend(bytes);
        }
    }

    /// Puts a file of the document in its place: a later fence of the same title is the file as it is from there on.
    pub(crate) fn place(&mut self, name: &str, file: File) {
        self.written.remove(name);
        self.files.insert(name.to_owned(), file);
    }

    /// The release of the API server.
    pub fn release(&self) -> &'static Release {
        self.release
    }

    pub(crate) fn source(&self) -> Rc<str> {
        self.source.clone()
    }

    /// The clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.world.now
    }

    pub(crate) fn set_clock(&mut self, now: DateTime<Utc>) {
        self.world.now = now;
    }

    /// A step begins on these lines of the document.
    pub(crate) fn begin(&mut self, line: u32, end_line: u32) {
        self.line = line;
        self.origin = Some(Rc::new(Origin::lines(self.source.clone(), line, end_line)));
        self.exchanges.clear();
    }

    /// The server's cluster; `None` where no server runs.
    pub(crate) fn cluster(&self) -> Option<&Cluster> {
        self.server().map(Server::cluster)
    }

    fn server(&self) -> Option<&Server> {
        match &self.machine {
            Machine::Running(server) => Some(server),
            Machine::Stopped(..) => None,
        }
    }

    /// What the cluster's objects name and nobody created.
    pub(crate) fn problems(&self) -> Vec<Diagnostic> {
        match &self.machine {
            Machine::Running(server) => {
                let informers = server.cluster().authorizers.informers();
                let mut problems = informers.graph().problems();
                problems.extend(informers.rbac().problems(self.release));
                problems
            }
            Machine::Stopped(..) => Vec::new(),
        }
    }

    /// The rules of the roles and of the audit policies that servers had; and how many rules of roles are left out, since
    /// nobody reads the marks of so many and each is paid for at every keystroke.
    pub(crate) fn standing(&self) -> (Vec<Standing>, usize) {
        const MOST: usize = 500;
        let mut standing = self.audit.rules.clone();
        let Machine::Running(server) = &self.machine else { return (standing, 0) };
        match server.cluster().authorizers.informers().rbac().standing(self.release, MOST) {
            Ok(roles) => standing.extend(roles),
            Err(count) => return (standing, count),
        }
        (standing, 0)
    }

    /// Which node reaches which object, as far as a page can show it; nothing where no server runs.
    pub(crate) fn graph(&self) -> View {
        const VERTICES: usize = 10_000;
        self.cluster().map(|cluster| cluster.authorizers.informers().graph().view(VERTICES)).unwrap_or_default()
    }

    /// The lines that the audit log got, and what arrived at webhooks, oldest first.
    pub(crate) fn audit(&self) -> (&[String], &[Delivery]) {
        (&self.audit.log, &self.audit.deliveries)
    }

    /// What people should know about the audit policies that were used.
    pub(crate) fn take_warnings(&mut self) -> Vec<Diagnostic> {
        std::mem::take(&mut self.audit.warnings)
    }

    /// The requests of the step that ran.
    pub(crate) fn take_exchanges(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.exchanges)
    }
}
