//! How fast decisions and questions are, how that changes as clusters grow, and how a naive program does in the same run.
//!
//! Takes a clock and gives figures: the same functions run at a terminal and in a browser.

use std::fmt;
use std::hint::black_box;

mod audit;
mod dice;
pub mod encryption;
mod graph;
mod rbac;
mod storage;

/// Milliseconds since any moment, never going back: `performance.now` in a browser.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// One measured or derived number.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What was measured: `RBAC decisions, 10000 bindings`.
    pub name: String,
    /// The number.
    pub value: f64,
    /// `/s`, `ms`, `x`.
    pub unit: &'static str,
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, value, unit } = self;
        let digits = if *value >= 100.0 { 0 } else { 2 };
        write!(f, "{name:<64} {value:>12.digits$} {unit}")
    }
}

/// Measures everything and reports each figure as soon as it is known.
pub fn run(clock: Clock<'_>, report: &mut dyn FnMut(Figure)) {
    rbac::run(clock, report);
    graph::run(clock, report);
    encryption::run(clock, report);
    audit::run(clock, report);
    storage::run(clock, report);
}

/// How often what is compared between sizes is measured.
const REPETITIONS: usize = 3;

/// How many of `questions` are answered in a second: the best of three rounds of at least 100 ms, so that what else the
/// machine does counts little.
fn rate<Q, A>(clock: Clock<'_>, questions: &[Q], answer: impl Fn(&Q) -> A) -> f64 {
    const ROUND: f64 = 100.0;
    let mut best: f64 = 0.0;
    for _ in 0..3 {
        let (start, mut answered, mut batch) = (clock(), 0, 1);
        let mut spent = 0.0;
        while spent < ROUND {
            for question in questions.iter().cycle().skip(answered % questions.len().max(1)).take(batch) {
                black_box(answer(question));
            }
            answered += batch;
            spent = clock() - start;
            // Looking at the clock is not what is measured.
            batch *= 2;
        }
        best = best.max(answered as f64 * 1000.0 / spent);
    }
    best
}

/// How long `once` takes, the best of three, and what it gives.
fn best<T>(clock: Clock<'_>, once: impl Fn() -> T) -> (f64, T) {
    let timed = || {
        let start = clock();
        let result = black_box(once());
        (clock() - start, result)
    };
    let (mut best, mut result) = timed();
    for _ in 0..2 {
        let (spent, another) = timed();
        best = best.min(spent);
        result = another;
    }
    (best, result)
}

fn figure(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
    Figure { name: name.into(), value, unit }
}
