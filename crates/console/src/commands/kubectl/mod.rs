//! `kubectl` of release 1.7 as people type it in documents: every command becomes real requests to the API server.
//!
//! It is the cluster's administrator (certificate of `kubernetes-admin` in `system:masters`) unless `--as` or `--token` says
//! otherwise. What it does not know it refuses in one line on standard error, with status 1.
//! Behaviour and texts: `pkg/kubectl` and `pkg/printers` of release 1.7.

use portcullis_core::manifest::{self, Value};

use super::Output;
use crate::session::Session;
use client::{Client, Error};
use flags::{Command, Flags};

pub(crate) use resources::kind_of;

mod apply;
mod auth;
mod client;
mod create;
mod delete;
mod describe;
mod flags;
mod get;
mod jsonpath;
mod modify;
mod printers;
mod resources;
mod tabwriter;
mod value;
mod workloads;

/// One command at work.
pub(crate) struct Run<'r> {
    /// Its words: `create role`.
    words: String,
    /// Its flags and arguments.
    flags: &'r Flags,
    /// Its standard input.
    stdin: &'r [u8],
    /// The server.
    client: Client<'r>,
    /// Standard output.
    out: Vec<u8>,
    /// Standard error.
    errors: String,
}

impl Run<'_> {
    /// Writes to standard output.
    fn print(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a line to standard error.
    fn warn(&mut self, line: &str) {
        self.errors += line;
        self.errors.push('\n');
    }

    /// Reads files of the document.
    fn file_reader(&self) -> impl Fn(&str) -> Option<String> {
        |name| self.client.file(name).map(|file| file.text.to_string())
    }

    /// Says that something was done to an object: `pod "nginx" created`, or `pod/nginx` with `-o name`.
    fn done(&mut self, kind: &resources::Kind, name: &str, what: &str) {
        let kind = resources::singular(kind);
        let line = match (self.flags.text("output"), self.flags.is("dry-run")) {
            ("name", _) => format!("{kind}/{name}\n"),
            (_, true) => format!("{kind} \"{name}\" {what} (dry run)\n"),
            (_, false) => format!("{kind} \"{name}\" {what}\n"),
        };
        self.print(&line);
    }

    /// The command as `--record` writes it down.
    fn command(&self) -> String {
        let words: String = self.flags.arguments.iter().map(|word| format!(" {word}")).collect();
        format!("kubectl {}{words}{}", self.words, self.flags.recorded())
    }

    /// Prints an object as `-o` says; `false` where it asks for no format. `typed`: the command knows the Go type, and
    /// JSON has its order instead of the sorted one.
    fn print_object(&mut self, object: &Value, typed: bool) -> Result<bool, Error> {
        if matches!(self.flags.text("output"), "" | "name") {
            return Ok(false);
        }
        let mut text = String::new();
        let mut printed = Ok(());
        match get::Format::read(self.flags, &self.file_reader())? {
            Some(get::Format::Json) if typed => text = manifest::json::to_string_pretty(object, "    ") + "\n",
            Some(format) => printed = format.print(object, &mut text),
            None => {
                let kind = value::text(object, "kind");
                let options = printers::Options { wide: true, ..printers::Options::default() };
                let row = printers::row(kind, object, &options, self.client.now());
                text = tabwriter::align(&(printers::header(kind, &options) + &row), &tabwriter::TABLE);
            }
        }
        self.print(&text);
        printed.map(|()| true)
    }
}

type Program = fn(&mut Run<'_>) -> Result<(), Error>;

const PRINT: &str = "output|o:s no-headers:b show-labels:b template:s sort-by:s show-all|a:b \
    allow-missing-template-keys:b output-version:s";
/// What is said of that flag, which does nothing any more.
const OUTPUT_VERSION: &str = "Flag --output-version has been deprecated, the resource is used exactly as fetched from the \
    API. To get a specific API version, fully-qualify the resource, version, and group (for example: \
    'jobs.v1.batch/myjob').";
const FILES: &str = "filename|f:l recursive|R:b include-extended-apis:b";
const VALIDATE: &str = "validate:b schema-cache-dir:s";
const CREATE: &str = "dry-run:b save-config:b generator:s record:b";
const CHANGE: &str = "overwrite:b local:b selector|l:s all:b resource-version:s dry-run:b record:b";
const SUBJECTS: &str = "clusterrole:s role:s user:a group:a serviceaccount:a";

const COMMANDS: &[Command<Program>] = &[
    Command {
        words: "get",
        flags: &[
            PRINT,
            FILES,
            VALIDATE,
            "selector|l:s watch|w:b watch-only:b show-kind:b all-namespaces:b ignore-not-found:b label-columns|L:l \
             export:b raw:s",
        ],
        run: get::get,
    },
    Command {
        words: "describe",
        flags: &[FILES, "selector|l:s all-namespaces:b show-events:b"],
        run: describe::describe,
    },
    Command {
        words: "create",
        flags: &[PRINT, FILES, VALIDATE, CREATE, "selector|l:s edit:b windows-line-endings:b"],
        run: apply::create,
    },
    Command {
        words: "create serviceaccount|sa",
        flags: &[PRINT, VALIDATE, CREATE, FILES],
        run: create::service_account,
    },
    Command { words: "create namespace|ns", flags: &[PRINT, VALIDATE, CREATE, FILES], run: create::namespace },
    Command {
        words: "create configmap|cm",
        flags: &[PRINT, VALIDATE, CREATE, "from-file:l from-literal:a from-env-file:s"],
        run: create::config_map,
    },
    Command {
        words: "create secret generic",
        flags: &[PRINT, VALIDATE, CREATE, "from-file:l from-literal:a from-env-file:s type:s"],
        run: create::secret_generic,
    },
    Command {
        words: "create secret docker-registry",
        flags: &[
            PRINT,
            VALIDATE,
            CREATE,
            "docker-username:s docker-password:s docker-email:s docker-server:s include-extended-apis:b",
        ],
        run: create::secret_docker_registry,
    },
    Command {
        words: "create deployment|deploy",
        flags: &[PRINT, VALIDATE, CREATE, "image:l"],
        run: workloads::create_deployment,
    },
    Command { words: "create secret tls", flags: &[PRINT, VALIDATE, CREATE, "cert:s key:s"], run: create::secret_tls },
    Command {
        words: "create role",
        flags: &[PRINT, VALIDATE, CREATE, "verb:l resource:l resource-name:a"],
        run: create::role,
    },
    Command {
        words: "create clusterrole",
        flags: &[PRINT, VALIDATE, CREATE, "verb:l resource:l resource-name:a non-resource-url:l"],
        run: create::cluster_role,
    },
    Command { words: "create rolebinding", flags: &[PRINT, VALIDATE, CREATE, SUBJECTS], run: create::role_binding },
    Command {
        words: "create clusterrolebinding",
        flags: &[PRINT, VALIDATE, CREATE, SUBJECTS],
        run: create::cluster_role_binding,
    },
    Command {
        words: "apply",
        flags: &[
            PRINT,
            FILES,
            VALIDATE,
            CREATE,
            "overwrite:b prune:b cascade:b grace-period:i force:b timeout:s selector|l:s all:b prune-whitelist:a",
        ],
        run: apply::apply,
    },
    Command {
        words: "replace",
        flags: &[FILES, VALIDATE, CREATE, "output|o:s force:b cascade:b grace-period:i timeout:s"],
        run: apply::replace,
    },
    Command {
        words: "delete",
        flags: &[
            FILES,
            "output|o:s selector|l:s all:b ignore-not-found:b cascade:b grace-period:i now:b force:b timeout:s",
        ],
        run: delete::delete,
    },
    Command {
        words: "run",
        flags: &[
            PRINT,
            CREATE,
            "image:s image-pull-policy:s replicas|r:i rm:b overrides:s env:l port:s hostport:i labels|l:s stdin|i:b \
             tty|t:b attach:b leave-stdin-open:b restart:s command:b requests:s limits:s expose:b service-generator:s \
             service-overrides:s quiet:b schedule:s pod-running-timeout:s include-extended-apis:b",
        ],
        run: workloads::run,
    },
    Command {
        words: "scale",
        flags: &[
            FILES,
            "output|o:s selector|l:s all:b replicas:i current-replicas:i \
        resource-version:s timeout:s record:b",
        ],
        run: workloads::scale,
    },
    Command { words: "label", flags: &[PRINT, FILES, CHANGE], run: modify::label },
    Command { words: "annotate", flags: &[PRINT, FILES, CHANGE], run: modify::annotate },
    Command { words: "patch", flags: &[PRINT, FILES, "patch|p:s type:s local:b record:b"], run: modify::patch },
    Command {
        words: "auth can-i",
        flags: &["all-namespaces:b quiet|q:b subresource:s list:b no-headers:b"],
        run: auth::can_i,
    },
    Command { words: "version", flags: &["client|c:b short:b output|o:s"], run: auth::version },
    Command { words: "api-versions", flags: &[], run: auth::api_versions },
    Command { words: "cluster-info", flags: &["include-extended-apis:b"], run: auth::cluster_info },
    Command { words: "config view", flags: &[PRINT, "minify:b flatten:b raw:b merge:b"], run: auth::config_view },
    Command { words: "config current-context", flags: &[], run: auth::current_context },
];

/// Commands that kubectl has and a document cannot use.
const REFUSED: &str = "annotate attach autoscale certificate completion config convert cordon cp drain edit exec explain \
    expose help logs options plugin port-forward proxy rolling-update rollout set taint top uncordon auth create";

/// What `kubectl create` makes of flags, and not here.
const UNMADE: &str = "service svc quota resourcequota poddisruptionbudget pdb";

fn contains(words: &str, word: &str) -> bool {
    words.split_ascii_whitespace().any(|known| known == word)
}

/// Runs `kubectl ARGUMENTS`.
pub fn run(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let (command, flags) = match flags::parse(COMMANDS, arguments) {
        Ok(parsed) => parsed,
        Err(message) => {
            let word = arguments.iter().find(|argument| !argument.starts_with('-')).map_or("", String::as_str);
            let mut words = arguments.iter().map(String::as_str);
            let refused = message.starts_with("Error: unknown command") && contains(REFUSED, word)
                || words.find(|word| *word == "create").and(words.next()).is_some_and(|kind| contains(UNMADE, kind));
            if refused {
                return Output::failure(1, &format!("error: kubectl {} is not supported here", arguments.join(" ")));
            }
            return Output::failure(1, &message);
        }
    };
    let groups = flags.all("as-group");
    if !groups.is_empty() && flags.text("as").is_empty() {
        let user = "kubernetes-admin";
        let message = format!("error: requesting groups or user-extra for {user} without impersonating a user");
        return Output::failure(1, &message);
    }
    let client = Client::new(session, flags.text("as"), &groups, flags.text("token"));
    let mut run = Run { words: command.name(), flags: &flags, stdin, client, out: Vec::new(), errors: String::new() };
    if flags.given("output-version") {
        run.warn(OUTPUT_VERSION);
    }
    let ended = (command.run)(&mut run);
    let Run { out, mut errors, .. } = run;
    let status = u8::from(ended.is_err());
    if let Err(error) = ended {
        errors += &error.print();
    }
    Output { stdout: out, stderr: errors.into_bytes(), status }
}
