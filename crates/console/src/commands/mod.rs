//! The programs that a step can call. Each reads its arguments, standard input and the session, and gives an [`Output`].

use crate::arguments::Argument;
use crate::session::Session;
use crate::{audit, budget, inspect};

mod awk;
pub(crate) mod bytes;
mod curl;
mod date;
mod etcdctl;
pub mod kubectl;
mod openssl;
mod pattern;
mod text;

/// What a command printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Standard output: what a pipe passes on.
    pub stdout: Vec<u8>,
    /// Standard error: always shown.
    pub stderr: Vec<u8>,
    /// Exit status; 0 for success.
    pub status: u8,
}

impl Output {
    /// Success, with `text` on standard output.
    pub fn text(text: impl Into<String>) -> Self {
        Self { stdout: text.into().into_bytes(), ..Self::default() }
    }

    /// Prints `bytes` on standard output; false where a program may not print as much, and need not go on.
    pub(crate) fn print(&mut self, bytes: &[u8]) -> bool {
        // The byte behind the last tells the shell.
        let room = (budget::PRINTED + 1).saturating_sub(self.stdout.len());
        self.stdout.extend(bytes.get(..room).unwrap_or(bytes));
        self.stdout.len() <= budget::PRINTED
    }

    /// The same of a line.
    pub(crate) fn print_line(&mut self, line: &str) -> bool {
        self.print(line.as_bytes());
        self.print(b"\n")
    }

    /// Failure, with `message` as one line on standard error.
    pub fn failure(status: u8, message: &str) -> Self {
        Self { stdout: Vec::new(), stderr: format!("{message}\n").into_bytes(), status }
    }
}

/// Runs the program `name`.
pub fn run(name: &str, arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    // Everybody is root here.
    if let ("sudo", Some((name, rest))) = (name, arguments.split_first().filter(|(name, _)| !name.starts_with('-'))) {
        return run(name, rest, stdin, session);
    }
    // A program may be called by its path.
    let program = match name.rsplit('/').next().unwrap_or_default() {
        "awk" => awk::run,
        "base64" => bytes::base64,
        "cat" => text::cat,
        "curl" => curl::run,
        "cut" => text::cut,
        "date" => date::run,
        "echo" => text::echo,
        "etcdctl" => etcdctl::run,
        "export" => export,
        "false" => |_: &[String], _: &[u8], _: &mut Session| Output { status: 1, ..Output::default() },
        "grep" => text::grep,
        "egrep" => |arguments: &[String], stdin: &[u8], session: &mut Session| {
            text::grep(&[&["-E".to_owned()], arguments].concat(), stdin, session)
        },
        "head" => text::head,
        "hexdump" => bytes::hexdump,
        "kube-apiserver" => kube_apiserver,
        "kubectl" => kubectl::run,
        "openssl" => openssl::run,
        "portcullis" => portcullis,
        "printf" => text::printf,
        "sed" => text::sed,
        "sleep" => date::sleep,
        "sort" => text::sort,
        "tail" => text::tail,
        "tee" => text::tee,
        "tr" => text::tr,
        "true" | ":" => |_: &[String], _: &[u8], _: &mut Session| Output::default(),
        "wc" => text::wc,
        "xxd" => bytes::xxd,
        _ => return Output::failure(127, &format!("{name}: command not found")),
    };
    program(arguments, stdin, session)
}

/// One clear line for what a program has and ours has not.
fn unsupported(program: &str, argument: Argument<'_>) -> Output {
    Output::failure(1, &format!("{program}: {argument} is not supported here"))
}

/// What `files` hold, or standard input where there are none; what is missing is told in the output.
fn read_inputs<'a>(
    program: &str,
    files: &[&'a str],
    stdin: &[u8],
    session: &Session,
) -> (Vec<(&'a str, Vec<u8>)>, Output) {
    let mut inputs = Vec::new();
    let mut output = Output::default();
    let mut read = budget::READ;
    if files.is_empty() {
        inputs.push(("(standard input)", stdin.to_vec()));
    }
    for file in files {
        let (name, bytes) = match *file {
            "-" => ("(standard input)", Some(stdin.to_vec())),
            name => (name, session.bytes(name)),
        };
        let length = bytes.as_ref().map_or(0, Vec::len);
        if let Err(message) = read.take(length) {
            output.status = 1;
            output.stderr.extend(format!("{program}: {message}\n").into_bytes());
            break;
        }
        match bytes {
            Some(bytes) => inputs.push((name, bytes)),
            None => {
                output.status = 1;
                output.stderr.extend(format!("{program}: {name}: No such file or directory\n").into_bytes());
            }
        }
    }
    (inputs, output)
}

fn export(arguments: &[String], _: &[u8], session: &mut Session) -> Output {
    for argument in arguments {
        if let Some((name, value)) = argument.split_once('=')
            && let Err(message) = session.assign(name.to_owned(), value.to_owned())
        {
            return Output::failure(1, &format!("export: {message}"));
        }
    }
    Output::default()
}

/// The program itself, as far as it makes sense within a document.
fn portcullis(arguments: &[String], stdin: &[u8], session: &mut Session) -> Output {
    let read = |name: &str| session.bytes(name).ok_or_else(|| format!("{name}: No such file or directory"));
    let done = match arguments.split_first() {
        Some((command, rest)) if command == "audit" => {
            audit::command(rest, &|name| if name == "-" { Ok(stdin.to_vec()) } else { read(name) })
        }
        Some((command, rest)) if command == "inspect" => inspect::command(rest, stdin, session.release(), &read),
        _ => Err("a document can call `portcullis audit` and `portcullis inspect` only".to_owned()),
    };
    done.unwrap_or_else(|message| Output::failure(2, &format!("portcullis: {message}")))
}

/// Restarts the API server over the same etcd; where it does not start, prints why.
fn kube_apiserver(arguments: &[String], _: &[u8], session: &mut Session) -> Output {
    match session.restart(arguments) {
        Ok(()) => Output::default(),
        Err((status, message)) => Output { stdout: Vec::new(), stderr: message.into_bytes(), status },
    }
}
