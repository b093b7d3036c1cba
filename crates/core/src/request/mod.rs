//! An HTTP request, and what the API server reads from it before it asks who sent it.
//!
//! Behaviour: `RequestInfo` of Kubernetes' `apiserver/pkg/endpoints/request/requestinfo.go`.

use std::rc::Rc;

use chrono::{DateTime, Utc};

use crate::manifest::Origin;

mod info;
mod quote;
mod url;

pub use quote::{quote, sanitize};
pub use url::Url;

/// A request as it arrives at one of the ports.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// HTTP method, upper case.
    pub method: String,
    /// Path and query as sent: `/api/v1/pods?watch=1`.
    pub uri: String,
    /// Headers in the order sent, names as sent. Compared without case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes; empty for none.
    pub body: Vec<u8>,
    /// The client certificate of the TLS connection, if there is one.
    pub certificate: Option<Certificate>,
    /// Peer address of the connection, without port.
    pub source_ip: String,
    /// It came to the insecure port, where nobody is asked who they are or what they may.
    pub insecure: bool,
    /// The line that sent it: the origin of what it creates.
    pub origin: Option<Rc<Origin>>,
}

impl Request {
    /// The first value of the header `name`, or `""`.
    pub fn header(&self, name: &str) -> &str {
        self.header_values(name).next().unwrap_or("")
    }

    /// The values of the header `name`, in the order sent.
    pub fn header_values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// What the API server looks at in a client certificate. It is taken to chain to the server's client CA.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// Subject's CommonName (CN); the last one where several are given, as Go's `pkix.Name` has it.
    pub common_name: String,
    /// Subject's Organizations (O), in certificate order.
    pub organizations: Vec<String>,
    /// From when and until when it is valid, where that is known.
    pub validity: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// Its extended key usages are others than that of a client.
    pub not_for_clients: bool,
}

/// What the authorizers are asked: `authorizer.Attributes` without the user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestInfo {
    /// False for paths such as `/healthz`: then only `verb` and `path` count.
    pub is_resource_request: bool,
    /// The decoded path.
    pub path: String,
    /// Kubernetes verb (`list`), or the lower-case HTTP method for non-resource requests.
    pub verb: String,
    /// `""` for the core group.
    pub api_group: String,
    /// `v1`.
    pub api_version: String,
    /// `""` at cluster scope.
    pub namespace: String,
    /// Plural, as in the path.
    pub resource: String,
    /// `""` for none.
    pub subresource: String,
    /// `""` for collections.
    pub name: String,
}
