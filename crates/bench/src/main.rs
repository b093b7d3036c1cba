//! Prints the figures of a native build, and OpenSSL's of the same run: `cargo run --profile native -p portcullis-bench`.

use std::process::Command;
use std::time::Instant;

use portcullis_bench::{Figure, encryption};

fn main() {
    let start = Instant::now();
    let mut figures = Vec::new();
    portcullis_bench::run(&|| start.elapsed().as_secs_f64() * 1000.0, &mut |figure| {
        println!("{figure}");
        figures.push(figure);
    });
    for (provider, cipher) in encryption::PROVIDERS {
        let Some(cipher) = cipher else { continue };
        for (size, decrypt) in encryption::SIZES.into_iter().flat_map(|size| [(size, false), (size, true)]) {
            let name = encryption::name(provider, decrypt, size);
            let Some(theirs) = openssl(cipher, size, decrypt) else { return println!("openssl is not there") };
            let ours = figures.iter().find(|figure| figure.name == name).map_or(0.0, |figure| figure.value);
            for (what, value, unit) in [("openssl", theirs, "MB/s"), ("ratio to openssl", ours / theirs, "x")] {
                println!("{}", Figure { name: format!("{name}, {what}"), value, unit });
            }
        }
    }
}

/// Megabytes a second of `openssl speed`, which sets the key up once.
fn openssl(cipher: &str, size: usize, decrypt: bool) -> Option<f64> {
    let size = size.to_string();
    let mut arguments = vec!["speed", "-mr", "-seconds", "1", "-bytes", &size, "-evp", cipher];
    if decrypt {
        arguments.push("-decrypt");
    }
    let output = Command::new("openssl").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let bytes: f64 = text.lines().find_map(|line| line.strip_prefix("+F:")?.rsplit(':').next()?.parse().ok())?;
    Some(bytes / 1e6)
}
