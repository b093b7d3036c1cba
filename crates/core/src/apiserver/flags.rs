//! The flags of `kube-apiserver`.
//!
//! Behaviour: `cmd/kube-apiserver/app/options`, `pkg/kubeapiserver/options`, `apiserver/pkg/server/options` and
//! `spf13/pflag`. Every flag of the release is accepted; [`super::start`] says which have an effect here.

use super::rest;
use crate::request::quote;
use crate::sort::SortedMap;

/// Flags that take a text, or a value that nothing here looks at.
const TEXTS: &str = "address admission-control admission-control-config-file advertise-address apiserver-count \
    audit-log-path audit-policy-file audit-webhook-config-file audit-webhook-mode \
    authentication-token-webhook-cache-ttl authentication-token-webhook-config-file authorization-mode \
    authorization-policy-file authorization-rbac-super-user authorization-webhook-cache-authorized-ttl \
    authorization-webhook-cache-unauthorized-ttl authorization-webhook-config-file basic-auth-file bind-address \
    cert-dir client-ca-file cloud-config cloud-provider cloud-provider-gce-lb-src-cidrs cors-allowed-origins \
    etcd-cafile etcd-certfile etcd-keyfile etcd-prefix etcd-servers etcd-servers-overrides event-ttl \
    experimental-encryption-provider-config experimental-keystone-ca-file experimental-keystone-url \
    external-hostname insecure-bind-address kubelet-certificate-authority kubelet-client-certificate \
    kubelet-client-key kubelet-port kubelet-preferred-address-types kubelet-read-only-port kubelet-timeout \
    log-backtrace-at log-dir log-flush-frequency long-running-request-regexp master-service-namespace \
    oidc-ca-file oidc-client-id oidc-groups-claim oidc-issuer-url oidc-username-claim \
    proxy-client-cert-file proxy-client-key-file requestheader-allowed-names \
    requestheader-client-ca-file requestheader-extra-headers-prefix requestheader-group-headers \
    requestheader-username-headers runtime-config service-account-key-file service-cluster-ip-range \
    service-node-port-range ssh-keyfile ssh-user stderrthreshold storage-backend \
    storage-media-type storage-version storage-versions tls-ca-file tls-cert-file tls-private-key-file \
    tls-sni-cert-key token-auth-file v vmodule watch-cache-sizes";
const SWITCHES: &str = "allow-privileged alsologtostderr anonymous-auth contention-profiling \
    enable-aggregator-routing enable-garbage-collector enable-logs-handler enable-swagger-ui etcd-quorum-read \
    experimental-bootstrap-token-auth insecure-allow-any-token kubelet-https logtostderr profiling \
    repair-malformed-updates service-account-lookup version watch-cache";
const NUMBERS: &str = "audit-log-maxage audit-log-maxbackup audit-log-maxsize delete-collection-workers \
    deserialization-cache-size insecure-port kubernetes-service-node-port max-connection-bytes-per-sec \
    max-mutating-requests-inflight max-requests-inflight min-request-timeout secure-port target-ram-mb";
const DEFAULTS: [(&str, &str); 7] = [
    ("anonymous-auth", "true"),
    ("audit-webhook-mode", "batch"),
    ("authorization-mode", "AlwaysAllow"),
    ("enable-garbage-collector", "true"),
    ("insecure-port", "8080"),
    ("secure-port", "6443"),
    ("service-account-lookup", "true"),
];
/// Older names of flags.
const OLDER: [(&str, &str); 4] = [
    ("port", "insecure-port"),
    ("portal-net", "service-cluster-ip-range"),
    ("public-address-override", "bind-address"),
    ("service-node-ports", "service-node-port-range"),
];
/// Gates and whether they are alpha: `AllAlpha` sets those that were not set before it.
const GATES: [(&str, bool); 16] = [
    ("Accelerators", true),
    ("AdvancedAuditing", true),
    ("AffinityInAnnotations", true),
    ("AllAlpha", false),
    ("AllowExtTrafficLocalEndpoints", false),
    ("AppArmor", false),
    ("DynamicKubeletConfig", true),
    ("DynamicVolumeProvisioning", true),
    ("ExperimentalCriticalPodAnnotation", true),
    ("ExperimentalHostUserNamespaceDefaulting", false),
    ("LocalStorageCapacityIsolation", true),
    ("PersistentLocalVolumes", true),
    ("RotateKubeletClientCertificate", true),
    ("RotateKubeletServerCertificate", true),
    ("StreamingProxyRedirects", false),
    ("TaintBasedEvictions", true),
];

/// The values of flags by name, and of feature gates.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    values: SortedMap<String, String>,
    gates: SortedMap<&'static str, bool>,
}

impl Flags {
    /// Parses a command line without its command. The error is what the server prints before it exits with status 2.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut left = arguments.iter();
        while let Some(argument) = left.next() {
            if argument == "--" {
                break;
            }
            let (given, value) = match argument.split_once('=') {
                Some((given, value)) => (given, Some(value)),
                None => (argument.as_str(), None),
            };
            let name = match given.strip_prefix("--") {
                Some(name) if name.is_empty() || name.starts_with('-') => {
                    return Err(format!("bad flag syntax: {argument}"));
                }
                Some(name) => name.replace('_', "-"),
                // What is no flag is ignored.
                None if !given.starts_with('-') || given == "-" => continue,
                None if given.starts_with("-v") => {
                    let attached = given.get(2..).filter(|value| !value.is_empty());
                    match attached.or(value) {
                        Some(_) => {}
                        None if left.next().is_some() => {}
                        None => return Err(format!("flag needs an argument: 'v' in {argument}")),
                    }
                    continue;
                }
                None if given == "-h" => return Err("pflag: help requested".to_owned()),
                None => {
                    let letter = given.chars().nth(1).unwrap_or_default();
                    return Err(format!("unknown shorthand flag: {letter:?} in {argument}"));
                }
            };
            let name = OLDER.iter().find(|(older, _)| *older == name).map_or(name, |(_, name)| (*name).to_owned());
            let is = |names: &str| names.split_ascii_whitespace().any(|known| known == name);
            let value = match value {
                _ if !(is(TEXTS) || is(SWITCHES) || is(NUMBERS) || name == "feature-gates") => {
                    return Err(match name.as_str() {
                        "help" => "pflag: help requested".to_owned(),
                        _ => format!("unknown flag: {given}"),
                    });
                }
                Some(value) => value,
                None if is(SWITCHES) => "true",
                None => left.next().ok_or_else(|| format!("flag needs an argument: {argument}"))?,
            };
            let checked = if name == "feature-gates" {
                flags.set_gates(value)
            } else if is(SWITCHES) {
                parse_bool(value).map(drop)
            } else if is(NUMBERS) {
                check_int(value)
            } else {
                match name.as_str() {
                    "service-cluster-ip-range" => rest::address_range(value).map(drop),
                    "service-node-port-range" => rest::port_range(value).map(drop),
                    _ => Ok(()),
                }
            };
            checked.map_err(|error| format!("invalid argument {} for {argument}: {error}", quote(value)))?;
            match flags.values.get_mut(&name) {
                // The only list that has an effect here.
                Some(list) if name == "admission-control" => *list = format!("{list},{value}"),
                _ => drop(flags.values.insert(name, value.to_owned())),
            }
        }
        Ok(flags)
    }

    /// The value of a flag, or its default: `""` where it has none.
    pub fn text(&self, name: &str) -> &str {
        let default = || DEFAULTS.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value);
        self.values.get(name).map_or_else(default, String::as_str)
    }

    /// The value of a switch.
    pub fn is_on(&self, name: &str) -> bool {
        parse_bool(self.text(name)).unwrap_or(false)
    }

    /// Whether a feature gate is on.
    pub fn gate(&self, name: &str) -> bool {
        self.gates.get(name).copied().unwrap_or(false)
    }

    /// The flags that were given, by name.
    pub fn given(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    fn set_gates(&mut self, text: &str) -> Result<(), String> {
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim(), Some(value.trim())),
                None => (part.trim(), None),
            };
            let Some((gate, _)) = GATES.iter().find(|(gate, _)| *gate == name) else {
                return Err(format!("unrecognized key: {name}"));
            };
            let value = value.ok_or_else(|| format!("missing bool value for {name}"))?;
            let on = parse_bool(value).map_err(|error| format!("invalid value of {name}: {value}, err: {error}"))?;
            self.gates.insert(gate, on);
            if name == "AllAlpha" {
                for (gate, _) in GATES.iter().filter(|(_, is_alpha)| *is_alpha) {
                    self.gates.get_or_insert_with(gate, || on);
                }
            }
        }
        Ok(())
    }
}

/// Go's `strconv.ParseBool`.
fn parse_bool(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(format!("strconv.ParseBool: parsing {}: invalid syntax", quote(text))),
    }
}

/// Whether Go's `strconv.ParseInt` with base 0 reads `text`.
fn check_int(text: &str) -> Result<(), String> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match (lower.strip_prefix("0x"), lower.strip_prefix("0b"), lower.strip_prefix("0o")) {
        (Some(digits), ..) => (16, digits),
        (_, Some(digits), _) => (2, digits),
        (.., Some(digits)) => (8, digits),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, lower.trim_start_matches('0')),
        _ => (10, lower.as_str()),
    };
    let problem = if digits.is_empty() && radix == 8 && !lower.contains('o') {
        return Ok(());
    } else if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        "invalid syntax"
    } else if i64::from_str_radix(digits, radix).is_err() {
        "value out of range"
    } else {
        return Ok(());
    };
    Err(format!("strconv.ParseInt: parsing {}: {problem}", quote(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Flags, String> {
        Flags::parse(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn flags_have_values_and_defaults() {
        let line = "--authorization-mode Node,RBAC --admission_control=A --admission-control=B,C x --profiling \
                    --anonymous-auth=false -v 2 -v=3 -v4 --audit-log-maxage=0x10 --feature-gates=AllAlpha=1 -- --bad";
        let flags = parse(line).unwrap();
        assert_eq!(flags.text("authorization-mode"), "Node,RBAC");
        assert_eq!(flags.text("admission-control"), "A,B,C");
        assert_eq!(flags.text("token-auth-file"), "");
        assert_eq!((flags.is_on("anonymous-auth"), flags.is_on("profiling")), (false, true));
        assert_eq!((flags.gate("AdvancedAuditing"), flags.gate("AppArmor")), (true, false));
        let defaults = Flags::parse(&[]).unwrap();
        assert_eq!((defaults.text("authorization-mode"), defaults.is_on("anonymous-auth")), ("AlwaysAllow", true));
        assert!(!parse("--feature-gates=AdvancedAuditing=0,AllAlpha=true").unwrap().gate("AdvancedAuditing"));
    }

    #[test]
    fn bad_flags_are_named_as_the_server_names_them() {
        for (line, message) in [
            ("--audit-log-format=json", "unknown flag: --audit-log-format"),
            ("--=x", "bad flag syntax: --=x"),
            ("---x", "bad flag syntax: ---x"),
            ("-x", "unknown shorthand flag: 'x' in -x"),
            ("--authorization-mode", "flag needs an argument: --authorization-mode"),
            (
                "--audit-log-maxage x",
                "invalid argument \"x\" for --audit-log-maxage: strconv.ParseInt: parsing \"x\": invalid syntax",
            ),
            (
                "--port=99999999999999999999",
                "invalid argument \"99999999999999999999\" for --port=99999999999999999999: strconv.ParseInt: parsing \"99999999999999999999\": value out of range",
            ),
        ] {
            assert_eq!(parse(line).unwrap_err(), message);
        }
    }
}
