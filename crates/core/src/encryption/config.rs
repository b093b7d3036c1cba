//! The file of `--experimental-encryption-provider-config`: read, refused and looked up as the server does.
//!
//! Behaviour: `apiserver/pkg/server/options/encryptionconfig/config.go`; which transformer a resource gets:
//! `apiserver/pkg/server/storage/storage_factory.go`. The text is decoded by `encoding/json` behind `ghodss/yaml`: names
//! of members are compared without case, numbers and booleans become strings where a string is wanted.

use std::rc::Rc;

use super::cipher::Cipher;
use super::{Key, Provider, ProviderKind, Transformer};
use crate::manifest::{Map, Value, base64, yaml};
use crate::request::quote;
use crate::sort::SortedMap;

const MORE_THAN_ONE: &str =
    "more than one provider specified in a single element, should split into different list elements";

/// An EncryptionConfig. The default one encrypts nothing.
#[derive(Clone, Debug)]
pub struct Config {
    /// By group and resource as the file names them; the resource `*` stands for all of its group.
    transformers: SortedMap<(String, String), Transformer>,
    plain: Transformer,
}

impl Default for Config {
    fn default() -> Self {
        Self { transformers: SortedMap::new(), plain: Transformer { providers: None } }
    }
}

impl Config {
    /// Reads the file's text. The error is the server's, as it prints it behind
    /// `error while parsing encryption provider configuration file "P": `.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value = yaml::parse(text)
            .map_err(|error| format!("error while parsing file: error converting YAML to JSON: {error}"))?;
        let mut reader = Reader { error: None };
        let file = File::read(&mut reader, &value);
        if let Some(error) = reader.error {
            return Err(format!("error while parsing file: error unmarshaling JSON: {error}"));
        }
        match file.kind.as_str() {
            "EncryptionConfig" => {}
            "" => return Err("invalid configuration file, missing Kind".into()),
            kind => return Err(format!("invalid configuration kind {} provided", quote(kind))),
        }
        let mut lists: SortedMap<(String, String), Vec<Rc<Provider>>> = SortedMap::new();
        for entry in &file.resources {
            let mut providers = Vec::with_capacity(entry.providers.len());
            for provider in &entry.providers {
                providers.push(Rc::new(provider.check()?));
            }
            for name in &entry.resources {
                // The first dot ends the resource: `deployments.extensions`.
                let (resource, group) = name.split_once('.').unwrap_or((name, ""));
                lists.get_or_default((group.into(), resource.into())).extend(providers.iter().cloned());
            }
        }
        let transformers =
            lists.into_iter().map(|(name, providers)| (name, Transformer { providers: Some(providers) })).collect();
        Ok(Self { transformers, ..Self::default() })
    }

    /// The transformer of a resource: an entry that names it, else one that names all of its group, else none that
    /// changes a byte.
    pub fn transformer(&self, group: &str, resource: &str) -> &Transformer {
        let group = match (group, resource) {
            // Served by two groups, stored as the older one's.
            ("apps", "deployments") | ("networking.k8s.io", "networkpolicies") => "extensions",
            // These servers have storage of their own, which knows no transformers.
            ("apiregistration.k8s.io" | "apiextensions.k8s.io", _) => return &self.plain,
            _ => group,
        };
        let named = |resource: &str| self.transformers.get(&(group.to_string(), resource.to_string()));
        named(resource).or_else(|| named("*")).unwrap_or(&self.plain)
    }
}

struct File {
    kind: String,
    resources: Vec<Entry>,
}

struct Entry {
    resources: Vec<String>,
    providers: Vec<ProviderConfig>,
}

#[derive(Default)]
struct ProviderConfig {
    aesgcm: Option<Vec<KeyConfig>>,
    aescbc: Option<Vec<KeyConfig>>,
    secretbox: Option<Vec<KeyConfig>>,
    identity: bool,
}

struct KeyConfig {
    name: String,
    secret: String,
}

impl ProviderConfig {
    /// In the server's order: the keys of aesgcm are looked at before it is asked whether there is a second provider,
    /// those of the others after.
    fn check(&self) -> Result<Provider, String> {
        let gcm = self.aesgcm.as_ref().map(|keys| provider(ProviderKind::AesGcm, keys)).transpose()?;
        let given = [gcm.is_some(), self.aescbc.is_some(), self.secretbox.is_some(), self.identity];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err(MORE_THAN_ONE.into());
        }
        match (gcm, &self.aescbc, &self.secretbox, self.identity) {
            (Some(provider), ..) => Ok(provider),
            (None, Some(keys), ..) => provider(ProviderKind::AesCbc, keys),
            (None, None, Some(keys), _) => provider(ProviderKind::Secretbox, keys),
            (None, None, None, true) => Ok(Provider { kind: ProviderKind::Identity, keys: Vec::new() }),
            (None, None, None, false) => Err("invalid provider configuration provided".into()),
        }
    }
}

fn provider(kind: ProviderKind, configs: &[KeyConfig]) -> Result<Provider, String> {
    if configs.is_empty() {
        let family = if kind == ProviderKind::Secretbox { "secretbox" } else { "aes" };
        return Err(format!("{family} provider has no valid keys"));
    }
    for KeyConfig { name, secret } in configs {
        if name.is_empty() {
            return Err("key with invalid name provided".into());
        }
        if secret.is_empty() {
            return Err(format!("key {name} has no provided secret"));
        }
    }
    let mut keys = Vec::with_capacity(configs.len());
    for KeyConfig { name, secret } in configs {
        let secret = base64::decode(secret.as_bytes())
            .map_err(|error| format!("could not obtain secret for named key {name}: {error}"))?;
        let cipher = match kind {
            ProviderKind::AesGcm => Cipher::gcm(&secret),
            ProviderKind::Secretbox => Cipher::secretbox(&secret),
            _ => Cipher::cbc(&secret),
        };
        let size = secret.len();
        let cipher = cipher.ok_or_else(|| match kind {
            ProviderKind::Secretbox => format!("expected key size 32 for aes-cbc provider, got {size}"),
            _ => format!("error while creating cipher for named key {name}: crypto/aes: invalid key size {size}"),
        })?;
        keys.push(Key { name: name.clone(), cipher });
    }
    Ok(Provider { kind, keys })
}

impl File {
    fn read(reader: &mut Reader, value: &Value) -> Self {
        let file = Field { within: "", path: String::new() };
        let members = reader.members(value, &file, "EncryptionConfig");
        let member = |name| (members.get(name), file.member("EncryptionConfig", name));
        let text = |reader: &mut Reader, (value, field)| reader.text(value, &field);
        text(reader, member("apiVersion"));
        let kind = text(reader, member("kind"));
        let (resources, field) = member("resources");
        let entries = reader.list(resources, &field, "[]encryptionconfig.ResourceConfig");
        let resources = entries.iter().map(|value| Entry::read(reader, value, &field)).collect();
        Self { kind, resources }
    }
}

impl Entry {
    fn read(reader: &mut Reader, value: &Value, entry: &Field) -> Self {
        let members = reader.members(value, entry, "ResourceConfig");
        let field = entry.member("ResourceConfig", "providers");
        let providers = reader.list(members.get("providers"), &field, "[]encryptionconfig.ProviderConfig");
        let providers = providers.iter().map(|value| ProviderConfig::read(reader, value, &field)).collect();
        let field = entry.member("ResourceConfig", "resources");
        let resources = reader.list(members.get("resources"), &field, "[]string");
        let resources = resources.iter().map(|value| reader.text(Some(value), &field)).collect();
        Self { resources, providers }
    }
}

impl ProviderConfig {
    fn read(reader: &mut Reader, value: &Value, provider: &Field) -> Self {
        let members = reader.members(value, provider, "ProviderConfig");
        let mut keys = |name, within: &'static str| {
            let field = provider.member("ProviderConfig", name);
            members.get(name).map(|value| KeyConfig::read_all(reader, value, &field, within))
        };
        let (aescbc, aesgcm) = (keys("aescbc", "AESConfig"), keys("aesgcm", "AESConfig"));
        let identity = members.get("identity").inspect(|value| {
            reader.members(value, &provider.member("ProviderConfig", "identity"), "IdentityConfig");
        });
        let identity = identity.is_some();
        let field = provider.member("ProviderConfig", "secretbox");
        let secretbox =
            members.get("secretbox").map(|value| KeyConfig::read_all(reader, value, &field, "SecretboxConfig"));
        Self { aesgcm, aescbc, secretbox, identity }
    }
}

impl KeyConfig {
    fn read_all(reader: &mut Reader, value: &Value, provider: &Field, within: &'static str) -> Vec<Self> {
        let members = reader.members(value, provider, within);
        let field = provider.member(within, "keys");
        let keys = reader.list(members.get("keys"), &field, "[]encryptionconfig.Key");
        let mut read = Vec::with_capacity(keys.len());
        for key in keys {
            let members = reader.members(key, &field, "Key");
            let name = reader.text(members.get("name"), &field.member("Key", "name"));
            let secret = reader.text(members.get("secret"), &field.member("Key", "secret"));
            read.push(Self { name, secret });
        }
        read
    }
}

/// Where a value is decoded to, as Go's errors say it: the struct that holds the field, and the path from the top.
struct Field {
    within: &'static str,
    path: String,
}

impl Field {
    fn member(&self, within: &'static str, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { within, path: format!("{}{dot}{name}", self.path) }
    }
}

/// The members of a JSON object, found as `encoding/json` does.
struct Members<'v>(Option<&'v Map<String, Value>>);

impl<'v> Members<'v> {
    /// Without case; a null counts as absent; of several spellings the last in byte order wins, because `ghodss/yaml`
    /// sorts.
    fn get(&self, name: &str) -> Option<&'v Value> {
        let spellings = self.0?.iter().filter(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null());
        spellings.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, value)| value)
    }
}

/// Decodes as `encoding/json`: it goes on after an error, and the first one counts.
struct Reader {
    error: Option<String>,
}

impl Reader {
    fn members<'v>(&mut self, value: &'v Value, field: &Field, type_name: &str) -> Members<'v> {
        if value.as_object().is_none() && !value.is_null() {
            self.wrong(value, field, &format!("encryptionconfig.{type_name}"));
        }
        Members(value.as_object())
    }

    fn list<'v>(&mut self, value: Option<&'v Value>, field: &Field, type_name: &str) -> &'v [Value] {
        match value {
            Some(Value::Array(items)) => items,
            None | Some(Value::Null) => &[],
            Some(other) => {
                self.wrong(other, field, type_name);
                &[]
            }
        }
    }

    fn text(&mut self, value: Option<&Value>, field: &Field) -> String {
        match value {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Number(number)) if number.is_f64() => number.as_f64().map_or_else(String::new, go_float),
            Some(Value::Number(number)) => number.to_string(),
            Some(other) => {
                self.wrong(other, field, "string");
                String::new()
            }
        }
    }

    fn wrong(&mut self, value: &Value, field: &Field, type_name: &str) {
        let found = match value {
            Value::Array(_) => "array",
            Value::Object(_) => "object",
            Value::String(_) => "string",
            Value::Bool(_) => "bool",
            _ => "number",
        };
        self.error.get_or_insert_with(|| match (field.within, field.path.as_str()) {
            (_, "") => format!("json: cannot unmarshal {found} into Go value of type {type_name}"),
            (within, path) => {
                format!("json: cannot unmarshal {found} into Go struct field {within}.{path} of type {type_name}")
            }
        });
    }
}

/// `strconv.FormatFloat(number, 'g', -1, 32)`, by which `ghodss/yaml` makes a string of a float.
fn go_float(number: f64) -> String {
    let number = number as f32;
    if number.is_infinite() {
        return if number > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    // The fewest digits that mean this number, by the printer of all other numbers: `1.5e-7`, `100000.0`.
    let shortest = serde_json::to_string(&number).unwrap_or_default();
    let (sign, shortest) = shortest.strip_prefix('-').map_or(("", &*shortest), |positive| ("-", positive));
    let (mantissa, power) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let zeros = digits.len() - digits.trim_start_matches('0').len();
    let exponent = power.parse::<i32>().unwrap_or(0) + whole.len() as i32 - zeros as i32 - 1;
    if number == 0.0 || (-4..6).contains(&exponent) {
        return format!("{sign}{}", mantissa.strip_suffix(".0").unwrap_or(mantissa));
    }
    let digits = digits.trim_matches('0');
    let (first, rest) = digits.split_at_checked(1).unwrap_or((digits, ""));
    let point = if rest.is_empty() { "" } else { "." };
    let direction = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{point}{rest}e{direction}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The standard library's printer, which weighs eight kilobytes, has as many, and none nearer. Between two that are as
        /// near it takes the greater, and Go the even one.
        #[test]
        fn floats_have_the_fewest_digits(bits in any::<u32>(), whole in -2_000_000..2_000_000, places in 0..9) {
            for number in [f32::from_bits(bits), (f64::from(whole) / 10_f64.powi(places)) as f32] {
                if !number.is_finite() {
                    continue;
                }
                let scientific = format!("{number:e}");
                let (digits, exponent) = scientific.split_once('e').unwrap();
                let expected = match exponent.parse::<i32>().unwrap() {
                    exponent @ (..-4 | 6..) => {
                        format!("{digits}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs())
                    }
                    _ => number.to_string(),
                };
                let printed = go_float(number.into());
                let off = |text: &str| (text.parse::<f64>().unwrap() - f64::from(number)).abs();
                prop_assert_eq!(printed.len(), expected.len());
                prop_assert_eq!(printed.parse::<f32>(), Ok(number));
                prop_assert!(off(&printed) <= off(&expected), "{} is nearer than {}", expected, printed);
            }
        }
    }

    #[test]
    fn scalars_become_strings_as_ghodss_makes_them() {
        for (text, expected) in [
            ("1.5", "1.5"),
            ("1e3", "1e3"),
            ("123456789.5", "1.2345679e+08"),
            ("1854776.25", "1.8547762e+06"),
            ("0777", "511"),
            ("yes", "true"),
            ("2017-07", "2017-07"),
            ("0x1f", "31"),
            ("12345678901234567890", "12345678901234567890"),
            ("1.5e-7", "1.5e-07"),
            ("2017.07", "2017.07"),
            ("1_000", "1000"),
            ("123456789.25", "1.2345679e+08"),
            ("1.0", "1"),
        ] {
            let error = Config::parse(&format!("kind: {text}")).unwrap_err();
            assert_eq!(error, format!("invalid configuration kind {expected:?} provided"), "{text}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_an_error_of_encoding_json() {
        let wrong = |found: &str, field: &str, type_name: &str| {
            format!("json: cannot unmarshal {found} into Go struct field {field} of type {type_name}")
        };
        for (text, expected) in [
            ("kind: [1]", wrong("array", "EncryptionConfig.kind", "string")),
            ("resources: {a: b}", wrong("object", "EncryptionConfig.resources", "[]encryptionconfig.ResourceConfig")),
            ("resources: [x]", wrong("string", "EncryptionConfig.resources", "encryptionconfig.ResourceConfig")),
            ("resources: [{resources: [[a]]}]", wrong("array", "ResourceConfig.resources.resources", "string")),
            ("resources: [{resources: secrets}]", wrong("string", "ResourceConfig.resources.resources", "[]string")),
            (
                "resources: [{providers: [x]}]",
                wrong("string", "ResourceConfig.resources.providers", "encryptionconfig.ProviderConfig"),
            ),
            (
                "resources: [{providers: [{aescbc: []}]}]",
                wrong("array", "ProviderConfig.resources.providers.aescbc", "encryptionconfig.AESConfig"),
            ),
            (
                "resources: [{providers: [{identity: 1}]}]",
                wrong("number", "ProviderConfig.resources.providers.identity", "encryptionconfig.IdentityConfig"),
            ),
            (
                "resources: [{providers: [{secretbox: {keys: [x]}}]}]",
                wrong("string", "SecretboxConfig.resources.providers.secretbox.keys", "encryptionconfig.Key"),
            ),
            (
                "resources: [{providers: [{secretbox: {keys: [{name: 1, secret: {a: 1}}]}}]}]",
                wrong("object", "Key.resources.providers.secretbox.keys.secret", "string"),
            ),
            ("x", "json: cannot unmarshal string into Go value of type encryptionconfig.EncryptionConfig".into()),
        ] {
            let error = Config::parse(text).unwrap_err();
            assert_eq!(error, format!("error while parsing file: error unmarshaling JSON: {expected}"), "{text}");
        }
    }

    #[test]
    fn a_resource_gets_the_entry_that_names_it_before_that_of_its_group() {
        let text = "kind: EncryptionConfig\nresources:\n- {resources: ['*', deployments.extensions], providers: []}\n\
                    - {resources: [secrets], providers: [identity: {}]}\n\
                    - {resources: [secrets, '*.apiregistration.k8s.io'], providers: [identity: {}]}\n";
        let config = Config::parse(text).unwrap();
        let count =
            |group, resource| config.transformer(group, resource).providers.as_ref().map(|providers| providers.len());
        assert_eq!(count("", "pods"), Some(0));
        assert_eq!(count("", "secrets"), Some(2), "lists of several entries are joined");
        assert_eq!(count("extensions", "deployments"), Some(0));
        assert_eq!(count("apps", "deployments"), Some(0), "stored as extensions");
        assert_eq!(count("extensions", "ingresses"), None);
        assert_eq!(count("apiregistration.k8s.io", "apiservices"), None);
    }
}
