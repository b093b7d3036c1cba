//! The programs that a step can call. Each reads its arguments, standard input and the session, and gives an [`Output`].

pub mod kubectl;

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

    /// Failure, with `message` as one line on standard error.
    pub fn failure(status: u8, message: &str) -> Self {
        Self { stdout: Vec::new(), stderr: format!("{message}\n").into_bytes(), status }
    }
}
