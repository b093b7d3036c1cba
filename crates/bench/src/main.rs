//! Prints the figures of a native build: `cargo run --profile native -p portcullis-bench`.

use std::time::Instant;

fn main() {
    let start = Instant::now();
    portcullis_bench::run(&|| start.elapsed().as_secs_f64() * 1000.0, &mut |figure| println!("{figure}"));
}
