//! `wasm-pack.toml`: how the wasm package is built, tested and weighed.

use std::path::Path;

use serde::Deserialize;

use crate::Result;

/// The file, section by section.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub package: Package,
    pub build: Build,
    pub first: First,
    pub page: Page,
    pub test: Test,
    pub budget: Budget,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    #[serde(rename = "crate")]
    pub path: String,
    pub target: String,
    pub out: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Build {
    pub wasm_opt: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct First {
    pub documents: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Page {
    pub profile: String,
    pub wasm_opt: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    pub browser: String,
    pub driver: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    pub wasm_gzip: u64,
    pub first_gzip: u64,
    pub page_gzip: u64,
}

/// Reads it, and holds it against the manifests.
pub fn read(root: &Path) -> Result<Settings> {
    let settings = toml_file(&root.join("wasm-pack.toml"))?;
    let wrong = disagreements(root, &settings)?;
    if wrong.is_empty() { Ok(settings) } else { Err(format!("wasm-pack.toml: {}", wrong.join("; "))) }
}

/// The version of a package in `Cargo.lock`.
pub fn locked_version(root: &Path, package: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Locked>,
    }
    #[derive(Deserialize)]
    struct Locked {
        name: String,
        version: String,
    }
    let lock: Lock = toml_file(&root.join("Cargo.lock"))?;
    let found = lock.package.into_iter().find(|locked| locked.name == package);
    found.map(|locked| locked.version).ok_or_else(|| format!("Cargo.lock names no {package}"))
}

/// Where the settings and the manifests disagree, one sentence each.
fn disagreements(root: &Path, settings: &Settings) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Manifest {
        package: ManifestPackage,
    }
    #[derive(Deserialize)]
    struct ManifestPackage {
        #[serde(default)]
        metadata: toml::Table,
    }
    #[derive(Deserialize)]
    struct Workspace {
        workspace: Members,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Members {
        members: Vec<String>,
        dependencies: toml::Table,
    }

    let workspace: Workspace = toml_file(&root.join("Cargo.toml"))?;
    let manifest: Manifest = toml_file(&root.join(&settings.package.path).join("Cargo.toml"))?;
    let mut wrong = Vec::new();
    if !workspace.workspace.members.contains(&settings.package.path) {
        wrong.push(format!("the workspace has no member {}", settings.package.path));
    }
    let profile = manifest.package.metadata.get("wasm-pack").and_then(|table| table.get("profile")?.get("release"));
    let in_manifest: Option<Vec<String>> =
        profile.and_then(|profile| profile.get("wasm-opt")).and_then(|value| value.clone().try_into().ok());
    if in_manifest.as_ref() != Some(&settings.build.wasm_opt) {
        wrong.push(format!("wasm-opt is {:?} here and {in_manifest:?} in the manifest", settings.build.wasm_opt));
    }
    // The crate and the command line tool only work together in one and the same version.
    let pinned = workspace.workspace.dependencies.get("wasm-bindgen").and_then(toml::Value::as_str).unwrap_or_default();
    let locked = locked_version(root, "wasm-bindgen")?;
    if pinned != format!("={locked}") {
        wrong.push(format!("wasm-bindgen must be pinned as ={locked} in the workspace, not {pinned:?}"));
    }
    Ok(wrong)
}

fn toml_file<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasm_pack_toml_agrees_with_the_manifests() {
        if let Err(message) = read(&crate::root()) {
            panic!("{message}");
        }
    }

    #[test]
    fn a_disagreement_is_named() {
        type Change = fn(&mut Settings);
        let changes: [(Change, &str); 2] = [
            (|settings| settings.build.wasm_opt.push("-O0".to_owned()), "wasm-opt is"),
            (|settings| settings.package.path = "crates/core".to_owned(), "wasm-opt is"),
        ];
        for (change, message) in changes {
            let mut settings = read(&crate::root()).unwrap();
            change(&mut settings);
            let wrong = disagreements(&crate::root(), &settings).unwrap();
            assert!(wrong.iter().any(|wrong| wrong.contains(message)), "{message}: {wrong:?}");
        }
    }
}
