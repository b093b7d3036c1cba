//! `kubectl get`, and the output formats that other commands share with it.
//!
//! Behaviour: `pkg/kubectl/cmd/get.go`, `pkg/printers/*.go` of release 1.7.

use std::cmp::Ordering;

use portcullis_core::manifest::{Value, json, yaml};

use super::Run;
use super::client::{Call, Error};
use super::flags::Flags;
use super::jsonpath::{Template, go_type};
use super::printers::{self, Options};
use super::resources::{Fetch, Info, Query, VALID_RESOURCES, alias, find_objects, several_types};
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
        run.errors += "You must specify the type of resource to get. ";
        run.errors += VALID_RESOURCES;
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
    // A table sorts before it leaves out what is done, and one line is in order whatever its field; other formats sort the
    // list that they print.
    let field = flags.text("sort-by");
    if format.is_none() && !field.is_empty() && asked_for > 1 {
        sort(&mut found.infos, field)?;
    }
    if hide_done {
        found.infos.retain(|info| !is_done(info));
    }
    if format.is_some() && !field.is_empty() && !found.single {
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
    let mut text = String::new();
    let printed = match found.infos.as_slice() {
        [] if found.single || (asked_for == 0 && flags.is("ignore-not-found")) => Ok(()),
        [one] if found.single => format.print(&one.object, &mut text),
        several => {
            let objects: Vec<Value> = several.iter().map(|info| info.object.clone()).collect();
            format.print(&list_of(objects), &mut text)
        }
    };
    run.print(&text);
    found.errors.extend(printed.err());
    Error::collect(found.errors)
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

/// Sorts by the value at a path: numbers as numbers, text in natural order. What has no such value comes first, the last
/// of it before the others, as Go sorts a few that are each less than every other.
fn sort(infos: &mut Vec<Info>, field: &str) -> Result<(), Error> {
    let path = relaxed(field);
    let template = Template::parse(&path)?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for info in infos.iter() {
        let found = template.find(&info.object, true)?.into_iter().next();
        match found.and_then(|found| found.into_iter().next()) {
            Some(value) => with.push((value.into_owned(), info.clone())),
            None => without.push(info.clone()),
        }
    }
    if with.is_empty() && !without.is_empty() {
        let path = portcullis_core::request::quote(&path);
        return Err(format!("couldn't find any field with path {path} in the list of objects").into());
    }
    let wrong = with.windows(2).find_map(|pair| match pair {
        [(Value::Number(_), _), (Value::Number(_), _)] | [(Value::String(_), _), (Value::String(_), _)] => None,
        [(Value::Number(_) | Value::String(_), _), _] => Some("unsortable interface: interface".to_owned()),
        [(value, _), ..] => Some(format!("unsortable type: {}", go_type(value))),
        [] => None,
    });
    if let Some(wrong) = wrong {
        // kubectl logs this as fatal, with all that it does at the moment.
        return Err(Error::Line(format!(
            "Field {path} in *unstructured.Unstructured is an unsortable type: interface, err: {wrong}"
        )));
    }
    portcullis_core::sort::by(&mut with, |(one, _), (other, _)| match (one.as_f64(), other.as_f64()) {
        (Some(one), Some(other)) => one.total_cmp(&other),
        _ => natural(one.as_str().unwrap_or(""), other.as_str().unwrap_or("")),
    });
    without.reverse();
    without.extend(with.into_iter().map(|(_, info)| info));
    *infos = without;
    Ok(())
}

/// Compares as people count: `web-2` before `web-10`, digits before all else, of equal numbers the one with fewer zeros.
fn natural(one: &str, other: &str) -> Ordering {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (mut one, mut other) = (one.as_bytes(), other.as_bytes());
    loop {
        let ([a, ..], [b, ..]) = (one, other) else { return one.len().cmp(&other.len()) };
        let (length, other_length) = (digits(one), digits(other));
        let order = match (length, other_length) {
            (0, 0) => a.cmp(b),
            (0, _) => Ordering::Greater,
            (_, 0) => Ordering::Less,
            _ => number(one, length).cmp(&number(other, other_length)),
        };
        if order.is_ne() {
            return order;
        }
        one = one.get(length.max(1)..).unwrap_or_default();
        other = other.get(other_length.max(1)..).unwrap_or_default();
    }
}

/// The first `length` digits of `text` by what they are compared by: how many without zeros before them, which, how many zeros.
fn number(text: &[u8], length: usize) -> (usize, &[u8], usize) {
    let zeros = text.iter().take(length).take_while(|byte| **byte == b'0').count();
    (length - zeros, text.get(zeros..length).unwrap_or_default(), zeros)
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

    /// Prints an object or a `List` to `out`.
    ///
    /// # Errors
    ///
    /// What a template cannot do with it.
    pub fn print(&self, object: &Value, out: &mut String) -> Result<(), Error> {
        let one = std::slice::from_ref(object);
        let each = if at(object, "items").is_array() { list(object, "items") } else { one };
        match self {
            Self::Json => *out += &(json::to_string_pretty(&sorted(object), "    ") + "\n"),
            Self::Yaml => *out += &yaml::to_string(object),
            Self::Name => out.extend(each.iter().map(name_of)),
            Self::JsonPath(template, source, allow_missing) => {
                *out += &template.print(object, *allow_missing).map_err(|error| {
                    let source = portcullis_core::request::quote(source);
                    format!("error executing jsonpath {source}: {error}\n")
                })?;
            }
            Self::Columns(columns, no_headers) => {
                let mut text = String::new();
                if !no_headers {
                    text += &columns.iter().map(|(header, _)| header.as_str()).collect::<Vec<_>>().join("\t");
                    text.push('\n');
                }
                let rows = each.iter().try_for_each(|object| column_row(columns, object, &mut text));
                if rows.is_err() {
                    // What stands in columns waits for the rows to come. A line without any goes out, and all before it.
                    let whole = text.rfind('\n').map_or(0, |end| end + 1);
                    text.truncate(whole);
                    while text.lines().next_back().is_some_and(|line| line.contains('\t')) {
                        text.truncate(text.trim_end_matches('\n').rfind('\n').map_or(0, |end| end + 1));
                    }
                }
                *out += &align(&text, &TABLE);
                rows?;
            }
        }
        Ok(())
    }
}

/// One object in columns of its own. 1.7 writes the `<none>` of an empty list before the line and not where it belongs.
fn column_row(columns: &[(String, Template)], object: &Value, text: &mut String) -> Result<(), String> {
    let mut cells = Vec::new();
    for (_, template) in columns {
        let found = template.find(object, false)?;
        if found.first().is_none_or(Vec::is_empty) {
            *text += "<none>\t";
        }
        let shown: Vec<String> = found.iter().flatten().map(|item| plain(item)).collect();
        cells.push(shown.join(","));
    }
    *text += &cells.join("\t");
    text.push('\n');
    Ok(())
}

/// `pods/nginx`: `-o name` prints the plural in 1.7.
fn name_of(object: &Value) -> String {
    let kinds = portcullis_core::release::Release::all().iter();
    let kind = kinds.rev().find_map(|release| release.resource_of(text(object, "apiVersion"), text(object, "kind")));
    format!("{}/{}\n", kind.map_or("<unknown>", |kind| kind.resource), text(object, "metadata.name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_in_the_order_in_which_people_count() {
        let table = [
            ("", "a", Ordering::Less),
            ("a", "a", Ordering::Equal),
            ("web-2", "web-10", Ordering::Less),
            ("web-2", "web-02", Ordering::Less),
            ("web-02", "web-3", Ordering::Less),
            ("web-0", "web-", Ordering::Greater),
            ("a1b2", "a1b10", Ordering::Less),
            ("1", "a", Ordering::Less),
            ("a-", "a1", Ordering::Greater),
            ("B", "a", Ordering::Less),
            ("99999999999999999998", "99999999999999999999", Ordering::Less),
        ];
        for (one, other, order) in table {
            assert_eq!(natural(one, other), order, "{one} {other}");
            assert_eq!(natural(other, one), order.reverse(), "{other} {one}");
        }
    }
}
