//! A static file server for loopback: what any host of static files does, no more.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::{fs, io, thread};

use crate::{Result, say};

/// The port that `serve` asks for; another one where it is taken.
const PORT: u16 = 8817;

/// Where tests and measurements find the page: below a path, as it must work from any.
const PREFIX: &str = "/some/where/";

/// Serves a directory until the process ends.
pub fn serve(directory: &Path) -> Result {
    let address = |error: io::Error| format!("cannot listen on loopback: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, PORT));
    let listener = listener.or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).map_err(address)?;
    say(&format!("http://{}/ (Ctrl-C ends)", listener.local_addr().map_err(address)?));
    accept(&listener, directory, "/");
    Ok(())
}

/// Serves a directory below a path in the background; the URL that it answers at.
pub fn start(directory: &Path) -> Result<String> {
    let address = |error: io::Error| format!("cannot listen on loopback: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(address)?;
    let url = format!("http://{}{PREFIX}", listener.local_addr().map_err(address)?);
    let directory = directory.to_path_buf();
    thread::spawn(move || accept(&listener, &directory, PREFIX));
    Ok(url)
}

fn accept(listener: &TcpListener, directory: &Path, prefix: &'static str) {
    for stream in listener.incoming().flatten() {
        let directory = directory.to_path_buf();
        // A browser that goes away in the middle of an answer is no error of ours.
        thread::spawn(move || drop(answer(stream, &directory, prefix)));
    }
}

/// One request a connection.
fn answer(mut stream: TcpStream, directory: &Path, prefix: &str) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut words = first.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let file = file(directory, prefix, target).and_then(|path| Some((fs::read(&path).ok()?, media_type(&path))));
    let (status, (body, media_type)) = match (method, file) {
        ("GET" | "HEAD", Some(found)) => ("200 OK", found),
        ("GET" | "HEAD", None) => ("404 Not Found", (b"not found\n".to_vec(), "text/plain; charset=utf-8")),
        _ => ("405 Method Not Allowed", (Vec::new(), "text/plain; charset=utf-8")),
    };
    let length = body.len();
    // Pages of other origins may have `embed.js`, which is a module.
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\nCache-Control: no-cache\r\nAccess-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n"
    )?;
    if method == "HEAD" { Ok(()) } else { stream.write_all(&body) }
}

/// The file that a request target names, if it is one below the directory.
fn file(directory: &Path, prefix: &str, target: &str) -> Option<PathBuf> {
    let path = target.split(['?', '#']).next()?.strip_prefix(prefix)?;
    let path = Path::new(if path.is_empty() { "index.html" } else { path });
    let plain = path.components().all(|component| matches!(component, Component::Normal(_)));
    let path = directory.join(path);
    let path = if path.is_dir() { path.join("index.html") } else { path };
    plain.then_some(path).filter(|path| path.is_file())
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "md" => "text/markdown; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_is_for_pages_of_any_origin() {
        let url = start(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
        let address = url.strip_prefix("http://").and_then(|rest| rest.strip_suffix(PREFIX)).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET {PREFIX}Cargo.toml HTTP/1.1\r\n\r\n").unwrap();
        let lines: Vec<_> = BufReader::new(stream).lines().map_while(std::result::Result::ok).collect();
        assert_eq!(lines[0], "HTTP/1.1 200 OK");
        assert!(lines.contains(&"Access-Control-Allow-Origin: *".to_owned()), "{lines:?}");
    }

    #[test]
    fn only_files_below_the_directory_are_served() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rows = [
            ("/", "/src/main.rs", true),
            ("/", "/src/main.rs?x=1", true),
            ("/a/b/", "/a/b/src/main.rs", true),
            ("/a/b/", "/src/main.rs", false),
            ("/", "/../xtask/src/main.rs", false),
            ("/", "/src/../src/main.rs", false),
            ("/", "//etc/passwd", false),
            ("/", "/src", false),
            ("/", "", false),
        ];
        for (prefix, target, found) in rows {
            assert_eq!(file(here, prefix, target).is_some(), found, "{target} below {prefix}");
        }
    }
}
