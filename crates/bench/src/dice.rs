//! Numbers that look random and are the same in every run.

/// A linear congruential generator (Knuth's MMIX).
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        Self(1)
    }

    /// A number below `sides`.
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides.max(1)
    }
}
