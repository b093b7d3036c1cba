//! The pipeline: one [`Request`] goes in, one [`Exchange`] comes out.
//!
//! The order of the handler chain is that of Kubernetes' `apiserver/pkg/server/config.go` (`DefaultBuildHandlerChain`).

mod bootstrap;
pub mod cluster;
mod controllers;
mod discovery;
mod filters;
pub mod flags;
mod negotiation;
mod partial;
#[cfg(test)]
mod recorded;
pub mod rest;
mod reviews;
mod routes;
mod server;
mod start;
mod wire;

pub use server::{Earlier, Server, Stopped};

use std::rc::Rc;

use crate::admission;
use crate::audit;
use crate::authentication::{Identity, User};
use crate::authorization::Decision;
use crate::request::{Request, RequestInfo};
use crate::sort::SortedMap;
use crate::storage;

/// A file that a flag names, as the user gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// The user's text that holds it, as in [`crate::manifest::Place::file`].
    pub source: Rc<str>,
    /// The line of that text on which the file begins, from 1.
    pub first_line: u32,
    /// The file.
    pub text: Rc<str>,
}

/// Files by the name that flags and commands use.
pub type Files = SortedMap<String, File>;

/// An HTTP response as it goes over the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// 200.
    pub status: u16,
    /// In wire order, `Date` and framing included.
    pub headers: Vec<(String, String)>,
    /// After chunking is undone.
    pub body: Vec<u8>,
}

/// The question of an access review, and the authorizers' answer.
#[derive(Clone, Debug)]
pub struct Reviewed {
    /// Who would do it.
    pub user: User,
    /// What they would do.
    pub request: RequestInfo,
    /// The answer with its evidence.
    pub decision: Decision,
}

/// All that one request gave; no view computes anything of its own.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// As sent.
    pub request: Request,
    /// What the server read from it, or the impersonation that was refused; `None` where reading failed (500 before
    /// authentication).
    pub info: Option<RequestInfo>,
    /// Who sent it; `None` where nobody was recognised (401) or nobody asked.
    pub identity: Option<Identity>,
    /// Why each authenticator that looked at the credentials refused them: the client sees nothing of it.
    pub refused: Vec<String>,
    /// The authorizers' answers that let `identity` impersonate somebody.
    pub impersonation: Vec<Decision>,
    /// The authorizers' answer with its evidence; `None` where they were not reached.
    pub decision: Option<Decision>,
    /// What it asked about, where it is an access review.
    pub review: Option<Reviewed>,
    /// The admission plugins that were asked, in order.
    pub admission: Vec<admission::Step>,
    /// The answer.
    pub response: Response,
    /// What it wrote.
    pub etcd: Vec<storage::Write>,
    /// What was recorded of it; `None` where nothing records.
    pub audit: Option<audit::Audited>,
}
