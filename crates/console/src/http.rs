//! A request as it goes over the wire, and the answer as it comes back; line ends are LF, as a terminal shows them.

use std::borrow::Cow;

use portcullis_core::apiserver::Response;
use portcullis_core::request::Request;

use crate::budget::{self, Budget};
use crate::commands::bytes;
use crate::session::{NotRunning, Session};

const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";

/// Sends a request that the document spells out; what comes back, and an exit status. In its headers `$NAME` and `${NAME}` stand for
/// the shell's variables, as far as they are set: a token is worth nothing in the next run.
pub fn send(request: &Request, session: &mut Session) -> (String, u8) {
    let mut request = request.clone();
    let mut room = budget::LENGTH;
    for (_, value) in &mut request.headers {
        *value = with_variables(value, &mut room, &|name| session.variables.get(name).map(String::as_str));
    }
    let head_only = request.method == "HEAD";
    let sent = session.send(request);
    session.settle();
    match sent {
        Ok(response) => {
            let body = if head_only { "".into() } else { body(&response) };
            (head(&response) + &body, 0)
        }
        Err(NotRunning) => ("The API server is not running: the connection is refused.\n".to_owned(), 7),
    }
}

/// `text` with `$NAME` and `${NAME}` replaced once, where `get` has the name and there is room for the value.
fn with_variables<'a>(text: &'a str, room: &mut Budget, get: &dyn Fn(&str) -> Option<&'a str>) -> String {
    let mut parts = text.split('$');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let bare = part.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).unwrap_or(part.len());
        let braced = part.strip_prefix('{').and_then(|part| part.split_once('}'));
        let (name, rest) = braced.unwrap_or_else(|| part.split_at(bare));
        match get(name) {
            Some(value) if room.take(value.len()).is_ok() => out.extend([value, rest]),
            _ => out.extend(["$", part]),
        }
    }
    out
}

/// The status line and the headers, with the blank line behind them.
pub fn head(response: &Response) -> String {
    let mut text = format!("HTTP/1.1 {} {}\n", response.status, response.reason_phrase());
    for (name, value) in &response.headers {
        text.extend([name, ": ", value, "\n"]);
    }
    text.push('\n');
    text
}

/// The body as people read it: protobuf as `hexdump -C` prints it.
pub fn body(response: &Response) -> Cow<'_, str> {
    let is_protobuf = |(name, value): &(String, String)| name == "Content-Type" && value.starts_with(PROTOBUF);
    if response.headers.iter().any(is_protobuf) {
        return bytes::dump(&response.body, false, 0).into();
    }
    String::from_utf8_lossy(&response.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_for_their_values_once() {
        let get = |name: &str| {
            [("A", "1"), ("TOKEN", "$A$"), ("TOKENS", "all")].iter().find(|it| it.0 == name).map(|it| it.1)
        };
        for (text, expected) in [
            ("Bearer $TOKEN", "Bearer $A$"),
            ("$TOKENS ${TOKEN}S $TOKENX", "all $A$S $TOKENX"),
            ("$A$A-$A ${A", "11-1 ${A"),
            ("5$ $ $$A é$Aé", "5$ $ $1 é1é"),
        ] {
            assert_eq!(with_variables(text, &mut budget::LENGTH.clone(), &get), expected, "{text}");
        }
    }
}
