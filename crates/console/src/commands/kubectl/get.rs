//! `kubectl get`, and the output formats that other commands share with it.
//!
//! Behaviour: `pkg/kubectl/cmd/get.go`, `pkg/printers/*.go` of release 1.7.

use portcullis_core::manifest::{Value, json, yaml};

use super::Run;
use super::client::{Call, Error};
use super::flags::Flags;
use super::jsonpath::Template;
use super::printers::{self, Options};
use super::resources::{Fetch, Info, Query, alias, find_objects, several_types};
use super::tabwriter::{TABLE, align};
use super::value::{at, list, plain, sorted, text};

/// Runs `kubectl get`.
///
/// # Errors
///
/// As the server says, or what is wrong with the command line.
pub fn get(run: &mut Run<'_>) -> Result<(), Error> {
    let flags = run.flags;
    let raw = flags.text("raw");
    if !raw.is_empty() {
        let body = run.client.raw(Call::new("GET", raw))?;
        run.out.extend(body);
        return Ok(());
    }
    if flags.is("watch") || flags.is("watch-only") {
        return Err("watching is not supported here: the clock of a document stands still".into());
    }
    if flags.arguments.is_empty() && !flags.given("filename") {
        run.warn("You must specify the type of resource to get.");
        let message = "Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description \
            of that resource (e.g. kubectl explain pods).";
        return Err(Error::usage("get", message));
    }
    let format = Format::read(flags, &run.file_reader())?;
    let mut found =
        find_objects(&mut run.client, Query { all_of_type: true, ..Query::new(flags, run.stdin, Fetch::Latest) })?;
    if flags.is("ignore-not-found") {
        found.errors.retain(|error| !error.is_not_found());
    }
    let asked_for = found.infos.len();
    let hide_done = !found.named && !flags.is("show-all");
    let is_done = |info: &Info| {
        let status = at(&info.object, "status");
        let reason = match text(status, "reason") {
            "" => text(status, "phase"),
            reason => reason,
        };
        info.kind.kind == "Pod" && matches!(reason, "Succeeded" | "Failed")
    };
    if hide_done {
        found.infos.retain(|info| !is_done(info));
    }
    if let Some(field) = Some(flags.text("sort-by")).filter(|field| !field.is_empty()) {
        sort(&mut found.infos, field)?;
    }
    let Some(format) = format else {
        let hidden = asked_for - found.infos.len();
        table(run, &found.infos);
        if found.errors.is_empty() && !flags.is("ignore-not-found") && found.infos.is_empty() {
            run.warn(match hidden {
                0 => "No resources found.",
                _ => "No resources found, use --show-all to see completed objects.",
            });
        }
        return Error::collect(found.errors);
    };
    match found.infos.as_slice() {
        [] if found.single => {
            Error::collect(found.errors)?;
        }
        [one] if found.single => run.print(&format.print(&one.object)?),
        several => {
            let objects: Vec<Value> = several.iter().map(|info| info.object.clone()).collect();
            run.print(&format.print(&list_of(objects))?);
            Error::collect(found.errors)?;
        }
    }
    Ok(())
}

/// A `List` of any objects, as kubectl puts one together.
fn list_of(items: Vec<Value>) -> Value {
    let metadata = json::object(["resourceVersion", "selfLink"].map(|key| (key, "".into())));
    json::object([
        ("apiVersion", "v1".into()),
        ("items", items.into()),
        ("kind", "List".into()),
        ("metadata", metadata),
    ])
}

/// The tables of `infos`: one for each run of objects of a type.
fn table(run: &mut Run<'_>, infos: &[Info]) {
    let flags = run.flags;
    let mixed = infos.windows(2).any(|pair| matches!(pair, [one, next] if one.kind.resource != next.kind.resource));
    let with_alias = mixed || several_types(&flags.arguments) || flags.is("show-kind");
    let now = run.client.now();
    let groups = infos.chunk_by(|one, next| one.kind.resource == next.kind.resource);
    for (at_group, group) in groups.enumerate() {
        let Some(first) = group.first() else { continue };
        let options = Options {
            wide: flags.text("output") == "wide",
            no_headers: flags.is("no-headers"),
            namespace: flags.is("all-namespaces") && first.kind.namespaced,
            alias: if with_alias { alias(first.kind) } else { "" },
            labels: flags.all("label-columns").iter().map(|label| (*label).to_owned()).collect(),
            show_labels: flags.is("show-labels"),
        };
        let mut text = String::new();
        if !options.no_headers {
            text += &printers::header(first.kind.kind, &options);
        }
        for info in group {
            text += &printers::row(info.kind.kind, &info.object, &options, now);
        }
        // kubectl writes the line between two tables to standard error, where a terminal shows it in this place.
        if at_group > 0 && !options.no_headers {
            run.print("\n");
        }
        run.print(&align(&text, &TABLE));
    }
}

/// Sorts by the value at a path: numbers as numbers, other things as text.
fn sort(infos: &mut [Info], field: &str) -> Result<(), Error> {
    let path = relaxed(field);
    let template = Template::parse(&path)?;
    let mut keys: Vec<(usize, Value)> = Vec::new();
    for (place, info) in infos.iter().enumerate() {
        let found = template.find(&info.object, true)?;
        let value = found.into_iter().flatten().next().map_or(Value::Null, std::borrow::Cow::into_owned);
        keys.push((place, value));
    }
    if !keys.is_empty() && keys.iter().all(|(_, key)| key.is_null()) {
        let path = portcullis_core::request::quote(&path);
        return Err(format!("couldn't find any field with path {path} in the list of objects").into());
    }
    portcullis_core::sort::by(&mut keys, |(_, one), (_, other)| match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ if one.is_null() || other.is_null() => other.is_null().cmp(&one.is_null()),
        _ => plain(one).cmp(&plain(other)),
    });
    let sorted: Vec<Info> = keys.iter().filter_map(|(place, _)| infos.get(*place).cloned()).collect();
    infos.iter_mut().zip(sorted).for_each(|(place, info)| *place = info);
    Ok(())
}

/// A path as people write it (`metadata.name`, `.metadata.name`) in the braces that templates want.
fn relaxed(path: &str) -> String {
    let inside = path.strip_prefix('{').and_then(|path| path.strip_suffix('}')).unwrap_or(path);
    format!("{{.{}}}", inside.strip_prefix('.').unwrap_or(inside))
}

/// How objects are printed, other than as a table.
pub enum Format {
    /// `-o json`.
    Json,
    /// `-o yaml`.
    Yaml,
    /// `-o name`.
    Name,
    /// `-o jsonpath=`: the template, its text, and whether missing fields are left out.
    JsonPath(Template, String, bool),
    /// `-o custom-columns=`: headers and paths.
    Columns(Vec<(String, Template)>, bool),
}

impl Format {
    /// What `-o` asks for; `None` for the table.
    ///
    /// # Errors
    ///
    /// That the format is not known.
    pub fn read(flags: &Flags, file: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, Error> {
        let output = flags.text("output");
        let (format, argument) = output.split_once('=').unwrap_or((output, ""));
        let argument = if argument.is_empty() { flags.text("template") } else { argument };
        let format = match (format, argument) {
            ("", "") => return Ok(None),
            ("", _) => "template",
            ("wide", _) => return Ok(None),
            (format, _) => format,
        };
        let read_file = || {
            file(argument).ok_or_else(|| {
                format!("error reading template {argument}, open {argument}: no such file or directory\n")
            })
        };
        let template = |text: String| {
            let parsed = Template::parse(&text).map_err(|error| format!("error parsing jsonpath {text}, {error}\n"))?;
            Ok::<_, String>(Self::JsonPath(parsed, text, flags.is_not_off("allow-missing-template-keys")))
        };
        Ok(Some(match format {
            "json" => Self::Json,
            "yaml" => Self::Yaml,
            "name" => Self::Name,
            "jsonpath" if argument.is_empty() => {
                return Err("jsonpath template format specified but no template given".into());
            }
            "jsonpath" => template(argument.to_owned())?,
            "jsonpath-file" => template(read_file()?)?,
            "custom-columns" if argument.is_empty() => {
                return Err("custom-columns format specified but no custom columns given".into());
            }
            "custom-columns" => {
                let mut columns = Vec::new();
                for part in argument.split(',') {
                    let Some((header, path)) = part.split_once(':').filter(|(_, path)| !path.contains(':')) else {
                        let expected = "expected <header>:<json-path-expr>";
                        return Err(format!("unexpected custom-columns spec: {part}, {expected}").into());
                    };
                    columns.push((header.to_owned(), Template::parse(&relaxed(path))?));
                }
                Self::Columns(columns, flags.is("no-headers"))
            }
            "template" | "go-template" | "templatefile" | "go-template-file" | "custom-columns-file" => {
                return Err(format!("-o {format} is not supported here: jsonpath and custom-columns are").into());
            }
            _ => {
                let format = portcullis_core::request::quote(format);
                return Err(format!("output format {format} not recognized").into());
            }
        }))
    }

    /// Prints an object or a `List`.
    ///
    /// # Errors
    ///
    /// What a template cannot do with it.
    pub fn print(&self, object: &Value) -> Result<String, Error> {
        let one = std::slice::from_ref(object);
        let each = if at(object, "items").is_array() { list(object, "items") } else { one };
        Ok(match self {
            Self::Json => json::to_string_pretty(&sorted(object), "    ") + "\n",
            Self::Yaml => yaml::to_string(object),
            Self::Name => each.iter().map(name_of).collect(),
            Self::JsonPath(template, source, allow_missing) => {
                template.print(object, *allow_missing).map_err(|error| {
                    let source = portcullis_core::request::quote(source);
                    format!("error executing jsonpath {source}: {error}\n")
                })?
            }
            Self::Columns(columns, no_headers) => {
                let line = |cells: Vec<String>| cells.join("\t") + "\n";
                let mut text = String::new();
                if !no_headers {
                    text += &line(columns.iter().map(|(header, _)| header.clone()).collect());
                }
                for object in each {
                    let mut cells = Vec::new();
                    for (_, template) in columns {
                        let found = template.find(object, true)?.into_iter().flatten();
                        let shown: Vec<String> = found.map(|item| plain(&item)).collect();
                        cells.push(if shown.is_empty() { "<none>".to_owned() } else { shown.join(",") });
                    }
                    text += &line(cells);
                }
                align(&text, &TABLE)
            }
        })
    }
}

/// `pods/nginx`: `-o name` prints the plural in 1.7.
fn name_of(object: &Value) -> String {
    let kinds = portcullis_core::release::Release::all().iter();
    let kind = kinds.rev().find_map(|release| release.resource_of(text(object, "apiVersion"), text(object, "kind")));
    format!("{}/{}\n", kind.map_or("<unknown>", |kind| kind.resource), text(object, "metadata.name"))
}
