//! A document from its text to its report: the one entry of the terminal and the browser.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use portcullis_core::apiserver::{File, Files};
use portcullis_core::manifest::{self, Diagnostic, Object, Severity, Value};
use portcullis_core::release::Release;
use portcullis_core::world::World;

use crate::report::{self, Report};
use crate::session::Session;
use crate::transcript::{self, Action, Block, Document, compare};
use crate::{http, shell};

/// The clock of a document that sets none: the morning after Kubernetes 1.7 was released.
const CLOCK: &str = "2017-06-30T08:00:00Z";

/// Runs the document `text`, which is known as `name`, against `release` or else the release that it names itself.
pub fn run(name: &str, text: &str, release: Option<&str>) -> Report {
    replay(name, text, release).0
}

/// The same, with the session as the document leaves it.
pub(crate) fn replay(name: &str, text: &str, release: Option<&str>) -> (Report, Session) {
    let mut document = transcript::read(name, text);
    let source: Rc<str> = name.into();
    let release = choose(release, &mut document, &source);
    let now = document.clock.or_else(|| CLOCK.parse::<DateTime<Utc>>().ok()).unwrap_or_default();
    let mut diagnostics = std::mem::take(&mut document.diagnostics);
    let mut files = Files::new();
    let mut configuration = Configuration::default();
    for block in &document.blocks {
        let Block::File(block) = block else { continue };
        let file = File { source: source.clone(), first_line: block.line, text: block.text.clone() };
        let path = if block.name.is_empty() { format!("{name}:{}", block.line) } else { block.name.clone() };
        if block.manifest {
            let (documents, problems) = manifest::parse(&source, block.line, &block.text);
            diagnostics.extend(problems);
            for document in documents {
                diagnostics.extend(configuration.sort(document, &path));
            }
        }
        files.entry(path).or_insert(file);
    }
    let mut session = Session::new(release, source.clone(), files, World::new(now, &document.seed));
    let restarts = document.blocks.iter().any(|block| matches!(block, Block::Step(step) if restarts(&step.command)));
    diagnostics.extend(start(&mut session, &configuration, &source, restarts));
    diagnostics.extend(session.load(std::mem::take(&mut configuration.objects)));
    session.settle();
    let mut problems = session.problems();

    let mut steps = Vec::new();
    for block in &document.blocks {
        match block {
            Block::File(block) if block.name.is_empty() => {}
            Block::File(block) => {
                let file = File { source: source.clone(), first_line: block.line, text: block.text.clone() };
                session.place(&block.name, file);
            }
            Block::Step(step) => steps.push(run_step(step, &mut session, &mut diagnostics)),
        }
    }
    diagnostics.extend(session.take_warnings());
    // What a step creates was no mistake, and neither is what a step deletes.
    let remaining = session.problems();
    problems.retain(|problem| remaining.contains(problem));
    diagnostics.extend(problems);
    let (log, deliveries) = session.audit();
    let exchanges = || steps.iter().flat_map(|step: &report::Step| &step.exchanges);
    let written = exchanges().flat_map(|exchange| &exchange.etcd).map(|write| write.key.clone()).collect();
    let etcd = session.with_etcd(|store, format| report::etcd(store, format, &written));
    let report = Report {
        version: report::VERSION,
        title: document.title.clone(),
        release: session.release().version().to_owned(),
        files: report::files(&document),
        steps,
        graph: report::graph(session.graph()),
        audit: report::audit_trail(log, deliveries),
        etcd,
        diagnostics: report::diagnostics(diagnostics, &document, text),
    };
    (report, session)
}

fn run_step(step: &transcript::Step, session: &mut Session, diagnostics: &mut Vec<Diagnostic>) -> report::Step {
    session.begin(step.line, step.end_line);
    let (output, status) = match &step.action {
        Ok(Action::Http(request)) => http::send(request, session),
        Ok(Action::Script(script)) => {
            let outcome = shell::run(script, session);
            (String::from_utf8_lossy(&outcome.terminal).into_owned(), outcome.status)
        }
        Err(problem) => {
            diagnostics.push(problem.clone());
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
    diagnostics.extend(notes(session, step.line));
    report::Step {
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
    }
}

/// What a start of the server was asked for and does not do.
fn notes(session: &mut Session, line: u32) -> impl Iterator<Item = Diagnostic> + use<> {
    let file = session.source();
    let notes = session.take_notes().into_iter();
    notes.map(move |message| Diagnostic { severity: Severity::Warning, file: file.clone(), line, column: 0, message })
}

fn choose(asked: Option<&str>, document: &mut Document, source: &Rc<str>) -> &'static Release {
    let (wanted, line) = match (asked, &document.release) {
        (Some(asked), _) => (asked.to_owned(), 0),
        (None, Some((named, line))) => (named.clone(), *line),
        (None, None) => return Release::newest(),
    };
    Release::find(&wanted).unwrap_or_else(|| {
        let newest = Release::newest();
        let known: Vec<&str> = Release::all().iter().map(Release::version).collect();
        document.diagnostics.push(Diagnostic {
            severity: Severity::Error,
            file: source.clone(),
            line,
            column: 0,
            message: format!(
                "Release {wanted} is not known: {} answers instead. Known are: {}.",
                newest.version(),
                known.join(", ")
            ),
        });
        newest
    })
}

/// Whether a step names the server's flags itself.
fn restarts(command: &str) -> bool {
    command.split(['\n', ';', '|', '&']).any(|part| part.split_whitespace().next() == Some("kube-apiserver"))
}

/// Starts the server for the first time. Where the document's own configuration is refused, that is a diagnostic, and the
/// server starts without it: the other answers are worth having.
fn start(session: &mut Session, configuration: &Configuration, source: &Rc<str>, restarts: bool) -> Vec<Diagnostic> {
    let mut diagnostics = configuration.surplus(source, restarts);
    let line = configuration.places.first().copied().unwrap_or_default();
    let Err((_, message)) = session.restart(&configuration.flags()) else {
        diagnostics.extend(notes(session, line));
        return diagnostics;
    };
    // A step of the document that starts the server says so itself.
    if !restarts {
        let message = format!("The API server does not start with this configuration: {}", message.trim_end());
        diagnostics.push(Diagnostic { severity: Severity::Error, file: source.clone(), line, column: 0, message });
    }
    if let Err((_, message)) = session.restart(&Configuration::default().flags()) {
        diagnostics.push(Diagnostic { severity: Severity::Error, file: source.clone(), line: 0, column: 0, message });
    }
    diagnostics
}

/// What a document's manifests are, by their kind: objects of the cluster, and files that configure the server.
#[derive(Default)]
struct Configuration {
    objects: Vec<Object>,
    encryption: Vec<(String, u32)>,
    audit: Vec<(String, u32)>,
    kubeconfig: Vec<(String, u32)>,
    /// The flags of a static Pod.
    pod: Option<Vec<String>>,
    /// Lines of the configuration.
    places: Vec<u32>,
}

impl Configuration {
    fn sort(&mut self, document: manifest::Document, path: &str) -> Vec<Diagnostic> {
        let text = |key: &str| document.value.get(key).and_then(Value::as_str).unwrap_or_default();
        let (group, kind) = (text("apiVersion").split('/').next().unwrap_or_default(), text("kind"));
        let line = document.origin.place(&[]).line;
        let file = (path.to_owned(), line);
        match (group, kind) {
            (_, "EncryptionConfig" | "EncryptionConfiguration") => self.encryption.push(file),
            ("audit.k8s.io", "Policy") => self.audit.push(file),
            (_, "") if is_audit_policy(&document.value) => self.audit.push(file),
            ("v1", "Config") => self.kubeconfig.push(file),
            ("v1", "Pod") if let Some(flags) = apiserver_flags(&document.value) => self.pod = Some(flags),
            _ => {
                let (objects, diagnostics) = manifest::objects(document);
                self.objects.extend(objects);
                return diagnostics;
            }
        }
        self.places.push(line);
        Vec::new()
    }

    /// The flags of the first start.
    fn flags(&self) -> Vec<String> {
        if let Some(flags) = &self.pod {
            return flags.clone();
        }
        let mut flags =
            vec!["--authorization-mode=Node,RBAC".to_owned(), "--admission-control=NodeRestriction".to_owned()];
        if let Some((path, _)) = self.encryption.first() {
            flags.push(format!("--experimental-encryption-provider-config={path}"));
        }
        if let Some((path, _)) = self.audit.first() {
            flags.push("--feature-gates=AdvancedAuditing=true".to_owned());
            flags.push(format!("--audit-policy-file={path}"));
            flags.push("--audit-log-path=/var/log/audit.log".to_owned());
            if let Some((path, _)) = self.kubeconfig.first() {
                flags.push(format!("--audit-webhook-config-file={path}"));
                flags.push("--audit-webhook-mode=blocking".to_owned());
            }
        }
        flags
    }

    /// What is there twice and can be used once.
    fn surplus(&self, source: &Rc<str>, restarts: bool) -> Vec<Diagnostic> {
        let kinds = [("encryption configuration", &self.encryption), ("audit policy", &self.audit)];
        let extra = kinds.iter().flat_map(|(what, files)| files.iter().skip(1).map(move |(_, line)| (what, *line)));
        extra
            .filter(|_| !restarts && self.pod.is_none())
            .map(|(what, line)| Diagnostic {
                severity: Severity::Warning,
                file: source.clone(),
                line,
                column: 0,
                message: format!(
                    "The server starts with the first {what} of the document: a kube-apiserver step can name another."
                ),
            })
            .collect()
    }
}

/// People wrote policies without `kind` in 1.7.
fn is_audit_policy(value: &Value) -> bool {
    let rules = value.get("rules").and_then(Value::as_array);
    rules.is_some_and(|rules| rules.iter().any(|rule| rule.get("level").is_some_and(Value::is_string)))
}

/// The flags of a static Pod that runs kube-apiserver. The API server's own picture of such a Pod is an object like others.
fn apiserver_flags(pod: &Value) -> Option<Vec<String>> {
    if pod.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some() {
        return None;
    }
    pod.pointer("/spec/containers")?.as_array()?.iter().find_map(|container| {
        let words = ["command", "args"].into_iter().filter_map(|key| container.get(key)?.as_array()).flatten();
        let words: Vec<String> =
            words.filter_map(Value::as_str).flat_map(str::split_whitespace).map(str::to_owned).collect();
        let at = words.iter().position(|word| word.rsplit('/').next() == Some("kube-apiserver"))?;
        Some(words.into_iter().skip(at + 1).collect())
    })
}
