//! A request as it goes over the wire, and the answer as it comes back; line ends are LF, as a terminal shows them.

use portcullis_core::apiserver::Response;
use portcullis_core::request::Request;

use crate::session::{NotRunning, Session};

/// Sends a request that the document spells out; what comes back, and an exit status. In its headers `$NAME` and `${NAME}` stand for
/// the shell's variables, as far as they are set: a token is worth nothing in the next run.
pub fn send(request: &Request, session: &mut Session) -> (String, u8) {
    let mut request = request.clone();
    for (_, value) in &mut request.headers {
        // From behind, so that `$TOKENS` is taken before `$TOKEN`.
        for (name, text) in session.variables.iter().rev() {
            if value.contains('$') {
                *value = value.replace(&format!("${{{name}}}"), text).replace(&format!("${name}"), text);
            }
        }
    }
    let head_only = request.method == "HEAD";
    let sent = session.send(request);
    session.settle();
    match sent {
        Ok(response) => {
            let body = if head_only { "".into() } else { String::from_utf8_lossy(&response.body) };
            (head(&response) + &body, 0)
        }
        Err(NotRunning) => ("The API server is not running: the connection is refused.\n".to_owned(), 7),
    }
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
