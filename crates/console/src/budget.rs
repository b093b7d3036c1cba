//! How much may the commands of a document make? A browser's tab must live through whatever is pasted, and a variable
//! doubled forty times, or a file that is written twice into itself, would fill its memory.

/// What may still be made of something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    left: usize,
    refusal: &'static str,
}

/// Bytes that a command may print.
pub(crate) const PRINTED: usize = 16 << 20;

/// Bytes of all words of a command.
pub(crate) const LENGTH: Budget =
    Budget { left: 16 << 20, refusal: "the words of a command may not have more than 16 MB" };

/// Bytes of a line that is edited.
pub(crate) const LINE: Budget = Budget { left: 16 << 20, refusal: "a line may not be longer than 16 MB" };

/// Words of a command.
pub(crate) const WORDS: Budget =
    Budget { left: 1_000_000, refusal: "a command may not have more than 1,000,000 words" };

/// Bytes that a command may read from files.
pub(crate) const READ: Budget = Budget { left: 64 << 20, refusal: "a command may not read more than 64 MB" };

/// Bytes that all commands of a document may show, and keep in files and variables.
pub(crate) const KEPT: Budget =
    Budget { left: 64 << 20, refusal: "the commands of a document may not print and write more than 64 MB" };

impl Budget {
    /// Takes `count` from it.
    ///
    /// # Errors
    ///
    /// What a shell says where it has not so much.
    pub(crate) fn take(&mut self, count: usize) -> Result<(), &'static str> {
        self.left = self.left.checked_sub(count).ok_or(self.refusal)?;
        Ok(())
    }
}
