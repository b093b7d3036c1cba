//! A document from its text to its report: the one entry of the terminal and the browser.
//!
//! A document that is being edited is run again at each keystroke, and most of it is as it was. What was made of text that
//! has not changed is kept: what was read, the server as it first started, the cluster as loaded. All that is a matter of
//! time alone: a kept engine and a new one give the same report.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use portcullis_core::apiserver::cluster::{Loaded, unserved};
use portcullis_core::apiserver::{File, Files};
use portcullis_core::manifest::{Diagnostic, Object, Place, Reading, Severity, Value};
use portcullis_core::release::Release;
use portcullis_core::sort::SortedSet;
use portcullis_core::world::{World, time};

mod configuration;

use crate::audit::{self, Asked};
use crate::later;
use crate::report::{self, Graph, Report, Stored};
use crate::session::Session;
use crate::shell::Script;
use crate::transcript::{self, Action, Block, Document, compare};
use crate::{http, shell};
use configuration::{Configuration, Part};

/// The clock of a document that sets none: the morning after Kubernetes 1.7 was released.
const CLOCK: &str = "2017-06-30T08:00:00Z";

/// How many clusters are kept as they were loaded: with the newest the one before it, as what is typed is broken now and
/// then.
const CLUSTERS: usize = 2;

/// Of clusters with more objects than this, only the newest is kept.
const LARGE: usize = 20_000;

/// How many objects of a cluster may change before it is loaded anew.
const CHANGES: usize = 100;

/// Runs the document `text`, which is known as `name`, against `release` or else the release that it names itself.
pub fn run(name: &str, text: &str, release: Option<&str>) -> Report {
    Engine::default().report(name, text, release)
}

/// Runs documents one after another, most often one that is being edited.
#[derive(Default)]
pub struct Engine {
    /// The seed of documents that ask for a random one.
    entropy: String,
    /// What was read, by file.
    readings: Vec<Reading>,
    started: Option<Rc<Started>>,
    /// The newest first.
    clusters: Vec<Cluster>,
    last: Option<Last>,
    watch: Option<Box<dyn Fn(Progress)>>,
}

/// How far a run is, which for a large dump takes a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// `read` for the bytes of the manifests, then `load` for their objects.
    pub what: &'static str,
    /// How many are done.
    pub done: usize,
    /// Of so many.
    pub total: usize,
}

/// What the last document left.
struct Last {
    name: String,
    text: String,
    session: Session,
    /// The keys that its requests wrote.
    written: SortedSet<String>,
}

/// All that the first start of a server depends on.
#[derive(PartialEq)]
struct Start {
    release: &'static str,
    source: Rc<str>,
    flags: Vec<String>,
    /// The files that the flags name.
    files: Vec<(String, File)>,
    now: DateTime<Utc>,
    seed: String,
}

/// A session whose server started for the first time.
struct Started {
    of: Start,
    session: Session,
    /// The parts of the document's own configuration with which it does not start, and why.
    refused: Vec<(Part, String)>,
    /// Why it did not start without them either.
    failed: Option<String>,
    notes: Vec<String>,
}

/// A session with the cluster that a document holds.
struct Cluster {
    started: Rc<Started>,
    objects: Vec<Rc<Object>>,
    /// What became of each object, and the line on which it stood then.
    loaded: Vec<(Loaded, u32)>,
    session: Session,
}

impl Engine {
    /// Bytes of the system's generator, from which documents with `seed: random` draw: the core has no randomness of its own.
    pub fn set_entropy(&mut self, bytes: &[u8]) {
        self.entropy = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    }

    /// As [`Engine::run`], with the graph and what etcd holds.
    pub fn report(&mut self, name: &str, text: &str, release: Option<&str>) -> Report {
        let mut report = self.run(name, text, release);
        (report.graph, report.etcd) = (Some(self.graph()), Some(self.etcd()));
        report
    }

    /// Lets `watch` be told how far a run is, again and again.
    pub fn watch(&mut self, watch: impl Fn(Progress) + 'static) {
        self.watch = Some(Box::new(watch));
    }

    fn tell(&self, what: &'static str, done: usize, total: usize) {
        if let Some(watch) = &self.watch {
            watch(Progress { what, done, total });
        }
    }

    /// Runs the document `text`, which is known as `name`, against `release` or else the release that it names itself. Its
    /// graph and what etcd holds are not in the report: [`Engine::graph`] and [`Engine::etcd`] give them where somebody looks.
    pub fn run(&mut self, name: &str, text: &str, release: Option<&str>) -> Report {
        self.run_while(name, text, release, &|_| true).unwrap_or_default()
    }

    /// As [`Engine::run`], as long as `go_on`: it is asked before each command, with the bytes that the command is given. `None`
    /// where it said no; no document counts as the last one then.
    pub fn run_while(
        &mut self,
        name: &str,
        text: &str,
        release: Option<&str>,
        go_on: &dyn Fn(usize) -> bool,
    ) -> Option<Report> {
        // Its cluster is about to be changed, and must not be copied for its sake.
        self.last = None;
        let mut document = transcript::read(name, text);
        let source: Rc<str> = name.into();
        let release = choose(release, &mut document, &source);
        let mut diagnostics = std::mem::take(&mut document.diagnostics);
        let (files, configuration) = self.read(release, &document, &source, &mut diagnostics);
        let restarts = document.blocks.iter().any(|block| matches!(block, Block::Step(step) if restarts(step)));
        let started = self.start(release, &document, &source, &configuration, &files);
        diagnostics.extend(configuration.remarks(&source, restarts));
        diagnostics.extend(started.diagnostics(&configuration, restarts));
        let mut session = self.load(started, configuration.objects, &mut diagnostics).with_files(files);
        let mut steps = Vec::new();
        for block in &document.blocks {
            match block {
                Block::File(block) if block.name.is_empty() => {}
                Block::File(block) => session.place(&block.name, block.file(&source)),
                Block::Step(step) => steps.push(run_step(step, &mut session, &mut diagnostics, go_on)?),
            }
        }
        diagnostics.extend(session.take_warnings());
        let (log, deliveries) = session.audit();
        let exchanges = || steps.iter().flat_map(|step: &report::Step| &step.exchanges);
        let written: SortedSet<String> =
            exchanges().flat_map(|exchange| &exchange.etcd).map(|write| write.key.clone()).collect();
        // What a step creates was no mistake, and neither is what a step deletes.
        let mut problems = session.problems();
        if !problems.is_empty() {
            let before = self.clusters.first().map(|cluster| cluster.session.problems()).unwrap_or_default();
            problems.retain(|problem| before.contains(problem));
        }
        diagnostics.extend(problems);
        let (standing, unlisted_rules) = session.standing();
        let report = Report {
            version: report::VERSION,
            title: document.title.clone(),
            release: session.release().version().to_owned(),
            files: report::files(&document),
            rules: report::rules(standing, &document, &steps),
            unlisted_rules,
            steps,
            graph: None,
            audit: report::audit_trail(log, deliveries),
            plain_secrets: session.with_etcd(|store, format| report::plain_secrets(store, format, &written)),
            etcd: None,
            diagnostics: report::diagnostics(diagnostics, &document, text),
        };
        self.last = Some(Last { name: name.to_owned(), text: text.to_owned(), session, written });
        Some(report)
    }

    /// The graph at the end of the last document.
    pub fn graph(&self) -> Graph {
        report::graph(self.last.as_ref().map(|last| last.session.graph()).unwrap_or_default())
    }

    /// What the audit `policy`, whose text begins on `line`, says of `requests` as [`audit::answers`] reads them. Commands run
    /// against a copy of what the last document left.
    ///
    /// # Errors
    ///
    /// What the server would print of the policy.
    pub fn audit(&self, policy: &str, line: u32, requests: &str) -> Result<Vec<Asked>, String> {
        audit::answers(policy, line, requests, &|command| {
            let session = self.last.as_ref().map(|last| last.session.clone());
            let mut session = session.ok_or("there is no cluster to send it to")?;
            let (script, _) = shell::read(command).map_err(|error| error.message)?;
            let outcome = shell::run(&script, &mut session, &|_| true).unwrap_or_default();
            match session.take_exchanges() {
                // It failed before it sent anything.
                none if none.is_empty() => Err(String::from_utf8_lossy(&outcome.terminal).trim_end().to_owned()),
                exchanges => Ok(exchanges),
            }
        })
    }

    /// What etcd holds at the end of the last document.
    pub fn etcd(&self) -> Vec<Stored> {
        let Some(Last { session, written, .. }) = &self.last else { return Vec::new() };
        session.with_etcd(|store, format| report::etcd(store, format, written))
    }

    /// The session as the document leaves it; the document is run where it was not the last.
    pub(crate) fn session(&mut self, name: &str, text: &str) -> Option<&Session> {
        if !self.last.as_ref().is_some_and(|last| last.name == name && last.text == text) {
            self.run(name, text, None);
        }
        self.last.as_ref().map(|last| &last.session)
    }

    /// The files of a document, and what its manifests are.
    fn read(
        &mut self,
        release: &Release,
        document: &Document,
        source: &Rc<str>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> (Files, Configuration) {
        let mut files = Files::new();
        let mut configuration = Configuration::default();
        let blocks = || {
            document.blocks.iter().filter_map(|block| match block {
                Block::File(block) => Some(block),
                Block::Step(_) => None,
            })
        };
        let total = blocks().filter(|block| block.manifest).map(|block| block.text.len()).sum();
        let (mut number, mut before) = (0, 0);
        for block in blocks() {
            let path = if block.name.is_empty() { format!("{source}:{}", block.line) } else { block.name.clone() };
            if block.manifest {
                if number == self.readings.len() {
                    self.readings.push(Reading::default());
                }
                if let Some(mut reading) = self.readings.get_mut(number).map(std::mem::take) {
                    let progress = |bytes| self.tell("read", before + bytes, total);
                    let (manifests, problems) = reading.read(source, block.line, &block.text, &progress);
                    diagnostics.extend(problems);
                    for (at, manifest) in manifests.iter().enumerate() {
                        let file = |place: &Place| {
                            let (own, later) = own_file(release, block, source, (place, &manifest.document().value));
                            if at == 0 && later.is_none() {
                                return (path.clone(), None);
                            }
                            let name = match block.name.as_str() {
                                "" => format!("{source}:{}", place.line),
                                name => format!("{name}:{}", place.line.saturating_sub(block.line) + 1),
                            };
                            files.insert(name.clone(), own);
                            (name, later)
                        };
                        diagnostics.extend(configuration.sort(manifest, file));
                    }
                    if let Some(place) = self.readings.get_mut(number) {
                        *place = reading;
                    }
                }
                number += 1;
                before += block.text.len();
            }
            files.get_or_insert_with(path, || block.file(source));
        }
        self.readings.truncate(number);
        (files, configuration)
    }

    /// Starts the server for the first time. What it refuses of the document's own configuration is a diagnostic each, and
    /// the server starts without that: the other answers are worth having.
    fn start(
        &mut self,
        release: &'static Release,
        document: &Document,
        source: &Rc<str>,
        configuration: &Configuration,
        files: &Files,
    ) -> Rc<Started> {
        let flags = configuration.flags(&[]);
        let now = document.clock.or_else(|| time::instant(CLOCK)).unwrap_or_default();
        let seed = if document.seed == "random" { &self.entropy } else { &document.seed }.clone();
        let world = World::new(now, &seed);
        let mut session = Session::new(release, source.clone(), files.clone(), world);
        let named = session.files_named(&flags);
        let of = Start { release: release.version(), source: source.clone(), flags, files: named, now, seed };
        if let Some(started) = self.started.as_ref().filter(|started| started.of == of) {
            return started.clone();
        }
        let new = session.clone();
        let like = self.started.as_ref().map(|started| &started.session);
        let (mut refused, mut failed) = (Vec::new(), None);
        while let Err((_, message)) = session.restart_like(like, &configuration.flags(&refused)) {
            match configuration.blamed(&message, &refused) {
                Some(part) => {
                    refused.push((part, message));
                    session = new.clone();
                }
                None => {
                    failed = Some(message);
                    break;
                }
            }
        }
        let notes = session.take_notes();
        // The files are those of each run.
        let session = session.with_files(Files::new());
        let started = Rc::new(Started { of, session, refused, failed, notes });
        // What stands instead of a Pod's flags is not among those that would be compared.
        let is_comparable = !started.refused.iter().any(|(part, _)| *part == Part::Pod);
        self.started = is_comparable.then(|| started.clone());
        started
    }

    /// The session with all `objects` loaded.
    fn load(&mut self, started: Rc<Started>, objects: Vec<Rc<Object>>, diagnostics: &mut Vec<Diagnostic>) -> Session {
        let kept = self.clusters.iter_mut().position(|cluster| cluster.change(&started, &objects));
        let cluster = match kept {
            Some(at) => self.clusters.remove(at),
            None => Cluster::new(started, objects, &|done, total| self.tell("load", done, total)),
        };
        self.clusters.truncate(if cluster.objects.len() > LARGE { 0 } else { CLUSTERS - 1 });
        diagnostics.extend(cluster.diagnostics());
        let session = cluster.session.clone();
        self.clusters.insert(0, cluster);
        session
    }
}

impl Started {
    fn diagnostics(&self, configuration: &Configuration, restarts: bool) -> Vec<Diagnostic> {
        let file = &self.of.source;
        let error =
            |line, message| Diagnostic { severity: Severity::Error, file: file.clone(), line, column: 0, message };
        let mut diagnostics: Vec<Diagnostic> =
            notes(self.notes.clone(), file.clone(), configuration.first_line()).collect();
        // A step of the document that starts the server says so itself.
        for (part, message) in self.refused.iter().filter(|_| !restarts) {
            let message = format!("The API server does not start with this configuration: {}", message.trim_end());
            diagnostics.push(error(configuration.line(*part).unwrap_or_default(), message));
        }
        diagnostics.extend(self.failed.clone().map(|message| error(0, message)));
        diagnostics
    }
}

impl Cluster {
    fn new(started: Rc<Started>, objects: Vec<Rc<Object>>, progress: &dyn Fn(usize, usize)) -> Self {
        let mut session = started.session.clone();
        let load = |(at, object)| {
            progress(at, objects.len());
            session.load(object).map(|loaded| (loaded, line(object)))
        };
        let loaded = objects.iter().enumerate().filter_map(load).collect();
        session.settle();
        Self { started, objects, loaded, session }
    }

    /// Makes it the cluster of `objects`. False where loading them anew is the shorter way, or the only one: then it is
    /// that of objects which differ less.
    fn change(&mut self, started: &Rc<Started>, objects: &[Rc<Object>]) -> bool {
        if !Rc::ptr_eq(&self.started, started) || self.objects.len() != objects.len() {
            return false;
        }
        let pairs = self.objects.iter_mut().zip(&mut self.loaded).zip(objects);
        let mut differ: Vec<_> = pairs.filter(|((one, _), other)| !Rc::ptr_eq(one, other)).take(CHANGES + 1).collect();
        differ.len() <= CHANGES
            && differ.iter_mut().all(|((one, loaded), other)| {
                let Some(instead) = self.session.load_instead(&loaded.0, other) else { return false };
                **loaded = (instead, line(other));
                **one = (*other).clone();
                true
            })
    }

    /// What is to be said of the objects, where they stand now.
    fn diagnostics(&self) -> Vec<Diagnostic> {
        let all = || self.objects.iter().zip(&self.loaded);
        let mut told = unserved(self.session.release(), all().map(|(object, (loaded, _))| (&**object, loaded)));
        for (object, (loaded, before)) in all() {
            told.extend(loaded.diagnostics.iter().map(|diagnostic| Diagnostic {
                line: diagnostic.line.wrapping_add(line(object).wrapping_sub(*before)),
                ..diagnostic.clone()
            }));
        }
        told
    }
}

fn line(object: &Object) -> u32 {
    object.origin.as_ref().map_or(0, |origin| origin.place(&[]).line)
}

/// `None` where `go_on` said no.
fn run_step(
    step: &transcript::Step,
    session: &mut Session,
    diagnostics: &mut Vec<Diagnostic>,
    go_on: &dyn Fn(usize) -> bool,
) -> Option<report::Step> {
    session.begin(step.line, step.end_line);
    let (output, status) = match &step.action {
        Ok(Action::Http(request)) if go_on(request.body.len()) => http::send(request, session),
        Ok(Action::Http(_)) => return None,
        Ok(Action::Manifest(form, text)) => {
            let (rewritten, told) = later::rewritten(session.release(), text, (&session.source(), step.line)).unzip();
            diagnostics.extend(told);
            let words = ["kubectl", "create", "-o", form, "-f", "-"];
            run_script(&Script::with_input(&words, rewritten.as_ref().unwrap_or(text)), session, go_on)?
        }
        Ok(Action::Script(script)) => run_script(script, session, go_on)?,
        Err(problem) => {
            // Once, however many steps it stops.
            if (step.line..=step.end_line).contains(&problem.line) {
                diagnostics.push(problem.clone());
            }
            (format!("line {}, column {}: {}\n", problem.line, problem.column, problem.message), 2)
        }
    };
    if !step.console && step.action.is_ok() && status != 0 {
        diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            file: session.source(),
            line: step.line,
            column: 0,
            message: format!("This command failed with status {status}: {}", output.trim_end()),
        });
    }
    diagnostics.extend(notes(session.take_notes(), session.source(), step.line));
    Some(report::Step {
        command: step.command.clone(),
        line: step.line,
        end_line: step.end_line,
        matched: step.expected.as_ref().map(|expected| compare::matches(expected, &output)),
        expected: step.expected.clone(),
        output,
        status,
        exchanges: {
            let exchanges = session.take_exchanges();
            let release = session.release();
            session.with_etcd(|store, format| {
                exchanges.iter().map(|exchange| report::exchange(exchange, release, (store, format))).collect()
            })
        },
    })
}

/// What `script` shows at the terminal, and its exit status; `None` where `go_on` said no.
fn run_script(script: &Script, session: &mut Session, go_on: &dyn Fn(usize) -> bool) -> Option<(String, u8)> {
    let outcome = shell::run(script, session, go_on)?;
    Some((String::from_utf8_lossy(&outcome.terminal).into_owned(), outcome.status))
}

/// What a start of the server was asked for and does not do.
fn notes(notes: Vec<String>, file: Rc<str>, line: u32) -> impl Iterator<Item = Diagnostic> {
    let note = move |message| Diagnostic { severity: Severity::Warning, file: file.clone(), line, column: 0, message };
    notes.into_iter().map(note)
}

fn choose(asked: Option<&str>, document: &mut Document, source: &Rc<str>) -> &'static Release {
    let (wanted, line, column) = match (asked, &document.release) {
        (Some(asked), _) => (asked.to_owned(), 0, 0),
        (None, Some((named, line, column))) => (named.clone(), *line, *column),
        (None, None) => return Release::newest(),
    };
    Release::find(&wanted).unwrap_or_else(|| {
        let newest = Release::newest();
        let known: Vec<&str> = Release::all().iter().map(Release::version).collect();
        document.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            file: source.clone(),
            line,
            column,
            message: format!(
                "Release {wanted} is not known: {} answers instead. Known are: {}.",
                newest.version(),
                known.join(", ")
            ),
        });
        newest
    })
}

/// The lines of `block` at a place as a file of their own, in the form of the release, and what is to be said of that: the server
/// reads the first document of a file and no other.
fn own_file(
    release: &Release,
    block: &transcript::File,
    source: &Rc<str>,
    (place, value): (&Place, &Value),
) -> (File, Option<Diagnostic>) {
    let lines = block.text.split_inclusive('\n').skip(place.line.saturating_sub(block.line) as usize);
    let text: String = lines.take((place.end_line.saturating_sub(place.line) + 1) as usize).collect();
    let (later, told) = later::rewritten_as(release, value, &text, (source, place.line)).unzip();
    (File { source: source.clone(), first_line: place.line, text: later.unwrap_or(text).into() }, told)
}

/// Whether a step names the server's flags itself.
fn restarts(step: &transcript::Step) -> bool {
    matches!(&step.action, Ok(Action::Script(script)) if script.calls("kube-apiserver"))
}
