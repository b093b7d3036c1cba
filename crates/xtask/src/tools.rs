//! What building and testing need beyond cargo: found where it is there, installed where it is not.
//!
//! The wasm's standard library is built here, for size, from the sources that rustup gives or that Debian's compiler comes
//! with: it must be of the very version of the compiler. Where rustup has the target but not the sources, its library serves,
//! which is built for speed. All but rustup's components and Debian's packages goes below `target/`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::process::{command, output, run};
use crate::settings::Settings;
use crate::{Result, say, settings};

const TARGET: &str = "wasm32-unknown-unknown";
const WASM_PACK: &str = "0.15.1";

/// The tools of a build, ready to be called.
pub struct Tools {
    root: PathBuf,
    compiler: Compiler,
    /// Where the standard library for wasm is, if not with the compiler.
    sysroot: Option<PathBuf>,
}

/// The compiler for wasm.
#[derive(Clone, Copy, PartialEq)]
enum Compiler {
    /// The toolchain that rustup gives.
    Rustup,
    Debian,
}

/// Makes everything ready that building the page needs.
pub fn for_building(root: &Path) -> Result<Tools> {
    let node = output(&mut command(root, "node", &["--version"]));
    let major = node.as_deref().and_then(|version| version.trim_start_matches('v').split('.').next()?.parse().ok());
    if major.is_none_or(|major: u32| major < 20) {
        let found = node.unwrap_or_else(|| "none".to_owned());
        return Err(format!("Node 20 or newer is needed (found: {found}), with npm: https://nodejs.org"));
    }
    let (compiler, sysroot) = compiler(root)?;
    cargo_tool(root, "wasm-pack", WASM_PACK, &["--locked"])?;
    // Not --locked: a dependency in its lock file has been withdrawn.
    cargo_tool(root, "wasm-bindgen-cli", &settings::locked_version(root, "wasm-bindgen")?, &[])?;
    node_packages(root)?;
    Ok(Tools { root: root.to_path_buf(), compiler, sysroot })
}

/// Makes the browser and its driver ready.
pub fn for_browser_tests(root: &Path) -> Result {
    debian_packages(root, &[("chromium", "/usr/bin/chromium"), ("chromium-driver", "/usr/bin/chromedriver")])
}

impl Tools {
    /// A wasm-pack command with everything that it calls on its path.
    pub fn wasm_pack(&self, arguments: &[&str]) -> Result<Command> {
        let wasm_pack = tools_directory(&self.root).join("bin/wasm-pack");
        // What stands where in the data is needed to take it apart.
        self.compiling(command(&self.root, wasm_pack, arguments), "-Clink-arg=--emit-relocs")
    }

    /// A cargo command that builds wasm for speed.
    pub fn cargo(&self, arguments: &[&str]) -> Result<Command> {
        let command = command(&self.root, "cargo", &[arguments, &["--target", TARGET]].concat());
        // With all that is inlined by default it is no faster in a page, where caches are cold, and far larger.
        self.compiling(command, "-Cllvm-args=-inline-threshold=25")
    }

    fn compiling(&self, mut command: Command, flags: &str) -> Result<Command> {
        // A directory of its own, as the two compilers would throw away each other's work.
        command.env("CARGO_TARGET_DIR", self.root.join("target/wasm"));
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        outside_of_cargo(&mut command);
        let mut first = vec![tools_directory(&self.root).join("bin"), self.root.join("node_modules/.bin")];
        if self.compiler == Compiler::Debian {
            first.insert(0, "/usr/bin".into());
            command.env("RUSTC", "/usr/bin/rustc");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", rust_lld(&self.root)?);
        }
        let mut flags = format!("{flags}{}", without_paths(&packages()));
        if let Some(sysroot) = &self.sysroot {
            flags += &format!(" --sysroot={}", sysroot.to_string_lossy());
        }
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags);
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths(first.into_iter().chain(env::split_paths(&path)));
        command.env("PATH", path.map_err(|error| format!("PATH: {error}"))?);
        Ok(command)
    }

    /// A `wasm-pack test` of a crate, in the browser of the settings.
    pub fn browser_test(
        &self,
        settings: &Settings,
        crate_path: &str,
        flags: &[&str],
        arguments: &[&str],
    ) -> Result<Command> {
        let (browser, driver) = (format!("--{}", settings.test.browser), format!("--{}driver", settings.test.browser));
        let head = ["test", "--headless", &browser, &driver, &settings.test.driver, "--mode", "no-install"];
        self.wasm_pack(&[&head[..], flags, &[crate_path], arguments].concat())
    }

    /// A wasm-bindgen command.
    pub fn wasm_bindgen(&self, arguments: &[&str]) -> Command {
        command(&self.root, tools_directory(&self.root).join("bin/wasm-bindgen"), arguments)
    }
}

impl Compiler {
    /// A program of the toolchain, to be run in `directory`.
    fn command(self, directory: &Path, program: &str, arguments: &[&str]) -> Command {
        let program = match self {
            Compiler::Rustup => program.to_owned(),
            Compiler::Debian => format!("/usr/bin/{program}"),
        };
        let mut command = command(directory, program, arguments);
        outside_of_cargo(&mut command);
        command
    }

    /// Where the sources of its standard library are or would be.
    fn sources(self, root: &Path) -> Option<PathBuf> {
        let sysroot = output(&mut self.command(root, "rustc", &["--print", "sysroot"]))?;
        Some(Path::new(&sysroot).join("lib/rustlib/src/rust/library/std/Cargo.toml"))
    }
}

/// Cargo sets these for us; they would bind an inner cargo to our own toolchain.
fn outside_of_cargo(command: &mut Command) {
    for name in ["CARGO", "RUSTC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
}

/// A compiler that builds for wasm, and where its standard library is if not with itself.
fn compiler(root: &Path) -> Result<(Compiler, Option<PathBuf>)> {
    let sources = || Compiler::Rustup.sources(root).is_some_and(|sources| sources.exists());
    if !sources() {
        say("wasm: adding the standard library's sources");
        // Where it fails, the ways below are left.
        let _ = run(&mut Compiler::Rustup.command(root, "rustup", &["component", "add", "rust-src"]));
    }
    if sources() {
        match std_for_size(root, Compiler::Rustup) {
            Ok(sysroot) => return Ok((Compiler::Rustup, Some(sysroot))),
            Err(error) => say(&format!("wasm: the standard library cannot be built for size: {error}")),
        }
    }
    let mut library = Compiler::Rustup.command(root, "rustc", &["--print", "target-libdir", "--target", TARGET]);
    let library = output(&mut library).map(PathBuf::from);
    if library.as_deref().is_some_and(holds_std) {
        return Ok((Compiler::Rustup, None));
    }
    say(&format!("wasm: adding the target {TARGET}"));
    if run(&mut Compiler::Rustup.command(root, "rustup", &["target", "add", TARGET])).is_ok() {
        return Ok((Compiler::Rustup, None));
    }
    say("wasm: rustup has it not; Debian's compiler and the standard library's sources instead");
    let sources = "/usr/lib/rustlib/src/rust/library/std/Cargo.toml";
    let packages = [("rustc-web", "/usr/bin/rustc"), ("cargo-web", "/usr/bin/cargo"), ("rust-web-src", sources)];
    debian_packages(root, &packages)?;
    Ok((Compiler::Debian, Some(std_for_size(root, Compiler::Debian)?)))
}

/// The root of a standard library for wasm that is built for size by this very compiler.
fn std_for_size(root: &Path, compiler: Compiler) -> Result<PathBuf> {
    let sysroot = root.join("target/wasm-sysroot");
    // A library of another version than the compiler's cannot be linked: it says whose it is.
    let version = output(&mut compiler.command(root, "rustc", &["--version"]));
    let version = version.ok_or("`rustc --version` cannot be run")? + " for size, without paths";
    if fs::read_to_string(sysroot.join("version")).is_ok_and(|built_by| built_by == version) {
        return Ok(sysroot);
    }
    build_std(root, compiler, &sysroot.join("lib/rustlib").join(TARGET).join("lib"))?;
    fs::write(sysroot.join("version"), version).map_err(|error| format!("{}: {error}", sysroot.display()))?;
    Ok(sysroot)
}

/// Builds the standard library for wasm from the compiler's sources, into `installed`.
fn build_std(root: &Path, compiler: Compiler, installed: &Path) -> Result {
    say("wasm: building the standard library (about half a minute)");
    let empty = root.join("target/wasm-std");
    let io = |error: std::io::Error| format!("{}: {error}", empty.display());
    for old in [&empty, installed] {
        if old.exists() {
            fs::remove_dir_all(old).map_err(io)?;
        }
    }
    fs::create_dir_all(empty.join("src")).map_err(io)?;
    let manifest = "[package]\nname = \"empty\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n";
    fs::write(empty.join("Cargo.toml"), manifest).map_err(io)?;
    fs::write(empty.join("src/lib.rs"), "").map_err(io)?;
    // Sorting, searching and printing numbers for size: a tenth of the whole wasm.
    let arguments = [
        "build",
        "-Zbuild-std=std,panic_abort,panic_unwind,test,proc_macro",
        "-Zbuild-std-features=optimize_for_size",
        "--release",
        "--target",
        TARGET,
    ];
    let mut build = compiler.command(&empty, "cargo", &arguments);
    if compiler == Compiler::Debian {
        build.env("RUSTC", "/usr/bin/rustc");
    }
    build.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_ENCODED_RUSTFLAGS");
    build.env("RUSTC_BOOTSTRAP", "1").env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z");
    let mut sources = packages();
    sources.extend(compiler.sources(root).and_then(|std| Some(std.ancestors().nth(2)?.to_path_buf())));
    // Without the bitcode, link-time optimisation of what uses it fails.
    build.env("RUSTFLAGS", format!("-Cembed-bitcode=yes{}", without_paths(&sources)));
    run(&mut build)?;
    let built = empty.join("target").join(TARGET).join("release/deps");
    fs::create_dir_all(installed).map_err(io)?;
    for entry in fs::read_dir(&built).map_err(io)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".rlib") && !name.starts_with("libempty-") {
            fs::copy(entry.path(), installed.join(name)).map_err(io)?;
        }
    }
    Ok(())
}

/// The directories in which cargo has the sources of packages, one for each registry.
fn packages() -> Vec<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let registries = home.and_then(|home| fs::read_dir(home.join("registry/src")).ok());
    registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

/// Flags that keep the names of these directories out of what is built: panics tell their place, and where a package lies on
/// this machine is nobody's business.
fn without_paths(directories: &[PathBuf]) -> String {
    directories.iter().map(|directory| format!(" --remap-path-prefix={}/=", directory.to_string_lossy())).collect()
}

fn holds_std(directory: &Path) -> bool {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

/// The linker that every rustup toolchain carries; Debian's compiler has none for wasm.
fn rust_lld(root: &Path) -> Result<PathBuf> {
    let tools = output(&mut command(root, "rustc", &["--print", "target-libdir"])).unwrap_or_default();
    let linker = Path::new(&tools).with_file_name("bin").join("rust-lld");
    if linker.exists() {
        return Ok(linker);
    }
    debian_packages(root, &[("lld", "/usr/bin/wasm-ld")])?;
    Ok("/usr/bin/wasm-ld".into())
}

/// Installs the Debian packages whose file is not there.
fn debian_packages(root: &Path, packages: &[(&str, &str)]) -> Result {
    let missing: Vec<&str> =
        packages.iter().filter(|(_, file)| !Path::new(file).exists()).map(|(package, _)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    say(&format!("Debian packages: {names}"));
    let user = output(&mut command(root, "id", &["-u"]));
    let prefix: &[&str] = if user.as_deref() == Some("0") { &["apt-get"] } else { &["sudo", "apt-get"] };
    let apt = |arguments: &[&str]| {
        let words: Vec<&str> = prefix.iter().chain(arguments).copied().collect();
        let (program, arguments) = words.split_first().unwrap_or((&"apt-get", &[]));
        run(command(root, program, arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install: Vec<&str> =
        ["install", "-y", "-qq", "--no-install-recommends"].into_iter().chain(missing.iter().copied()).collect();
    apt(&["update", "-qq"]).and_then(|()| apt(&install)).map_err(|error| {
        format!("{error}\nThese Debian packages are needed: {names}. Install them with `apt-get install {names}`.")
    })
}

/// Installs a program of the Rust registry below `target/tools`.
fn cargo_tool(root: &Path, package: &str, version: &str, flags: &[&str]) -> Result {
    let directory = tools_directory(root);
    let installed = fs::read_to_string(directory.join(".crates.toml")).unwrap_or_default();
    if installed.contains(&format!("\"{package} {version} ")) {
        return Ok(());
    }
    say(&format!("{package} {version}, into target/tools (one or two minutes)"));
    let directory = directory.to_string_lossy();
    let mut arguments = vec!["install", package, "--version", version, "--root", &directory];
    arguments.extend_from_slice(flags);
    // Built for this machine and thrown away with target/: the workspace's profiles and directory are no concern.
    run(command(root, "cargo", &arguments).env_remove("CARGO_TARGET_DIR")).map_err(|error| {
        format!("{error}\n{package} {version} is needed: `cargo install {package} --version {version}`.")
    })
}

/// The npm packages of `package-lock.json`.
fn node_packages(root: &Path) -> Result {
    let modified = |path: &str| fs::metadata(root.join(path)).and_then(|metadata| metadata.modified()).ok();
    let (installed, wanted) = (modified("node_modules/.package-lock.json"), modified("package-lock.json"));
    if installed.is_some() && installed >= wanted {
        return Ok(());
    }
    say("npm packages of package-lock.json");
    run(&mut command(root, "npm", &["ci", "--no-audit", "--no-fund"]))
        .map_err(|error| format!("{error}\nThe page needs the packages of package-lock.json: `npm ci`."))
}

fn tools_directory(root: &Path) -> PathBuf {
    root.join("target/tools")
}
