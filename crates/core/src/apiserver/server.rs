//! A running API server.

use std::rc::Rc;

use super::cluster::{Before, Cluster, FirstStart, Loaded};
use super::rest::{self, Answer, Call};
use super::reviews::{self, Review};
use super::routes::{Facts, Route, route};
use super::start::{self, Parts};
use super::wire::Reply;
use super::{Exchange, Files, Reviewed, bootstrap, filters, negotiation};
use crate::admission::{self, Operation};
use crate::audit::{Audited, Auditor, Outbox, Trail};
use crate::authentication::impersonation::{self, Impersonation};
use crate::authentication::{Authenticators, Identity};
use crate::authorization::{Attributes, Authorizers, Decision, Mode, Verdict};
use crate::encryption::Failure;
use crate::manifest::{Diagnostic, Object, Value};
use crate::release::Release;
use crate::request::{Request, RequestInfo, Url};
use crate::status::Status;
use crate::storage::{self, Format, Store};
use crate::world::World;

/// A server over an etcd, as its flags configure it.
#[derive(Clone, Debug)]
pub struct Server {
    cluster: Cluster,
    /// Where it started over an empty etcd.
    first: Option<Rc<FirstStart>>,
    authenticators: Authenticators,
    auditor: Auditor,
    address: String,
    insecure_port: Option<u16>,
    notes: Vec<String>,
}

/// A server that did not start.
#[derive(Debug)]
pub struct Stopped {
    /// The etcd as it was.
    pub store: Store,
    /// What the program prints.
    pub message: String,
    /// Its exit status.
    pub exit: u8,
    /// Whether it had read what was stored.
    pub read: bool,
}

/// What is known of servers that started before, so that the next one need not do all of it again.
#[derive(Clone, Copy, Debug)]
pub enum Earlier<'a> {
    /// Nothing.
    Unknown,
    /// What the one knew that left the store.
    Stopped(&'a Before),
    /// What one made over an empty store.
    First(&'a FirstStart),
}

/// What an [`Exchange`] tells of a request's way.
#[derive(Default)]
struct Trace {
    info: Option<RequestInfo>,
    identity: Option<Identity>,
    refused: Vec<String>,
    impersonation: Vec<Decision>,
    decision: Option<Decision>,
    review: Option<Reviewed>,
    admission: Vec<admission::Step>,
    etcd: Vec<storage::Write>,
    audit: Option<Audited>,
}

impl Server {
    /// Starts a server as `kube-apiserver FLAGS` does, over what `store` holds.
    ///
    /// Objects that every server makes at its start are there afterwards: the system namespaces, the service
    /// `kubernetes`, and, where RBAC is on, the default roles and bindings.
    pub fn start(
        release: &'static Release,
        flags: &[String],
        files: &Files,
        store: Store,
        world: &mut World,
    ) -> Result<Self, Stopped> {
        Self::start_after(Earlier::Unknown, release, flags, files, store, world)
    }

    /// The same, with what is known of `earlier` starts.
    pub fn start_after(
        earlier: Earlier<'_>,
        release: &'static Release,
        flags: &[String],
        files: &Files,
        store: Store,
        world: &mut World,
    ) -> Result<Self, Stopped> {
        let Parts {
            authenticators,
            modes,
            abac,
            admission,
            encryption,
            auditor,
            address,
            insecure_port,
            settings,
            notes,
        } = match start::parts(flags, files, world.now) {
            Ok(parts) => parts,
            Err((message, exit)) => return Err(Stopped { store, message, exit, read: false }),
        };
        let before = if let Earlier::Stopped(before) = earlier { Some(before) } else { None };
        let (is_first, start) = (store.is_new(), world.clone());
        let format = Format::new(release, &encryption, world);
        let mut store = store;
        let reread = match store.open(&format) {
            Ok(reread) => reread,
            Err(failure) => return Err(Stopped { store, message: panic_message(failure), exit: 2, read: true }),
        };
        let mut authorizers = Authorizers::new(release, &modes, abac);
        let objects = store.range("").filter_map(|(_, entry)| entry.object.as_ref().ok());
        authorizers.informers_mut().list(objects, before.map(|before| (&before.informers, &*reread)));
        let mut cluster = Cluster::new(release, settings, store, format, authorizers, admission, world);
        let is_known = match earlier {
            Earlier::First(first) => cluster.start_as(first, &start, world),
            _ => false,
        };
        if !is_known {
            bootstrap::run(&mut cluster, before, world);
        }
        let first = is_first.then(|| Rc::new(cluster.first_start(start, world.clone())));
        let server = Self { cluster, first, authenticators, auditor, address, insecure_port, notes };
        match server.ended() {
            Some(message) => Err(Stopped { store: server.stop(), message, exit: 2, read: true }),
            None => Ok(server),
        }
    }

    /// Ends the server; what it stored stays.
    pub fn stop(mut self) -> Store {
        self.cluster.store.close(&self.cluster.format);
        self.cluster.store
    }

    /// What the process printed when it ended by itself: it met a value that it panics at, or was to write one without
    /// a provider. It answers nothing from then on; a request at which it ends gets no answer.
    pub fn ended(&self) -> Option<String> {
        self.cluster.ended.map(panic_message)
    }

    /// Writes raw bytes to etcd, past the server, which reads them.
    pub fn put_bytes(&mut self, key: &str, bytes: &[u8]) {
        self.cluster.put_bytes(key, bytes);
    }

    /// Removes a key from etcd, past the server; false where it was not there.
    pub fn delete_key(&mut self, key: &str) -> bool {
        self.cluster.remove(key)
    }

    /// Puts objects into the store as they were found, without asking who may.
    pub fn load(&mut self, objects: Vec<Object>, world: &mut World) -> Vec<Diagnostic> {
        self.cluster.load(objects, world)
    }

    /// Puts one object into the store as it was found.
    pub fn load_object(&mut self, object: &Rc<Object>, world: &mut World) -> Loaded {
        self.cluster.load_object(object, world)
    }

    /// Puts `object` where another was loaded, as if it had been loaded then; `None` where that would change more.
    pub fn load_instead(&mut self, before: &Loaded, object: &Rc<Object>, world: &mut World) -> Option<Loaded> {
        self.cluster.load_instead(before, object, world)
    }

    /// Lets the stand-ins for controllers, scheduler and kubelets do what is due, and audit batches leave.
    pub fn settle(&mut self, world: &mut World) {
        self.cluster.settle(world);
        self.auditor.advance(world.now);
    }

    /// What the server serves.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// What it made at its start, where it found an empty etcd.
    pub fn first_start(&self) -> Option<&FirstStart> {
        self.first.as_deref()
    }

    /// The port of the loopback interface at which everybody may do everything, unless it is closed.
    pub fn insecure_port(&self) -> Option<u16> {
        self.insecure_port
    }

    /// What its flags ask for and is not done here, one sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Its audit policy and backends.
    pub fn auditor(&self) -> &Auditor {
        &self.auditor
    }

    /// What the audit backends wrote and sent since the last call.
    pub fn take_audit(&mut self) -> Outbox {
        self.auditor.take()
    }

    /// The `status` that answers the `spec` of a SubjectAccessReview of any version; the error is what is wrong with it.
    pub fn review(&self, spec: &Value) -> Result<Value, String> {
        reviews::status_of(spec, &self.cluster.authorizers)
    }

    /// Answers a request.
    pub fn handle(&mut self, request: Request, world: &mut World) -> Exchange {
        let mut trace = Trace::default();
        let reply = self.serve(&request, &mut trace, world);
        let response = reply.frame(request.method == "HEAD", world.now);
        let Trace { info, identity, refused, impersonation, decision, review, admission, etcd, audit } = trace;
        Exchange { request, info, identity, refused, impersonation, decision, review, admission, response, etcd, audit }
    }

    /// The handler chain from the outside in, up to where audit begins.
    fn serve(&mut self, request: &Request, trace: &mut Trace, world: &mut World) -> Reply {
        let Some(url) = Url::parse(&request.uri) else { return filters::bad_request() };
        let info = match RequestInfo::parse(&request.method, &url) {
            Ok(info) => trace.info.insert(info).clone(),
            Err(error) => {
                return filters::internal_error(&request.uri, &format!("failed to create RequestInfo: {error}"));
            }
        };
        let identity = match self.authenticate(request, world) {
            Ok(identity) => trace.identity.insert(identity),
            Err(refused) => {
                trace.refused = refused;
                return filters::unauthorized(self.authenticators.supports_basic_auth());
            }
        };
        let mut trail = self.auditor.received(request, &url, &info, &identity.user, world);
        let reply = self.serve_audited(request, &url, &info, trace, &mut trail, world);
        trace.audit = match self.cluster.ended {
            Some(failure) => self.auditor.panicked(trail, &failure.to_string(), world),
            None => self.auditor.responded(trail, reply.status, reply.written, world),
        };
        reply
    }

    /// The rest of the chain: impersonation, authorization, and the end of the way.
    fn serve_audited(
        &mut self,
        request: &Request,
        url: &Url,
        info: &RequestInfo,
        trace: &mut Trace,
        trail: &mut Trail,
        world: &mut World,
    ) -> Reply {
        // Authentication always leaves somebody here.
        let identity = trace.identity.get_or_insert_default();
        match impersonation::requested(request) {
            // The insecure port has neither this nor the next link of the chain.
            _ if request.insecure => {}
            Err(error) => return filters::internal_error(&request.uri, &error),
            Ok(None) => {}
            Ok(Some(Impersonation { user, needed })) => {
                for needed in needed {
                    let attributes = Attributes { user: &identity.user, request: &needed };
                    let decision = self.cluster.authorizers.explain(&attributes);
                    if decision.verdict != Verdict::Allow {
                        let reply = filters::forbidden(&identity.user.name, &needed, &decision.reason);
                        trace.decision = Some(decision);
                        trace.info = Some(needed);
                        return reply;
                    }
                    trace.impersonation.push(decision);
                }
                identity.impersonator = Some(std::mem::replace(&mut identity.user, user));
            }
        }

        let attributes = Attributes { user: &identity.user, request: info };
        let decision =
            if request.insecure { Decision::unasked() } else { self.cluster.authorizers.explain(&attributes) };
        let decision = trace.decision.insert(decision);
        if decision.verdict != Verdict::Allow {
            return match &decision.error {
                Some(error) => filters::internal_error(&request.uri, error),
                None => filters::forbidden(&identity.user.name, info, &decision.reason),
            };
        }

        let rbac = self.cluster.authorizers.modes().contains(&Mode::RBAC);
        let facts = Facts { release: self.cluster.release, rbac, address: &self.address };
        let encoding = negotiation::negotiate(request, url);
        let route = route(&facts, request, url);
        let resource = if let Route::Resource(resource) = route { Some(resource) } else { None };
        let (status, mut object) = match route {
            Route::Done(reply) => return reply,
            Route::Document(document) => (200, document),
            Route::Status(status) => (status.code, status.to_value()),
            Route::Resource(resource) => {
                let call = Call {
                    resource,
                    info,
                    method: &request.method,
                    user: &identity.user,
                    query: &url.query,
                    content_type: request.header("Content-Type"),
                    body: &request.body,
                    origin: request.origin.as_ref(),
                };
                if info.verb == "watch" {
                    let stream = rest::watch(&self.cluster, &call).and_then(|events| {
                        let fractions = &|metadata: &Value| rest::fractions(&self.cluster, resource, metadata);
                        let encoding = encoding.ok_or_else(negotiation::no_stream)?;
                        encoding.stream(&events, facts.release, fractions).ok_or_else(negotiation::no_stream)
                    });
                    match stream {
                        Ok(reply) => return reply,
                        Err(status) => (status.code, status.to_value()),
                    }
                } else {
                    let answer = self.call(&call, &mut trace.review, world);
                    match &answer.request_object {
                        Some(object) => trail.request_object(object, resource.group),
                        None if call.method == "PATCH" => trail.patch(call.body),
                        None => {}
                    }
                    trace.admission = answer.admission;
                    trace.etcd = answer.writes;
                    // A finished deletion is a Status without a code.
                    let written =
                        |status: Status| (if status.code == 0 { 200 } else { status.code }, status.to_value());
                    answer.result.unwrap_or_else(written)
                }
            }
        };
        if status == 204 {
            return Reply::new(204, &[], "");
        }
        let Some(encoding) = encoding else { return negotiation::not_acceptable() };
        match (encoding.partial, resource) {
            (None, _) => trail.response_object(&mut object, status),
            // What is made of the object is not recorded, and errors have no such form.
            (Some(partial), Some(resource)) if status < 300 => match partial.of(&object, resource, info, url) {
                Some(partial) => object = partial,
                None => return negotiation::not_acceptable(),
            },
            _ => return negotiation::not_acceptable(),
        }
        let fractions = |metadata: &Value| resource.map(|it| rest::fractions(&self.cluster, it, metadata));
        encoding.write(status, &object, self.cluster.release, &|metadata| fractions(metadata).unwrap_or_default())
    }

    /// Reviews are answered here, everything else by the registry.
    fn call(&mut self, call: &Call<'_>, reviewed: &mut Option<Reviewed>, world: &mut World) -> Answer {
        match Review::of(call.resource.group, call.resource.resource) {
            Some(review) => self.review_answer(review, call, reviewed, world),
            None => rest::handle(&mut self.cluster, world, call),
        }
    }

    fn authenticate(&self, request: &Request, world: &World) -> Result<Identity, Vec<String>> {
        let get = |resource: &str, namespace: &str, name: &str| {
            let key = self.cluster.release.resource("", "v1", resource)?.key(namespace, name);
            self.cluster.store.get(&key)?.object.as_ref().ok().cloned()
        };
        self.authenticators.authenticate(request, world.now, &get)
    }

    fn review_answer(&self, review: Review, call: &Call<'_>, reviewed: &mut Option<Reviewed>, world: &World) -> Answer {
        let (mut request_object, mut admission) = (None, Vec::new());
        let result = call.decode(self.cluster.release, call.resource.api_version(), call.resource.kind).and_then(
            |mut object| {
                request_object = Some(object.clone());
                rest::admit(&self.cluster, call, Operation::Create, Some(&mut object), None, &mut admission)?;
                let status = match review {
                    Review::Token => {
                        let token = object.get("spec").and_then(|spec| spec.get("token")).and_then(Value::as_str);
                        let header = ("Authorization".to_owned(), format!("Bearer {}", token.unwrap_or("")));
                        let request = Request { headers: vec![header], ..Request::default() };
                        reviews::token_status(self.authenticate(&request, world))
                    }
                    _ => {
                        let (user, request) = review.subject(&object, call.user, &call.info.namespace)?;
                        let attributes = Attributes { user: &user, request: &request };
                        let decision = self.cluster.authorizers.explain(&attributes);
                        let status = reviews::status(&decision);
                        *reviewed = Some(Reviewed { user, request, decision });
                        status
                    }
                };
                if let Some(object) = object.as_object_mut() {
                    object.insert("status".into(), status);
                }
                Ok((201, object))
            },
        );
        Answer { result, request_object, admission, writes: Vec::new() }
    }
}

/// The panic that ends the process: 1.7 raises those of its handlers again.
fn panic_message(failure: Failure) -> String {
    format!("panic: {failure}")
}
