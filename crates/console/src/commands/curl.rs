//! `curl`: a request as one types it, and the answer as it came.
//!
//! Behaviour: curl 7.54 (July 2017); the CRLF of headers is printed as LF, as a terminal shows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portcullis_core::apiserver::Response;
use portcullis_core::request::Request;

use super::{Output, openssl, unsupported};
use crate::arguments::{Argument, Arguments};
use crate::http;
use crate::session::Session;

#[derive(Default)]
struct Curl<'a> {
    urls: Vec<&'a str>,
    method: Option<&'a str>,
    headers: Vec<(String, Option<String>)>,
    data: Option<Vec<u8>>,
    get: bool,
    head: bool,
    include: bool,
    dump: Option<&'a str>,
    output: Option<&'a str>,
    write_out: Option<&'a str>,
    silent: bool,
    show_error: bool,
    fail: bool,
    certificate: Option<&'a str>,
    key: Option<&'a str>,
    user: Option<&'a str>,
    agent: Option<&'a str>,
}

pub fn run(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let curl = match read(arguments, stdin, session) {
        Ok(curl) => curl,
        Err(output) => return output,
    };
    let mut output = Output::default();
    for url in &curl.urls {
        output.status = 0;
        if let Err((status, message)) = curl.transfer(url, session, &mut output) {
            output.status = status;
            if !curl.silent || curl.show_error {
                output.stderr.extend(format!("curl: ({status}) {message}\n").into_bytes());
            }
        }
    }
    output
}

fn read<'a>(arguments: &'a [String], stdin: &[u8], session: &Session) -> Result<Curl<'a>, Output> {
    let mut curl = Curl::default();
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        use Argument::{Long, Operand, Short};
        match part {
            Operand(url) => curl.urls.push(url),
            Short('k') | Long("insecure") => {}
            // There is no progress bar, no colour, and nothing that takes time.
            Short('N' | 'g') | Long("no-buffer" | "globoff" | "no-progress-meter" | "http1.1") => {}
            Short('s') | Long("silent") => curl.silent = true,
            Short('S') | Long("show-error") => curl.show_error = true,
            Short('i') | Long("include") => curl.include = true,
            Short('I') | Long("head") => curl.head = true,
            Short('G') | Long("get") => curl.get = true,
            Short('f') | Long("fail") => curl.fail = true,
            _ => {
                let known = matches!(
                    part,
                    Short('X' | 'H' | 'd' | 'D' | 'o' | 'w' | 'E' | 'u' | 'A' | 'm')
                        | Long(
                            "request"
                                | "header"
                                | "data"
                                | "data-ascii"
                                | "data-binary"
                                | "data-raw"
                                | "data-urlencode"
                                | "json"
                                | "dump-header"
                                | "output"
                                | "write-out"
                                | "cert"
                                | "key"
                                | "cacert"
                                | "user"
                                | "user-agent"
                                | "url"
                                | "max-time"
                                | "connect-timeout"
                                | "oauth2-bearer"
                        )
                );
                if !known {
                    return Err(Output { status: 2, ..unsupported("curl", part) });
                }
                let Some(value) = parts.value() else {
                    let message = format!("curl: option {part}: requires parameter");
                    return Err(Output::failure(2, &message));
                };
                curl.option(part, value, stdin, session)?;
            }
        }
    }
    if curl.urls.is_empty() {
        return Err(Output::failure(2, "curl: no URL specified!"));
    }
    Ok(curl)
}

impl<'a> Curl<'a> {
    fn option(&mut self, option: Argument<'_>, value: &'a str, stdin: &[u8], session: &Session) -> Result<(), Output> {
        use Argument::{Long, Short};
        match option {
            Short('X') | Long("request") => self.method = Some(value),
            Short('H') | Long("header") => match value.split_once(':') {
                Some((name, value)) if value.trim().is_empty() => self.headers.push((name.to_owned(), None)),
                Some((name, value)) => self.headers.push((name.to_owned(), Some(value.trim().to_owned()))),
                None => {
                    if let Some(name) = value.strip_suffix(';') {
                        self.headers.push((name.to_owned(), Some(String::new())));
                    }
                }
            },
            Short('d') | Long("data" | "data-ascii" | "data-binary" | "data-raw" | "data-urlencode" | "json") => {
                let raw = option == Long("data-raw");
                let mut data = match value.strip_prefix('@').filter(|_| !raw) {
                    Some("-") => stdin.to_vec(),
                    Some(file) => session.bytes(file).ok_or_else(|| {
                        Output::failure(26, &format!("curl: (26) Failed to open {file}: No such file or directory"))
                    })?,
                    None => value.as_bytes().to_vec(),
                };
                if value.starts_with('@') && !raw && !matches!(option, Long("data-binary" | "json")) {
                    data.retain(|byte| !matches!(byte, b'\r' | b'\n' | 0));
                }
                if option == Long("data-urlencode") {
                    let text = String::from_utf8_lossy(&data).into_owned();
                    let (name, value) = text.split_once('=').unwrap_or(("", &text));
                    let name = if name.is_empty() { String::new() } else { format!("{name}=") };
                    data = format!("{name}{}", urlencode(value)).into_bytes();
                }
                if option == Long("json") {
                    self.default_header("Content-Type", "application/json");
                    self.default_header("Accept", "application/json");
                }
                match &mut self.data {
                    Some(before) => {
                        if option != Long("json") {
                            before.push(b'&');
                        }
                        before.extend(data);
                    }
                    None => self.data = Some(data),
                }
            }
            Short('D') | Long("dump-header") => self.dump = Some(value),
            Short('o') | Long("output") => self.output = Some(value),
            Short('w') | Long("write-out") => self.write_out = Some(value),
            Short('E') | Long("cert") => self.certificate = Some(value),
            Long("key") => self.key = Some(value),
            Short('u') | Long("user") => self.user = Some(value),
            Short('A') | Long("user-agent") => self.agent = Some(value),
            Long("oauth2-bearer") => self.headers.push(("Authorization".to_owned(), Some(format!("Bearer {value}")))),
            Long("url") => self.urls.push(value),
            // The API server's certificate is trusted, and no answer comes late.
            _ => {}
        }
        Ok(())
    }

    fn default_header(&mut self, name: &str, value: &str) {
        if !self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
            self.headers.push((name.to_owned(), Some(value.to_owned())));
        }
    }

    /// One URL: status and message where it fails.
    fn transfer(&self, url: &str, session: &mut Session, output: &mut Output) -> Result<(), (u8, String)> {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        if !matches!(scheme, "http" | "https") {
            return Err((1, format!("Protocol \"{scheme}\" not supported or disabled in libcurl")));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or_default();
        let authority = authority.rsplit('@').next().unwrap_or_default();
        let path = path.split('#').next().unwrap_or_default();
        if path.contains(|char: char| char.is_whitespace() || char.is_control()) || authority.is_empty() {
            return Err((3, "URL using bad/illegal format or missing URL".to_owned()));
        }
        let mut uri = if path.starts_with('/') { dotless(path) } else { format!("/{path}") };
        let (mut body, mut method) = (Vec::new(), if self.head { "HEAD" } else { "GET" });
        if let Some(data) = &self.data {
            if self.get || self.head {
                uri.push(if uri.contains('?') { '&' } else { '?' });
                uri.push_str(&String::from_utf8_lossy(data));
            } else {
                body.clone_from(data);
                method = "POST";
            }
        }
        let posts = method == "POST";
        let mut request = Request {
            method: self.method.unwrap_or(method).to_owned(),
            uri,
            headers: self.request_headers(authority, posts, body.len()),
            body,
            ..Request::default()
        };
        if let Some(name) = self.certificate {
            let file =
                name.split_once(':').map_or(name, |(file, _)| if session.bytes(name).is_some() { name } else { file });
            let problem = |what: &str| (58, format!("could not load PEM client certificate from {file}: {what}"));
            let bytes = session.bytes(file).ok_or_else(|| problem("No such file or directory"))?;
            let certificate = openssl::certificate(&String::from_utf8_lossy(&bytes));
            request.certificate = Some(certificate.ok_or_else(|| problem("neither PEM nor a `Subject:` line"))?);
            if let Some(key) = self.key.filter(|key| session.bytes(key).is_none()) {
                return Err((58, format!("unable to set private key file: '{key}' type PEM")));
            }
        }
        let response = session.fetch(scheme, authority, request)?;
        self.print(&response, method == "HEAD" || self.method == Some("HEAD"), session, output)
    }

    /// curl's own headers, each replaced or left out as `-H` says.
    fn request_headers(&self, authority: &str, posts: bool, length: usize) -> Vec<(String, String)> {
        let mut own = vec![("Host", authority.to_owned())];
        if let Some(user) = self.user {
            own.push(("Authorization", format!("Basic {}", STANDARD.encode(user))));
        }
        match self.agent {
            Some("") => {}
            agent => own.push(("User-Agent", agent.unwrap_or("curl/7.54.0").to_owned())),
        }
        own.push(("Accept", "*/*".to_owned()));
        let given = |name: &str| self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        let mut headers: Vec<(String, String)> =
            own.into_iter().filter(|(name, _)| !given(name)).map(|(name, value)| (name.to_owned(), value)).collect();
        headers.extend(self.headers.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?))));
        if posts {
            for (name, value) in [
                ("Content-Length", length.to_string()),
                ("Content-Type", "application/x-www-form-urlencoded".to_owned()),
            ] {
                if !given(name) {
                    headers.push((name.to_owned(), value));
                }
            }
        }
        headers
    }

    fn print(
        &self,
        response: &Response,
        head: bool,
        session: &mut Session,
        output: &mut Output,
    ) -> Result<(), (u8, String)> {
        let headers = http::head(response);
        let unwritten = |message: &str| (23, message.to_owned());
        match self.dump {
            Some("-") => output.stdout.extend(headers.bytes()),
            Some(file) => {
                session.truncate(file);
                session.append(file, headers.as_bytes()).map_err(unwritten)?;
            }
            None => {}
        }
        let failed = self.fail && response.status >= 400;
        let mut shown = Vec::new();
        if self.include || self.head {
            shown.extend(headers.bytes());
        }
        if !head && !failed {
            shown.extend(&response.body);
        }
        match self.output {
            Some("-") | None => output.stdout.extend(shown),
            Some(file) => {
                session.truncate(file);
                session.append(file, &shown).map_err(unwritten)?;
            }
        }
        if let Some(format) = self.write_out {
            let text = format
                .replace("%{http_code}", &response.status.to_string())
                .replace("%{response_code}", &response.status.to_string())
                .replace("\\n", "\n")
                .replace("\\t", "\t");
            output.stdout.extend(text.bytes());
        }
        if failed {
            return Err((
                22,
                format!("The requested URL returned error: {} {}", response.status, response.reason_phrase()),
            ));
        }
        Ok(())
    }
}

/// What curl does to a path before it sends it: RFC 3986, section 5.2.4.
fn dotless(path: &str) -> String {
    let (path, query) = path.find('?').and_then(|at| path.split_at_checked(at)).unwrap_or((path, ""));
    if !path.contains("/.") {
        return format!("{path}{query}");
    }
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if last {
                    kept.push("");
                }
            }
            other => kept.push(other),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

fn urlencode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
