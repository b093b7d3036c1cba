//! An answer as it goes over the wire: which headers it has, and in which order.
//!
//! Behaviour: Go's `net/http` server, and `http.Error`.

use chrono::{DateTime, Utc};

use super::Response;
use crate::audit::Written;
use crate::world::time;

/// What Go's server keeps of a body before it must send headers: a longer body has no length.
const BUFFER: usize = 2048;

/// What a handler wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: u16,
    /// Set by the handler, sorted by name.
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Vec<u8>,
    /// Sent piece by piece, so that nobody can know its length.
    pub(super) streams: bool,
    /// How it came to its status, which the basic audit log shows.
    pub(super) written: Written,
}

impl Reply {
    /// A body of one piece, behind a status.
    pub(super) fn new(status: u16, headers: &[(&'static str, &'static str)], body: impl Into<Vec<u8>>) -> Self {
        let (headers, body) = (headers.to_vec(), body.into());
        Self { status, headers, body, streams: false, written: Written::Status }
    }

    /// `http.Error`.
    pub(super) fn error(status: u16, message: &str) -> Self {
        let headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")];
        Self::new(status, &headers, format!("{message}\n"))
    }

    /// A text whose handler sets no type and no status.
    pub(super) fn plain(body: impl Into<Vec<u8>>) -> Self {
        Self { written: Written::Body, ..Self::new(200, &[], body) }
    }

    /// `http.Redirect` of a GET.
    pub(super) fn redirect(to: &'static str) -> Self {
        let headers = [("Content-Type", "text/html; charset=utf-8"), ("Location", to)];
        Self::new(307, &headers, format!("<a href=\"{to}\">Temporary Redirect</a>.\n\n"))
    }

    /// The response to a request whose method was `HEAD` or another.
    pub(super) fn frame(self, is_head: bool, now: DateTime<Utc>) -> Response {
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        add("Date", time::rfc1123(now) + " GMT");
        let fits = self.body.len() <= BUFFER && !self.streams;
        if fits && self.status != 204 {
            add("Content-Length", self.body.len().to_string());
        }
        if !self.body.is_empty() && !self.headers.iter().any(|(name, _)| *name == "Content-Type") {
            // All that handlers send without a type is text.
            add("Content-Type", "text/plain; charset=utf-8".to_owned());
        }
        if !fits && !is_head {
            add("Transfer-Encoding", "chunked".to_owned());
        }
        Response { status: self.status, headers, body: if is_head { Vec::new() } else { self.body } }
    }
}

impl Response {
    /// The words behind the status code: `Not Found`.
    pub fn reason_phrase(&self) -> &'static str {
        match self.status {
            200 => "OK",
            201 => "Created",
            202 => "Accepted",
            204 => "No Content",
            307 => "Temporary Redirect",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            406 => "Not Acceptable",
            409 => "Conflict",
            410 => "Gone",
            413 => "Request Entity Too Large",
            415 => "Unsupported Media Type",
            422 => "Unprocessable Entity",
            429 => "Too Many Requests",
            500 => "Internal Server Error",
            503 => "Service Unavailable",
            504 => "Gateway Timeout",
            _ => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_stand_in_the_order_of_gos_server() {
        let json = |length| Reply::new(200, &[("Content-Type", "application/json")], vec![b'x'; length]);
        let at = DateTime::from_timestamp(1_498_998_240, 0).unwrap();
        for (reply, is_head, expected) in [
            (json(2048), false, "Content-Type|Date|Content-Length=2048"),
            (json(2049), false, "Content-Type|Date|Transfer-Encoding=chunked"),
            (json(2048), true, "Content-Type|Date|Content-Length=2048"),
            (json(2049), true, "Content-Type|Date=Sun, 02 Jul 2017 12:24:00 GMT"),
            (Reply::plain("ok"), false, "Date|Content-Length|Content-Type=text/plain; charset=utf-8"),
            (Reply::plain(""), false, "Date|Content-Length=0"),
            (Reply::error(404, "no"), false, "Content-Type|X-Content-Type-Options|Date|Content-Length=3"),
        ] {
            let response = reply.frame(is_head, at);
            let names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
            let last = response.headers.last().map_or("", |(_, value)| value);
            assert_eq!(format!("{}={last}", names.join("|")), expected);
            assert_eq!(response.body.is_empty(), is_head || expected.ends_with("=0"));
        }
    }
}
