//! The shape of a room that is being built.
#![allow(missing_docs, unused_variables)]

use portcullis_core::apiserver::{Exchange, Files};
use portcullis_core::manifest::{Diagnostic, Object};
use portcullis_core::release::Release;
use portcullis_core::request::Request;
use portcullis_core::storage::Store;
use portcullis_core::world::World;

#[derive(Debug)]
pub enum Server {}
pub struct Stopped {
    pub store: Store,
    pub message: String,
    pub exit: u8,
}
impl Server {
    pub fn start(
        release: &'static Release,
        flags: &[String],
        files: &Files,
        store: Store,
        world: &mut World,
    ) -> Result<Server, Stopped> {
        Err(Stopped { store, message: String::new(), exit: 1 })
    }
    pub fn stop(self) -> Store {
        match self {}
    }
    pub fn load(&mut self, objects: Vec<Object>, world: &mut World) -> Vec<Diagnostic> {
        match *self {}
    }
    pub fn settle(&mut self, world: &mut World) {
        match *self {}
    }
    pub fn handle(&mut self, request: Request, world: &mut World) -> Exchange {
        match *self {}
    }
}
