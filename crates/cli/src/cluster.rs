//! A server over manifests of the user's own: what `review`, `who-can` and `access` ask.

use std::collections::BTreeSet;
use std::path::Path;

use portcullis_core::apiserver::{self, Files, Server};
use portcullis_core::manifest::{self, Diagnostic, Severity};
use portcullis_core::release::Release;
use portcullis_core::storage::Store;
use portcullis_core::world::World;

use crate::Usage;

/// Starts a server with `--release` and `--flags`, and loads the files of each `--cluster` and of `more`. What is wrong with
/// them goes to standard error.
pub fn start(given: &[(&'static str, &str)], more: &[&str]) -> Result<Server, Usage> {
    let all = |wanted: &'static str| given.iter().filter(move |(name, _)| *name == wanted).map(|(_, value)| *value);
    let release = crate::release(given)?.and_then(Release::find).unwrap_or_else(Release::newest);
    let flags: Vec<String> = all("flags").flat_map(str::split_whitespace).map(str::to_owned).collect();
    // Nothing that is asked of it depends on the time.
    let mut world = World::new(Default::default(), "");
    let mut server = Server::start(release, &flags, &files(&flags), Store::default(), &mut world)
        .map_err(|stopped| Usage(format!("kube-apiserver: {}", stopped.message.trim_end())))?;
    let mut objects = Vec::new();
    for file in all("cluster").chain(more.iter().copied()) {
        let (documents, problems) = manifest::parse(&file.into(), 1, &crate::read(file)?);
        tell(&problems);
        for document in documents {
            let (found, problems) = manifest::objects(document);
            tell(&problems);
            objects.extend(found);
        }
    }
    tell(&server.load(objects, &mut world));
    server.settle(&mut world);
    Ok(server)
}

/// The files that flags name, relative to the working directory.
fn files(flags: &[String]) -> Files {
    let paths: BTreeSet<&str> =
        flags.iter().map(|flag| flag.split_once('=').map_or(flag.as_str(), |(_, path)| path)).collect();
    let existing = paths.into_iter().filter(|path| Path::new(path).is_file());
    let read = existing.filter_map(|path| {
        let text = crate::read(path).ok()?;
        Some((path.to_owned(), apiserver::File { source: path.into(), first_line: 1, text: text.into() }))
    });
    read.collect()
}

fn tell(problems: &[Diagnostic]) {
    for problem in problems {
        let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
        eprintln!("{}:{}: {severity}: {}", problem.file, problem.line, problem.message);
    }
}
