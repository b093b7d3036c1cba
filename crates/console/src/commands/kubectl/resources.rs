//! From what is typed (`po`, `deployments.apps`, `secret/token`, `-f pods.yaml`) to the objects that are meant.
//!
//! Behaviour: `pkg/kubectl/resource/builder.go` and `visitor.go` of release 1.7 over the types that its server discovers.
//! Discovery itself is taken as cached, as kubectl has it for ten minutes: no request goes out for it.

use std::rc::Rc;

use portcullis_core::apiserver::rest::selector::Labels;
use portcullis_core::manifest::{Origin, Severity, Value, parse, yaml};
use portcullis_core::release::{Release, ResourceType};
use portcullis_core::request::quote;

use super::client::{Client, Error};
use super::flags::Flags;
use super::value::{at, list, set_metadata, sorted, text};

/// A type that the server serves.
pub type Kind = ResourceType;

/// Short names that kubectl knows without asking, in its order; it also prints them before names (`po/nginx`).
const SHORT: &[(&str, &str)] = &[
    ("cm", "configmaps"),
    ("cs", "componentstatuses"),
    ("ep", "endpoints"),
    ("ev", "events"),
    ("limits", "limitranges"),
    ("no", "nodes"),
    ("ns", "namespaces"),
    ("po", "pods"),
    ("pvc", "persistentvolumeclaims"),
    ("pv", "persistentvolumes"),
    ("quota", "resourcequotas"),
    ("rc", "replicationcontrollers"),
    ("rs", "replicasets"),
    ("sa", "serviceaccounts"),
    ("svc", "services"),
    ("hpa", "horizontalpodautoscalers"),
    ("csr", "certificatesigningrequests"),
    ("pdb", "poddisruptionbudgets"),
    ("deploy", "deployments"),
    ("ds", "daemonsets"),
    ("ing", "ingresses"),
    ("netpol", "networkpolicies"),
];

/// What 1.7 lists where a type is missing. The error is written behind it, on its last line.
pub const VALID_RESOURCES: &str = "Valid resource types include:

    * all
    * certificatesigningrequests (aka 'csr')
    * clusterrolebindings
    * clusterroles
    * clusters (valid only for federation apiservers)
    * componentstatuses (aka 'cs')
    * configmaps (aka 'cm')
    * controllerrevisions
    * cronjobs
    * daemonsets (aka 'ds')
    * deployments (aka 'deploy')
    * endpoints (aka 'ep')
    * events (aka 'ev')
    * horizontalpodautoscalers (aka 'hpa')
    * ingresses (aka 'ing')
    * jobs
    * limitranges (aka 'limits')
    * namespaces (aka 'ns')
    * networkpolicies (aka 'netpol')
    * nodes (aka 'no')
    * persistentvolumeclaims (aka 'pvc')
    * persistentvolumes (aka 'pv')
    * poddisruptionbudgets (aka 'pdb')
    * podpreset
    * pods (aka 'po')
    * podsecuritypolicies (aka 'psp')
    * podtemplates
    * replicasets (aka 'rs')
    * replicationcontrollers (aka 'rc')
    * resourcequotas (aka 'quota')
    * rolebindings
    * roles
    * secrets
    * serviceaccounts (aka 'sa')
    * services (aka 'svc')
    * statefulsets
    * storageclasses
    * thirdpartyresources
    ";

/// What `all` stands for.
const ALL: &str = "pods,replicationcontrollers,services,statefulsets.apps,horizontalpodautoscalers.autoscaling,\
    jobs.batch,deployments.extensions,replicasets.extensions";

/// `clusterroles.rbac.authorization.k8s.io`, or `pods`.
pub fn qualified(kind: &Kind) -> String {
    if kind.group.is_empty() { kind.resource.to_owned() } else { format!("{}.{}", kind.resource, kind.group) }
}

/// `clusterrole`.
pub fn singular(kind: &Kind) -> String {
    if kind.singular.is_empty() { kind.kind.to_ascii_lowercase() } else { kind.singular.to_owned() }
}

/// What stands before a name where several types are listed: `po`, `secrets`.
pub fn alias(kind: &Kind) -> &'static str {
    SHORT.iter().find(|(_, resource)| *resource == kind.resource).map_or(kind.resource, |(short, _)| short)
}

/// The type that a word means: `pods`, `pod`, `po`, `deployments.apps`, `deployments.v1beta1.apps`.
///
/// # Errors
///
/// That the server has no such type.
pub fn kind_of(release: &'static Release, word: &str) -> Result<&'static Kind, Error> {
    let (name, group) = word.split_once('.').unwrap_or((word, ""));
    if let Some((version, group)) = group.split_once('.')
        && let Some(kind) = find(release, name, version, group)
    {
        return Ok(kind);
    }
    find_resource(release, name, group)
}

/// The type of a resource's name in a group; the first of any where `group` is empty.
///
/// # Errors
///
/// That the server has no such type.
pub fn find_resource(release: &'static Release, name: &str, group: &str) -> Result<&'static Kind, Error> {
    find(release, name, "", group).ok_or_else(|| {
        let mut line = format!("the server doesn't have a resource type {}", quote(name));
        if !group.is_empty() {
            line += &format!(" in group {}", quote(group));
        }
        Error::Line(line)
    })
}

fn find(release: &'static Release, name: &str, version: &str, group: &str) -> Option<&'static Kind> {
    let kinds = || release.resources().iter().filter(|kind| version.is_empty() || kind.version == version);
    let short = kinds().find(|kind| kind.short_names.contains(&name) && (group.is_empty() || kind.group == group));
    let fixed = SHORT.iter().find(|(short, _)| *short == name).map(|(_, resource)| *resource);
    let name = short.map(|kind| kind.resource).or(fixed).unwrap_or(name).to_ascii_lowercase();
    let named = |kind: &&Kind| kind.resource == name || kind.kind.eq_ignore_ascii_case(&name);
    if group.is_empty() {
        return kinds().find(named);
    }
    let exact = kinds().filter(named).find(|kind| kind.group == group);
    exact.or_else(|| kinds().filter(named).find(|kind| kind.group.starts_with(group)))
}

/// One object that a command is about.
#[derive(Clone, Debug)]
pub struct Info {
    /// Its type.
    pub kind: &'static Kind,
    /// `""` at cluster scope.
    pub namespace: String,
    /// `metadata.name`.
    pub name: String,
    /// The file that it was read from as the messages name it; `""` for what was named on the command line.
    pub source: String,
    /// As read from the file or from the server.
    pub object: Value,
    /// Where it stands in the user's text.
    pub origin: Option<Rc<Origin>>,
}

impl Info {
    /// The object as it goes over the wire: sorted, as Go marshals what it read without a type.
    pub fn body(&self) -> String {
        wire(&self.object)
    }
}

/// JSON as `UnstructuredJSONScheme` writes it, with its last line feed.
pub fn wire(object: &Value) -> String {
    portcullis_core::manifest::json::to_string(&sorted(object)) + "\n"
}

/// What a command line asks for.
#[derive(Clone, Copy)]
pub struct Query<'a> {
    /// The command line: `-f`, `-l`, `-n`, `--all-namespaces`, `--all`.
    pub flags: &'a Flags,
    /// Types and names.
    pub arguments: &'a [String],
    /// Standard input, for `-f -`.
    pub stdin: &'a [u8],
    /// Whether a type alone means all its objects.
    pub all_of_type: bool,
    /// Whether files are checked against the schema before anything is sent.
    pub validate: bool,
    /// Whether objects are fetched from the server when a name or a file gives them.
    pub fetch: Fetch,
}

impl<'a> Query<'a> {
    /// What `flags` and the arguments among them ask for.
    pub fn new(flags: &'a Flags, stdin: &'a [u8], fetch: Fetch) -> Self {
        Self { flags, arguments: &flags.arguments, stdin, all_of_type: false, validate: false, fetch }
    }
}

/// Which objects are asked of the server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// None: a name is enough.
    Never,
    /// Those that no file holds.
    Missing,
    /// All.
    Latest,
}

/// What was found.
#[derive(Default)]
pub struct Found {
    /// The objects, in the order asked for.
    pub infos: Vec<Info>,
    /// What could not be found or read.
    pub errors: Vec<Error>,
    /// Whether just one object was asked for.
    pub single: bool,
    /// Whether objects were named, and not chosen from a list.
    pub named: bool,
}

/// The namespace that a command works in.
pub fn namespace(flags: &Flags) -> &str {
    flags.text_or("namespace", "default")
}

/// Finds the objects of `query`.
///
/// # Errors
///
/// What ends the command at once; what concerns one object of several is in [`Found::errors`].
pub fn find_objects(client: &mut Client<'_>, query: Query<'_>) -> Result<Found, Error> {
    let release = client.release();
    let selector = query.flags.text("selector");
    let labels = Labels::parse(selector)
        .map_err(|error| format!("the provided selector {} is not valid: {error}", quote(selector)))?;
    let files = query.flags.all("filename");
    let (everything, all_namespaces) = (query.flags.is("all"), query.flags.is("all-namespaces"));
    if everything && !selector.is_empty() {
        return Err("setting 'all' parameter but found a non empty selector. ".into());
    }
    let words = Words::read(query.arguments)?;
    if !files.is_empty() {
        return match words {
            Words::Types { ref names, .. } if !names.is_empty() => {
                Err("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"
                    .into())
            }
            Words::Types { ref types, .. } if !types.is_empty() => {
                Err("when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well"
                    .into())
            }
            Words::Pairs(_) => Err("resource/name arguments cannot be provided when a path is specified".into()),
            Words::Types { .. } => from_files(client, query, &files, (!selector.is_empty()).then_some(&labels)),
        };
    }
    let chosen = everything || !selector.is_empty();
    let export = if query.flags.is("export") { "true" } else { "" };
    match words {
        Words::Types { types, names } if names.is_empty() && !types.is_empty() && (chosen || query.all_of_type) => {
            let kinds = types.iter().map(|word| kind_of(release, word)).collect::<Result<Vec<_>, _>>()?;
            let mut found = Found::default();
            for kind in kinds {
                let namespace = if all_namespaces || !kind.namespaced { "" } else { namespace(query.flags) };
                match client.list(kind, namespace, &[("export", export), ("labelSelector", selector)]) {
                    Ok(list) => found.infos.extend(items(kind, list)),
                    Err(error) => found.errors.push(error),
                }
            }
            Ok(found)
        }
        Words::Types { types, names } if chosen => Err(match (types.is_empty(), names.is_empty()) {
            (_, false) => "name cannot be provided when a selector is specified".into(),
            _ => "at least one resource must be specified to use a selector".into(),
        }),
        Words::Pairs(_) if chosen => {
            Err("selectors and the all flag cannot be used when passing resource/name arguments".into())
        }
        Words::Types { types, names } => match types.as_slice() {
            [] => {
                Err("You must provide one or more resources by argument or filename.\nExample resource specifications \
                include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   '<resource> <name>'\n   '<resource>'"
                    .into())
            }
            _ if names.is_empty() => {
                Err("resource(s) were provided, but no name, label selector, or --all flag specified".into())
            }
            [word] => {
                let kind = kind_of(release, word)?;
                by_name(client, query, &names.iter().map(|name| (kind, name.as_str())).collect::<Vec<_>>(), true)
            }
            _ => Err("you must specify only one resource".into()),
        },
        Words::Pairs(pairs) => {
            let pairs = pairs.iter().map(|(word, name)| Ok((kind_of(release, word)?, name.as_str())));
            let pairs = pairs.collect::<Result<Vec<_>, Error>>()?;
            by_name(client, query, &pairs, false)
        }
    }
}

/// Whether the arguments ask for several types, which shows in front of the names.
pub fn several_types(arguments: &[String]) -> bool {
    match Words::read(arguments) {
        Ok(Words::Types { types, .. }) => types.len() > 1,
        Ok(Words::Pairs(pairs)) => pairs.first().is_some_and(|(first, _)| pairs.iter().any(|(word, _)| word != first)),
        Err(_) => false,
    }
}

/// The arguments taken apart.
enum Words {
    Types { types: Vec<String>, names: Vec<String> },
    Pairs(Vec<(String, String)>),
}

impl Words {
    fn read(arguments: &[String]) -> Result<Self, Error> {
        let mut arguments = arguments.to_vec();
        if let [types, names @ ..] = arguments.as_slice()
            && !names.is_empty()
            && types.contains(',')
        {
            let pair = |kind: &String, name: &String| format!("{kind}/{name}");
            arguments = split(types).iter().flat_map(|kind| names.iter().map(move |name| pair(kind, name))).collect();
        }
        let slashes = arguments.iter().filter(|argument| argument.contains('/')).count();
        if slashes == 0 {
            let Some((types, names)) = arguments.split_first() else {
                return Ok(Self::Types { types: Vec::new(), names: Vec::new() });
            };
            let types: Vec<&str> = types.split(',').map(|word| if word == "all" { ALL } else { word }).collect();
            return Ok(Self::Types { types: split(&types.join(",")), names: names.to_vec() });
        }
        if slashes < arguments.len() {
            return Err(
                "there is no need to specify a resource type as a separate argument when passing arguments in \
                resource/name form (e.g. 'kubectl get resource/<resource_name>' instead of 'kubectl get resource \
                resource/<resource_name>'"
                    .into(),
            );
        }
        let mut pairs = Vec::new();
        for argument in &arguments {
            let parts: Vec<&str> = argument.split('/').collect();
            let [kind, name] = parts.as_slice() else {
                return Err("arguments in resource/name form may not have more than one slash".into());
            };
            if kind.is_empty() || name.is_empty() || kind.contains(',') {
                return Err("arguments in resource/name form must have a single resource and name".into());
            }
            pairs.push(((*kind).to_owned(), (*name).to_owned()));
        }
        Ok(Self::Pairs(pairs))
    }
}

/// The parts between commas, each once.
fn split(words: &str) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    for word in words.split(',') {
        if !parts.iter().any(|part| part == word) {
            parts.push(word.to_owned());
        }
    }
    parts
}

/// The items of a list as the server sent it: each gets the version and the kind that only the list has.
fn items(kind: &'static Kind, mut list: Value) -> Vec<Info> {
    let Some(Value::Array(items)) = list.get_mut("items").map(Value::take) else { return Vec::new() };
    items
        .into_iter()
        .map(|item| {
            let mut object = portcullis_core::manifest::Map::new();
            object.insert("kind".to_owned(), kind.kind.into());
            object.insert("apiVersion".to_owned(), kind.api_version().into());
            if let Value::Object(members) = item {
                object.extend(members);
            }
            let object = Value::Object(object);
            Info {
                kind,
                namespace: text(&object, "metadata.namespace").to_owned(),
                name: text(&object, "metadata.name").to_owned(),
                source: String::new(),
                object,
                origin: None,
            }
        })
        .collect()
}

/// Objects that are named. `first_error_ends`: 1.7 stops at the first name that it does not find, unless the names
/// come with their types.
fn by_name(
    client: &mut Client<'_>,
    query: Query<'_>,
    names: &[(&'static Kind, &str)],
    first_error_ends: bool,
) -> Result<Found, Error> {
    let mut found = Found { single: names.len() == 1, named: true, ..Found::default() };
    for (kind, name) in names {
        if kind.namespaced && query.flags.is("all-namespaces") {
            return Err("a resource cannot be retrieved by name across all namespaces".into());
        }
        let namespace = if kind.namespaced { namespace(query.flags) } else { "" };
        let object = match query.fetch {
            Fetch::Never => Ok(Value::Null),
            _ => get(client, kind, namespace, name, query.flags.is("export")),
        };
        match object {
            Ok(object) => found.infos.push(Info {
                kind,
                namespace: namespace.to_owned(),
                name: (*name).to_owned(),
                source: String::new(),
                object,
                origin: None,
            }),
            Err(error) => {
                found.errors.push(error);
                if first_error_ends {
                    break;
                }
            }
        }
    }
    Ok(found)
}

/// GET of an object. Where it is missing and its namespace too, kubectl says that of the namespace.
///
/// # Errors
///
/// As the server says.
pub fn get(
    client: &mut Client<'_>,
    kind: &'static Kind,
    namespace: &str,
    name: &str,
    export: bool,
) -> Result<Value, Error> {
    let found = if export { client.export(kind, namespace, name) } else { client.get(kind, namespace, name) };
    let error = match found {
        Err(error) if error.is_not_found() && !matches!(namespace, "" | "default") => error,
        other => return other,
    };
    let uri = format!("/api/v1/namespaces/{}", super::client::escape(namespace));
    match client.call(super::client::Call::new("GET", &uri)) {
        Err(missing) if missing.is_not_found() => Err(missing),
        _ => Err(error),
    }
}

fn from_files(
    client: &mut Client<'_>,
    query: Query<'_>,
    files: &[&str],
    labels: Option<&Labels>,
) -> Result<Found, Error> {
    let mut found = Found { single: files.len() == 1 && files != ["-"], named: true, ..Found::default() };
    let mut texts = Vec::new();
    let mut missing = Vec::new();
    for name in files {
        if *name == "-" {
            let stdin = String::from_utf8_lossy(query.stdin).into_owned();
            texts.push(("STDIN", Rc::from(""), 0, Rc::from(stdin.as_str())));
        } else if name.starts_with("http://") || name.starts_with("https://") {
            missing.push(Error::Text(format!("{name} cannot be read: a document reaches no other server")));
        } else {
            match client.file(name) {
                Some(file) => texts.push((*name, file.source.clone(), file.first_line, file.text.clone())),
                None => missing.push(Error::Text(format!("the path {} does not exist", quote(name)))),
            }
        }
    }
    Error::collect(missing)?;
    for (source, place, first_line, file) in texts {
        read(client, query, source, &place, first_line, &file, labels, &mut found);
    }
    Ok(found)
}

#[allow(clippy::too_many_arguments)]
fn read(
    client: &mut Client<'_>,
    query: Query<'_>,
    source: &str,
    place: &Rc<str>,
    first_line: u32,
    file: &str,
    labels: Option<&Labels>,
    found: &mut Found,
) {
    let (documents, diagnostics) = parse(place, first_line, file);
    let broken = diagnostics.iter().find(|diagnostic| diagnostic.severity == Severity::Error);
    for document in documents {
        // What stands behind a broken document is not read.
        if broken.is_some_and(|broken| document.origin.place(&[]).line > broken.line) {
            break;
        }
        if query.validate
            && let Err(error) = validate(client.release(), source, &document.value)
        {
            return found.errors.push(error);
        }
        let has_place = first_line > 0;
        for (object, origin) in flatten(document.value, &document.origin) {
            let info = recognize(client, query, source, object).map(|mut info| {
                info.origin = has_place.then_some(origin);
                info
            });
            let info = info.and_then(|mut info| {
                if query.fetch == Fetch::Latest {
                    info.object = get(client, info.kind, &info.namespace, &info.name, false)?;
                }
                Ok(info)
            });
            match info {
                Ok(info) if labels.is_some_and(|labels| !labels.matches(info.object.pointer("/metadata/labels"))) => {}
                Ok(info) => found.infos.push(info),
                // A mistake ends its file.
                Err(error) => return found.errors.push(error),
            }
        }
    }
    if let Some(broken) = broken {
        // kubectl takes documents apart before it parses, so lines count from a document's beginning.
        let parts = file.split("\n---").enumerate();
        let mut parts =
            parts.map(|(at, part)| if at == 0 { part } else { part.split_once('\n').map_or("", |(_, text)| text) });
        let said = parts.find_map(|part| yaml::parse(part).err());
        found.errors.push(Error::Text(match said {
            Some(said) if !file.trim_start().starts_with('{') => format!("error converting YAML to JSON: {said}"),
            _ => broken.message.clone(),
        }));
    }
}

/// What kubectl says against a document before it sends it, by the schema that it has of the server.
fn validate(release: &Release, source: &str, value: &Value) -> Result<(), Error> {
    let of = |object: &Value| {
        let missing = ["apiVersion", "kind"].into_iter().find(|field| at(object, field).is_null());
        match missing {
            Some(field) => vec![format!("{field} not set")],
            None => release.complaints(text(object, "apiVersion"), text(object, "kind"), object),
        }
    };
    let is_list = text(value, "kind").ends_with("List");
    let complaints: Vec<String> = if is_list { list(value, "items").iter().flat_map(of).collect() } else { of(value) };
    let complaints = match complaints.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let source = quote(source);
    Err(Error::Text(format!(
        "error validating {source}: error validating data: {complaints}; if you choose to ignore these errors, turn \
        validation off with --validate=false"
    )))
}

/// A document's objects: itself, or the items of a list.
fn flatten(value: Value, origin: &Rc<Origin>) -> Vec<(Value, Rc<Origin>)> {
    let document = portcullis_core::manifest::Document { value: value.clone(), origin: origin.clone() };
    let is_list = text(&value, "kind").ends_with("List") && at(&value, "items").is_array();
    if !is_list {
        return vec![(value, origin.clone())];
    }
    let (objects, _) = portcullis_core::manifest::objects(document);
    objects.into_iter().map(|object| (object.value, object.origin.unwrap_or_else(|| origin.clone()))).collect()
}

/// An object of a file: its type and its namespace.
fn recognize(client: &mut Client<'_>, query: Query<'_>, source: &str, mut object: Value) -> Result<Info, Error> {
    let (api_version, kind) = (text(&object, "apiVersion").to_owned(), text(&object, "kind").to_owned());
    if kind.is_empty() {
        let shown = portcullis_core::manifest::json::to_string(&object);
        return Err(format!("unable to decode {}: Object 'Kind' is missing in '{shown}'", quote(source)).into());
    }
    let Some(kind) = client.release().resource_of(&api_version, &kind) else {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        if let Some(instead) = client.release().served_instead(&api_version, &kind) {
            client.note(format!(
                "This kubectl knows {kind} as {instead}, not yet as {api_version}. A file of the document is read in either."
            ));
        }
        return Err(format!("unable to recognize {}: no matches for {group}/, Kind={kind}", quote(source)).into());
    };
    let given = text(&object, "metadata.namespace").to_owned();
    let default = namespace(query.flags);
    let namespace = match (kind.namespaced, given.as_str()) {
        (false, _) => "",
        (true, "") => default,
        (true, given) if query.flags.given("namespace") && given != default => {
            return Err(format!(
                "the namespace from the provided object {} does not match the namespace {}. You must pass \
                '--namespace={given}' to perform this operation.",
                quote(given),
                quote(default)
            )
            .into());
        }
        (true, given) => given,
    };
    if kind.namespaced && given.is_empty() {
        set_metadata(&mut object, "namespace", namespace.into());
    }
    if !kind.namespaced && !given.is_empty() {
        set_metadata(&mut object, "namespace", "".into());
    }
    Ok(Info {
        kind,
        namespace: namespace.to_owned(),
        name: text(&object, "metadata.name").to_owned(),
        source: source.to_owned(),
        object,
        origin: None,
    })
}
