//! `etcdctl` as somebody on the API server's machine uses it: `get`, `put`, `del`, with the data as etcd holds it.
//!
//! Behaviour: etcd 3.1 `etcdctl/ctlv3/command/{get,put,del}_command.go`, `printer_simple.go`, `printer_json.go`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::manifest::json::object;
use portcullis_core::manifest::{Map, Value};

use super::{Output, unsupported};
use crate::arguments::{Argument, Arguments};
use crate::session::{KeyValue, Session};

/// Flags that say where etcd is and who asks: there is one etcd here, and it lets everybody in.
const CONNECTION: [&str; 10] = [
    "endpoints",
    "cacert",
    "cert",
    "key",
    "dial-timeout",
    "command-timeout",
    "user",
    "insecure-skip-tls-verify",
    "insecure-transport",
    "debug",
];

/// The identity of an etcd of one member with its default name.
const CLUSTER_ID: u64 = 14_841_639_068_965_178_418;
const MEMBER_ID: u64 = 10_276_657_743_932_975_437;

/// What the flags of a command say.
#[derive(Default)]
struct Options<'a> {
    operands: Vec<&'a str>,
    prefix: bool,
    from_key: bool,
    keys_only: bool,
    count_only: bool,
    value_only: bool,
    hex: bool,
    json: bool,
    limit: Option<usize>,
}

pub fn run(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let options = match options(arguments) {
        Ok(options) => options,
        Err(output) => return output,
    };
    match options.operands.as_slice() {
        ["get", key] => get(&options, (key, None), session),
        ["get", key, end] => get(&options, (key, Some(end)), session),
        ["put", key] => put(key, stdin, session),
        ["put", key, value] => put(key, value.as_bytes(), session),
        ["del", key] => delete(&options, (key, None), session),
        ["del", key, end] => delete(&options, (key, Some(end)), session),
        ["get" | "put" | "del", ..] => {
            Output::failure(128, "Error: wrong number of arguments: a key, and for put a value")
        }
        ["version", ..] => Output::text("etcdctl version: 3.1.10\nAPI version: 3.1\n"),
        [other, ..] => Output::failure(1, &format!("etcdctl: {other} is not supported here: get, put and del are")),
        [] => Output::failure(1, "etcdctl: a command is missing: get, put or del"),
    }
}

fn options(arguments: &[String]) -> Result<Options<'_>, Output> {
    let mut options = Options::default();
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Operand(operand) => options.operands.push(operand),
            Argument::Long("prefix") => options.prefix = true,
            Argument::Long("from-key") => options.from_key = true,
            Argument::Long("keys-only") => options.keys_only = true,
            Argument::Long("count-only") => options.count_only = true,
            Argument::Long("print-value-only") => options.value_only = true,
            Argument::Long("hex") => options.hex = true,
            Argument::Long("limit") => {
                options.limit = parts.value().and_then(|count| count.parse().ok()).filter(|count| *count > 0)
            }
            Argument::Short('w') | Argument::Long("write-out") => match parts.value() {
                Some("json") => options.json = true,
                Some("simple") => options.json = false,
                other => {
                    let form = other.unwrap_or_default();
                    return Err(Output::failure(
                        1,
                        &format!("etcdctl: output in the form {form:?} is not supported here"),
                    ));
                }
            },
            Argument::Long("insecure-skip-tls-verify" | "insecure-transport" | "debug") | Argument::Excess(_) => {}
            Argument::Long(flag) if CONNECTION.contains(&flag) => drop(parts.value()),
            other => return Err(unsupported("etcdctl", other)),
        }
    }
    Ok(options)
}

/// The pairs that a command names: one key, a range up to a key, a prefix, or all from a key on.
fn chosen(options: &Options<'_>, (key, end): (&str, Option<&str>), session: &mut Session) -> Vec<KeyValue> {
    let mut pairs = session.etcd(if options.prefix || (end.is_none() && !options.from_key) { key } else { "" });
    pairs.retain(|pair| match end {
        _ if options.prefix => true,
        _ if options.from_key => pair.key.as_str() >= key,
        Some(end) => (key..end).contains(&pair.key.as_str()),
        None => pair.key == key,
    });
    pairs
}

fn get(options: &Options<'_>, range: (&str, Option<&str>), session: &mut Session) -> Output {
    let pairs = chosen(options, range, session);
    let count = pairs.len();
    let shown = pairs.into_iter().take(if options.count_only { 0 } else { options.limit.unwrap_or(usize::MAX) });
    if options.json {
        let kvs: Vec<Value> = shown.map(|pair| pair_to_json(&pair, options.keys_only)).collect();
        let header = object([
            ("cluster_id", CLUSTER_ID.into()),
            ("member_id", MEMBER_ID.into()),
            ("revision", session.etcd_revision().into()),
            ("raft_term", 2.into()),
        ]);
        // Go leaves out what is empty.
        let mut answer = Map::from_iter([("header".to_owned(), header)]);
        if !kvs.is_empty() {
            answer.insert("kvs".into(), kvs.into());
        }
        if count > 0 {
            answer.insert("count".into(), count.into());
        }
        return Output::text(format!("{}\n", Value::Object(answer)));
    }
    let mut output = Output::default();
    let mut line = |bytes: &[u8]| {
        match options.hex {
            true => bytes.iter().for_each(|byte| output.stdout.extend(format!("\\x{byte:02x}").into_bytes())),
            false => output.stdout.extend(bytes),
        }
        output.stdout.push(b'\n');
    };
    for pair in shown {
        if !options.value_only {
            line(pair.key.as_bytes());
        }
        line(if options.keys_only { b"" } else { &pair.value });
    }
    output
}

fn pair_to_json(pair: &KeyValue, keys_only: bool) -> Value {
    let mut members = Map::new();
    members.insert("key".into(), STANDARD.encode(&pair.key).into());
    members.insert("create_revision".into(), pair.created.into());
    members.insert("mod_revision".into(), pair.revision.into());
    members.insert("version".into(), pair.version.into());
    if !keys_only {
        members.insert("value".into(), STANDARD.encode(&pair.value).into());
    }
    Value::Object(members)
}

fn put(key: &str, value: &[u8], session: &mut Session) -> Output {
    let mut output = Output::text("OK\n");
    if let Some(ended) = session.etcd_put(key, value) {
        output.stderr = format!("kube-apiserver: {ended}\n").into_bytes();
    }
    output
}

fn delete(options: &Options<'_>, range: (&str, Option<&str>), session: &mut Session) -> Output {
    let pairs = chosen(options, range, session);
    pairs.iter().for_each(|pair| session.etcd_delete(&pair.key));
    Output::text(format!("{}\n", pairs.len()))
}
