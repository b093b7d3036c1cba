//! From flags and files to the parts of a server, or to the error with which it does not start.
//!
//! The order of the checks is that of `CreateKubeAPIServerConfig` and `BuildGenericConfig` in
//! `cmd/kube-apiserver/app/server.go`: the first error ends the start.

use chrono::{DateTime, Utc};

use super::cluster::Settings;
use super::flags::Flags;
use super::rest::Ranges;
use super::{File, Files};
use crate::admission::Plugin;
use crate::audit::Auditor;
use crate::authentication::Authenticators;
use crate::authorization::{Mode, abac};
use crate::encryption;
use crate::request::quote;

/// Flags that change answers of the real server and none of this one.
const WITHOUT_EFFECT: [&str; 18] = [
    "admission-control-config-file",
    "authentication-token-webhook-config-file",
    "cors-allowed-origins",
    "enable-swagger-ui",
    "etcd-prefix",
    "experimental-bootstrap-token-auth",
    "experimental-keystone-url",
    "kubelet-preferred-address-types",
    "kubernetes-service-node-port",
    "oidc-issuer-url",
    "repair-malformed-updates",
    "requestheader-client-ca-file",
    "runtime-config",
    "storage-backend",
    "storage-media-type",
    "storage-versions",
    "watch-cache",
    "watch-cache-sizes",
];

/// The parts of a server that flags and files decide.
pub(super) struct Parts {
    pub(super) authenticators: Authenticators,
    pub(super) modes: Vec<Mode>,
    pub(super) abac: Option<abac::Policies>,
    pub(super) admission: Vec<Plugin>,
    pub(super) encryption: encryption::Config,
    pub(super) auditor: Auditor,
    /// The address that the server gives as its own.
    pub(super) address: String,
    /// `--insecure-port`, unless it is 0.
    pub(super) insecure_port: Option<u16>,
    /// What they decide of the cluster.
    pub(super) settings: Settings,
    /// What was asked for and is not done.
    pub(super) notes: Vec<String>,
}

/// The parts that `arguments` ask for; the error is what the server prints, and its exit status.
pub(super) fn parts(arguments: &[String], files: &Files, now: DateTime<Utc>) -> Result<Parts, (String, u8)> {
    let flags = Flags::parse(arguments).map_err(|error| (error, 2))?;
    if flags.is_on("version") {
        return Err(("Kubernetes v1.7.0".to_owned(), 0));
    }
    build(&flags, files, now).map_err(|error| (error, 1))
}

/// What the flags decide of a cluster. What is wrong with a range is told late by the server, which has the rest by then.
pub(super) fn settings(flags: &Flags) -> Result<Settings, String> {
    Ok(Settings {
        allow_privileged: flags.is_on("allow-privileged"),
        finalizes: flags.is_on("enable-garbage-collector"),
        secure_port: flags.text("secure-port").parse().unwrap_or_default(),
        services: Ranges::parse(flags.text("service-cluster-ip-range"), flags.text("service-node-port-range"))?,
    })
}

fn build(flags: &Flags, files: &Files, now: DateTime<Utc>) -> Result<Parts, String> {
    let modes: Vec<&str> = flags.text("authorization-mode").split(',').collect();
    let auditor = auditor(flags, files, now)?;
    let encryption = encryption_config(flags, files)?;
    let mut authenticators = authenticators(flags, files).map_err(|e| format!("invalid authentication config: {e}"))?;
    authenticators.anonymous = flags.is_on("anonymous-auth") && !modes.contains(&"AlwaysAllow");
    let (modes, abac) = authorizers(flags, files).map_err(|error| format!("invalid authorization config: {error}"))?;
    let admission = Plugin::chain(flags.text("admission-control"))
        .map_err(|error| format!("failed to initialize admission: {error}"))?;
    let mut notes = Vec::new();
    for name in flags.given().filter(|name| WITHOUT_EFFECT.contains(name)) {
        notes.push(format!("--{name} is accepted and changes nothing here: answers are those of a server without it."));
    }
    for plugin in &admission {
        if let Plugin::NotSimulated(name) = plugin
            && *name != "AlwaysAdmit"
        {
            notes.push(format!("The admission plugin {name} lets everything through here."));
        }
    }
    let or = |value: &str, default: &str| if value.is_empty() { default.to_owned() } else { value.to_owned() };
    let bound = Some(flags.text("bind-address")).filter(|address| !matches!(*address, "0.0.0.0" | "::"));
    let address = or(flags.text("advertise-address"), &or(bound.unwrap_or_default(), "127.0.0.1"));
    let settings = settings(flags)?;
    Ok(Parts {
        authenticators,
        modes,
        abac,
        admission,
        encryption,
        auditor,
        notes,
        insecure_port: flags.text("insecure-port").parse().ok().filter(|port| *port != 0),
        address: or(flags.text("external-hostname"), &format!("{address}:{}", flags.text("secure-port"))),
        settings,
    })
}

/// The file that the flag `name` names; `None` where the flag is not given.
fn file<'a>(flags: &'a Flags, files: &'a Files, name: &str) -> Result<Option<(&'a str, &'a File)>, String> {
    match flags.text(name) {
        "" => Ok(None),
        path => match files.get(path) {
            Some(file) => Ok(Some((path, file))),
            None => Err(format!("open {path}: no such file or directory")),
        },
    }
}

fn auditor(flags: &Flags, files: &Files, now: DateTime<Utc>) -> Result<Auditor, String> {
    let mut auditor = Auditor::new(flags.gate("AdvancedAuditing"));
    let given = |name| Some(flags.text(name)).filter(|path| !path.is_empty());
    if let Some(path) = given("audit-policy-file") {
        auditor.set_policy(path, files.get(path).map(|file| (&file.source, file.first_line, &*file.text)))?;
    }
    if let Some(path) = given("audit-log-path") {
        auditor.set_log(path);
    }
    if let Some(path) = given("audit-webhook-config-file") {
        auditor.set_webhook(path, files.get(path).map(|file| &*file.text), flags.text("audit-webhook-mode"), now)?;
    }
    Ok(auditor)
}

fn encryption_config(flags: &Flags, files: &Files) -> Result<encryption::Config, String> {
    const FLAG: &str = "experimental-encryption-provider-config";
    const WHAT: &str = "encryption provider configuration file";
    let failed = |doing: &str, error| format!("error {doing} {WHAT} {}: {error}", quote(flags.text(FLAG)));
    match file(flags, files, FLAG).map_err(|error| failed("opening", error))? {
        Some((_, file)) => encryption::Config::parse(&file.text).map_err(|error| failed("while parsing", error)),
        None => Ok(encryption::Config::default()),
    }
}

fn authenticators(flags: &Flags, files: &Files) -> Result<Authenticators, String> {
    let mut authenticators = Authenticators::default();
    authenticators.any_token = flags.is_on("insecure-allow-any-token");
    authenticators.service_account_lookup = flags.is_on("service-account-lookup");
    if let Some((path, file)) = file(flags, files, "basic-auth-file")? {
        authenticators.add_basic_auth_file(path, &file.text)?;
    }
    if let Some((path, file)) = file(flags, files, "token-auth-file")? {
        authenticators.add_token_auth_file(path, &file.text)?;
    }
    Ok(authenticators)
}

fn authorizers(flags: &Flags, files: &Files) -> Result<(Vec<Mode>, Option<abac::Policies>), String> {
    let mut modes = Vec::new();
    let mut abac = None;
    let names = flags.text("authorization-mode");
    if names.is_empty() {
        return Err("At least one authorization mode should be passed".to_owned());
    }
    for name in names.split(',') {
        let mode = Mode::parse(name).ok_or_else(|| format!("Unknown authorization mode {name} specified"))?;
        if modes.contains(&mode) {
            return Err(format!("Authorization mode {name} specified more than once"));
        }
        match mode {
            Mode::ABAC => {
                let (path, file) = file(flags, files, "authorization-policy-file")?
                    .ok_or("ABAC's authorization policy file not passed")?;
                let policies = abac::Policies::parse(path, &file.text)?;
                abac = Some(policies.placed(&file.source, file.first_line));
            }
            Mode::Webhook if flags.text("authorization-webhook-config-file").is_empty() => {
                return Err("Webhook's configuration file not passed".to_owned());
            }
            _ => {}
        }
        modes.push(mode);
    }
    for (mode, flag) in
        [(Mode::ABAC, "authorization-policy-file"), (Mode::Webhook, "authorization-webhook-config-file")]
    {
        if !modes.contains(&mode) && !flags.text(flag).is_empty() {
            return Err(format!("Cannot specify --{flag} without mode {}", mode.name()));
        }
    }
    Ok((modes, abac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Value;
    use crate::vectors::vectors;

    #[test]
    fn what_is_not_done_is_said() {
        let flags = ["--oidc-issuer-url=https://x", "--admission-control=NodeRestriction,AlwaysAdmit,LimitRanger"];
        let parts = parts(&flags.map(str::to_owned), &Files::new(), DateTime::UNIX_EPOCH).ok().unwrap();
        assert_eq!(
            parts.notes,
            [
                "--oidc-issuer-url is accepted and changes nothing here: answers are those of a server without it.",
                "The admission plugin LimitRanger lets everything through here.",
            ]
        );
    }

    #[test]
    fn starts_and_fails_to_start_as_recorded() {
        let text = std::fs::read_to_string(vectors("config/errors.jsonl")).unwrap();
        let mut differences = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let case: Value = serde_json::from_str(line).unwrap();
            let arguments: Vec<String> =
                case["flags"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap().to_owned()).collect();
            let file = |(name, text): (&String, &Value)| {
                let file = File { source: name.as_str().into(), first_line: 1, text: text.as_str().unwrap().into() };
                (name.clone(), file)
            };
            let files = case["files"].as_object().unwrap().iter().map(file).collect();
            let (error, exit) = parts(&arguments, &files, DateTime::UNIX_EPOCH).err().unzip();
            if error.as_deref() != case["error"].as_str() || exit.map(u64::from) != case["exit"].as_u64() {
                differences.push(format!("line {}: {}\n  {error:?} {exit:?}", number + 1, case));
            }
        }
        assert!(differences.is_empty(), "{}\n{}", differences.len(), differences.join("\n"));
    }
}
