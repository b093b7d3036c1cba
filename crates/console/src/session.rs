//! One document being run: the server, the files, the shell's variables, and the clock.

use std::rc::Rc;

use chrono::{DateTime, Utc};
use portcullis_core::apiserver::{File, Files, Response};
use portcullis_core::manifest::Origin;
use portcullis_core::request::Request;
use portcullis_core::world::World;

/// The API server is not running: its last start failed. A client says `Connection refused`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotRunning;

/// What the commands of a document share.
pub struct Session {
    files: Files,
    world: World,
    origin: Option<Rc<Origin>>,
}

impl Session {
    /// A session over `files`, with no server yet.
    pub fn new(files: Files, world: World) -> Self {
        Self { files, world, origin: None }
    }

    /// Sends one request; what it creates comes from the step's line unless the request says otherwise.
    ///
    /// # Errors
    ///
    /// [`NotRunning`] where there is no server to answer.
    pub fn send(&mut self, mut request: Request) -> Result<Response, NotRunning> {
        request.origin = request.origin.or_else(|| self.origin.clone());
        Err(NotRunning)
    }

    /// A file of the document, or one that a step wrote.
    pub fn file(&self, name: &str) -> Option<&File> {
        self.files.get(name)
    }

    /// The clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.world.now
    }

    /// The line of the step that is running: the origin of what it creates.
    pub fn origin(&self) -> Option<Rc<Origin>> {
        self.origin.clone()
    }
}
