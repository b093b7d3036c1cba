//! Requests that stand where a command could and are none: HTTP as it goes over the wire, and manifests.
//!
//! Where one ends follows from its own lines, so that a command can come right behind it. `web/document.ts` follows the
//! same rules.

use portcullis_core::request::Request;

use crate::shell::Script;

/// What a step does.
#[derive(Clone, Debug)]
pub enum Action {
    /// A command line.
    Script(Script),
    /// A request to the API server, sent as it is.
    Http(Box<Request>),
    /// An object that is created as kubectl would, and shown as `yaml` or `json`.
    Manifest(&'static str, String),
}

/// The request at the start of `text`, how many bytes it takes, and at which of them its manifest begins; `None` where a
/// command stands there.
pub(super) fn read(text: &str) -> Option<(Action, usize, Option<usize>)> {
    let first = text.lines().next().unwrap_or_default();
    if let Some((method, uri)) = request_line(first) {
        return Some(http(text, method, uri));
    }
    let json = first.strip_prefix('{').is_some_and(|rest| matches!(rest.trim_start().chars().next(), None | Some('"')));
    if !json && !matches!(key(first), Some("apiVersion" | "kind")) {
        return None;
    }
    let taken = manifest(text);
    let form = if json { "json" } else { "yaml" };
    Some((Action::Manifest(form, text.get(..taken)?.to_owned()), taken, Some(0)))
}

/// Method and path of `GET /api/v1/pods HTTP/1.1`, as `GET /api/v1/pods` too.
fn request_line(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    let (method, uri, version) = (words.next()?, words.next()?, words.next());
    let is_known =
        matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") && uri.starts_with('/');
    let is_method = method.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_method || !version.map_or(is_known, |version| version.starts_with("HTTP/")) || words.next().is_some() {
        return None;
    }
    // To a proxy one says the whole URL.
    let uri = match uri.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
        None => uri,
    };
    Some((method, uri))
}

fn http(text: &str, method: &str, uri: &str) -> (Action, usize, Option<usize>) {
    let mut lines = text.split_inclusive('\n');
    let mut taken = lines.next().map_or(0, str::len);
    let mut headers = Vec::new();
    let mut blank = 0;
    for line in lines {
        match line.split_once(':') {
            Some((name, value)) if is_token(name) => headers.push((name.to_owned(), value.trim().to_owned())),
            _ => {
                blank = if line.trim().is_empty() { line.len() } else { 0 };
                break;
            }
        }
        taken += line.len();
    }
    let has = |wanted: &str| headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted));
    let rest = text.get(taken + blank..).unwrap_or_default();
    let first = rest.lines().next().unwrap_or_default();
    let bodied = matches!(method, "POST" | "PUT" | "PATCH") || has("Content-Type") || has("Content-Length");
    let mut body = "";
    if blank > 0 && bodied && (first.starts_with(['{', '[']) || key(first).is_some()) {
        body = rest.get(..manifest(rest)).unwrap_or_default();
    }
    if !has("Host") {
        headers.insert(0, ("Host".to_owned(), "apiserver:6443".to_owned()));
    }
    let begins = (!body.is_empty()).then_some(taken + blank);
    taken = begins.map_or(taken, |at| at + body.len());
    let request = Request {
        method: method.to_owned(),
        uri: uri.to_owned(),
        headers,
        body: body.trim_end().as_bytes().to_vec(),
        ..Request::default()
    };
    (Action::Http(Box::new(request)), taken, begins)
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The bytes of the manifest at the start of `text`. JSON ends with the line that closes its first bracket; YAML before
/// a blank line, `---`, or a line that is neither indented nor a member, an element or a comment.
fn manifest(text: &str) -> usize {
    if text.starts_with(['{', '['])
        && let Some(length) = json(text)
    {
        return length;
    }
    let yaml = !text.starts_with(['{', '[']);
    let goes_on = |line: &&str| {
        !line.trim().is_empty()
            && (!yaml || line.starts_with([' ', '#', '-']) && line.trim() != "---" || key(line).is_some())
    };
    text.split_inclusive('\n').take_while(goes_on).map(str::len).sum()
}

/// `None` where the bracket is not closed: somebody is still typing.
fn json(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    let end = text.bytes().position(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    })?;
    let rest = text.get(end..)?;
    Some(end + rest.find('\n').map_or(rest.len(), |at| at + 1))
}

/// The name of the member that a line begins with: `kind` of `kind: Role`.
fn key(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(':')?;
    let is_name = |char: char| char.is_ascii_alphanumeric() || "\"'$_-./".contains(char);
    (!name.is_empty() && name.chars().all(is_name) && rest.chars().next().is_none_or(char::is_whitespace))
        .then_some(name)
}
