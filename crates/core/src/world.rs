//! Time and randomness, which come in from outside: the same document gives the same bytes.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

pub mod time;

/// What the API server would ask its machine for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// Stands still until somebody sets it.
    pub now: DateTime<Utc>,
    seed: [u8; 32],
    drawn: u64,
}

impl World {
    /// A world at `now`; equal seeds draw equal bytes.
    pub fn new(now: DateTime<Utc>, seed: &str) -> Self {
        Self { now, seed: Sha256::digest(seed.as_bytes()).into(), drawn: 0 }
    }

    /// A world at the same time whose draws depend on this one's seed and on `place` alone.
    pub fn apart(&self, place: &[u8]) -> Self {
        let seed = Sha256::new().chain_update(self.seed).chain_update(place).finalize().into();
        Self { now: self.now, seed, drawn: 0 }
    }

    /// The next random bytes.
    pub fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new().chain_update(self.seed).chain_update(self.drawn.to_be_bytes()).finalize();
            self.drawn += 1;
            chunk.iter_mut().zip(block).for_each(|(byte, random)| *byte = random);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_seeds_draw_equal_bytes_and_no_draw_repeats() {
        let mut one = World::new(DateTime::UNIX_EPOCH, "a");
        let mut two = World::new(DateTime::UNIX_EPOCH, "a");
        let first = one.draw::<40>();
        assert_eq!(first, two.draw::<40>());
        assert_ne!(first, one.draw::<40>());
        assert_ne!(first, World::new(DateTime::UNIX_EPOCH, "b").draw::<40>());
    }
}
