//! `portcullis inspect`: one value of etcd, opened with a user's own configuration. Nothing is sent anywhere.

use portcullis_core::encryption::{self, Config, Transformer, claimed};
use portcullis_core::manifest::{Map, Value, json, yaml};
use portcullis_core::release::Release;
use portcullis_core::storage::{Part, codec};

use crate::arguments::{Argument, Arguments};
use crate::commands::Output;
use crate::later;

mod dump;

/// What a stored value is.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Its etcd key, where the dump or the user says it.
    pub key: Option<String>,
    /// `identity`, `aescbc`, `aesgcm`, `secretbox`; what the value's own prefix says where it cannot be read.
    pub provider: String,
    /// The key's name in the configuration; `""` for `identity`.
    pub key_name: String,
    /// Whether a write would use another provider or key.
    pub stale: bool,
    /// The bytes as stored.
    pub value: Vec<u8>,
    /// What they are.
    pub parts: Vec<Part>,
    /// The bytes behind the encryption; for a plain value the same, empty where they cannot be read.
    pub plain: Vec<u8>,
    /// What those are.
    pub plain_parts: Vec<Part>,
    /// The object, or why there is none.
    pub object: Result<Value, Failure>,
}

/// Why a value gives no object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// `decrypt` or `decode`.
    pub step: &'static str,
    /// The API server's own text.
    pub error: String,
    /// What it usually means.
    pub usually: String,
}

/// Opens the value in `input` (bytes, base64, a hex dump, or what `etcdctl get -w json` prints; an etcd key on a line before
/// it counts).
///
/// Without a configuration the value is read as a server without encryption reads it. Errors: the configuration or the
/// dump cannot be read; what is wrong with the value itself is in [`Inspection::object`].
pub fn inspect(release: &Release, config: Option<&str>, key: Option<&str>, input: &[u8]) -> Result<Inspection, String> {
    let later = config.and_then(|text| later::rewritten(release, text, (&"".into(), 1)));
    let config = later.as_ref().map(|(text, _)| text.as_str()).or(config);
    let config = config.map(Config::parse).transpose()?.unwrap_or_default();
    let response = dump::response(input).transpose()?;
    let is_exact = response.is_some();
    let (found, value) = match response {
        Some((key, value)) => (Some(key), value),
        None => split_key(dump::read(input)?),
    };
    if value.is_empty() {
        return Err("there is nothing to read".to_owned());
    }
    let key = key.map(str::to_owned).or(found);
    let open = |value: &[u8]| open(release, &config, key.clone(), value.to_vec());
    // What prints a value ends the line, and that is no part of it; but a value may end so by itself.
    let Some(shorter) = value.strip_suffix(b"\n").filter(|_| !is_exact) else { return Ok(open(&value)) };
    let inspection = open(shorter);
    let again = inspection.object.is_err().then(|| open(&value)).filter(|again| again.object.is_ok());
    Ok(again.unwrap_or(inspection))
}

/// `etcdctl get` prints the key, a line break, the value, and a line break.
fn split_key(bytes: Vec<u8>) -> (Option<String>, Vec<u8>) {
    let end = bytes.iter().position(|byte| *byte == b'\n').filter(|_| bytes.starts_with(b"/"));
    match end.and_then(|end| bytes.split_at_checked(end)) {
        Some((key, value)) => {
            let value = value.strip_prefix(b"\n").unwrap_or(value);
            (Some(String::from_utf8_lossy(key).into_owned()), value.to_vec())
        }
        None => (None, bytes),
    }
}

fn open(release: &Release, config: &Config, key: Option<String>, value: Vec<u8>) -> Inspection {
    let place = key.as_deref().unwrap_or_default();
    let transformer = transformer(release, config, place, &value);
    let parts = transformer.parts(place, &value).into_iter().map(Part::from).collect();
    let mut inspection = Inspection {
        key: key.clone(),
        provider: String::new(),
        key_name: String::new(),
        stale: false,
        value,
        parts,
        plain: Vec::new(),
        plain_parts: Vec::new(),
        object: Ok(Value::Null),
    };
    let plain = match transformer.read(place, &inspection.value) {
        Ok(plain) => plain,
        Err(failure) => {
            (inspection.provider, inspection.key_name) = claimed(&inspection.value);
            let mut usually = failure.usually().to_owned();
            if key.is_none() && inspection.provider == "aesgcm" {
                usually = "aesgcm binds a value to its etcd key: name it with --key.".to_owned();
            }
            inspection.object = Err(Failure { step: "decrypt", error: failure.to_string(), usually });
            return inspection;
        }
    };
    inspection.provider = plain.provider.to_owned();
    inspection.key_name = plain.key_name;
    inspection.stale = plain.stale;
    inspection.plain_parts = codec::parts(release, &plain.bytes);
    inspection.object = codec::decode(release, place, &plain.bytes).map(|object| object.value).map_err(|error| {
        let (provider, name) = claimed(&inspection.value);
        let usually = match (provider.as_str(), plain.provider) {
            ("identity", _) => "The bytes are no object of this release, or the dump is truncated.".to_owned(),
            (claimed, "identity") => format!(
                "The value is encrypted by {claimed} with the key {name:?}. Name the EncryptionConfig that holds this key with \
                 --config, and the etcd key with --key where the dump does not show it."
            ),
            _ => "The key opened the value, and what is in it is no object: aescbc does not notice changed bytes, nor \
                  every wrong key."
                .to_owned(),
        };
        Failure { step: "decode", error, usually }
    });
    if inspection.provider == "identity" && inspection.object.is_ok() {
        inspection.parts = inspection.plain_parts.clone();
    }
    inspection.plain = plain.bytes;
    inspection
}

/// The transformer of the key's resource; without a key, that of the first resource that can read the value.
fn transformer<'a>(release: &Release, config: &'a Config, key: &str, value: &[u8]) -> &'a Transformer {
    if let Some(resource) = release.stored_at(key) {
        return config.transformer(resource.group, resource.resource);
    }
    let mut all: Vec<&Transformer> = Vec::new();
    for resource in release.resources() {
        let transformer = config.transformer(resource.group, resource.resource);
        if !all.iter().any(|known| std::ptr::eq(*known, transformer)) {
            all.push(transformer);
        }
    }
    let claimed = claimed(value).0;
    let reads = |it: &&Transformer| it.read(key, value).is_ok_and(|plain| plain.provider == claimed);
    // One that knows the provider says what is wrong with the key.
    let knows =
        |it: &&Transformer| it.read(key, value).is_err_and(|failure| failure != encryption::Failure::NoProvider);
    let all = || all.iter().copied();
    all().find(reads).or_else(|| all().find(knows)).unwrap_or(config.transformer("", "secrets"))
}

impl Inspection {
    /// `key`, `provider`, `keyName`, `stale` and `object` as YAML; instead of an object that cannot be had, `error`.
    pub fn to_yaml(&self) -> String {
        let mut document = Map::new();
        if let Some(key) = &self.key {
            document.insert("key".into(), key.as_str().into());
        }
        document.insert("provider".into(), self.provider.as_str().into());
        document.insert("keyName".into(), self.key_name.as_str().into());
        match &self.object {
            Ok(object) => {
                document.insert("stale".into(), self.stale.into());
                document.insert("object".into(), as_written(object));
            }
            Err(failure) => {
                let error = json::object([
                    ("step", failure.step.into()),
                    ("message", failure.error.as_str().into()),
                    ("usually", failure.usually.as_str().into()),
                ]);
                document.insert("error".into(), error);
            }
        }
        yaml::to_string_in_order(&Value::Object(document))
    }

    /// One line for each part: from, to, what.
    pub fn to_parts(&self) -> String {
        let mut text = table("stored", &self.value, &self.parts);
        if self.provider != "identity" && self.object.is_ok() {
            text.push_str(&table("decrypted", &self.plain, &self.plain_parts));
        }
        text
    }
}

fn table(name: &str, bytes: &[u8], parts: &[Part]) -> String {
    let mut text = format!("{name}: {} bytes\n", bytes.len());
    parts.iter().for_each(|part| text.push_str(&format!("{:>6} {:>6}  {}\n", part.from, part.to, part.what)));
    text
}

/// `apiVersion` before `kind`, as people write it; the rest as it is.
fn as_written(object: &Value) -> Value {
    let Value::Object(members) = object else { return object.clone() };
    let mut written = Map::new();
    for name in ["apiVersion", "kind"] {
        if let Some(value) = members.get(name) {
            written.insert(name.into(), value.clone());
        }
    }
    members.iter().filter(|(name, _)| *name != "apiVersion" && *name != "kind").for_each(|(name, value)| {
        written.insert(name.clone(), value.clone());
    });
    Value::Object(written)
}

/// The command. `read` gives a file's bytes; `release` counts where no option says another.
///
/// # Errors
///
/// What is wrong with the command line.
pub fn command(
    arguments: &[String],
    stdin: &[u8],
    release: &'static Release,
    read: &dyn Fn(&str) -> Result<Vec<u8>, String>,
) -> Result<Output, String> {
    let (mut release, mut config, mut key, mut form, mut file) = (release, None, None, "yaml", None);
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        let Argument::Operand(operand) = part else {
            let value = parts.value().ok_or_else(|| format!("{part} needs a value"))?;
            match part {
                Argument::Long("release") => {
                    release = Release::find(value).ok_or_else(|| format!("there is no release {value}"))?;
                }
                Argument::Long("config") => config = Some(value),
                Argument::Long("key") => key = Some(value),
                Argument::Short('o') | Argument::Long("output") if matches!(value, "yaml" | "parts") => form = value,
                _ => return Err(format!("{part} {value} is not known")),
            }
            continue;
        };
        if file.replace(operand).is_some() {
            return Err("it reads one value at a time".to_owned());
        }
    }
    let text = |name: &str| read(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let input = match file {
        None | Some("-") => Ok(stdin.to_vec()),
        Some(name) => read(name),
    };
    let inspected = input.and_then(|input| {
        let config = config.map(text).transpose()?;
        inspect(release, config.as_deref(), key, &input)
    });
    Ok(match inspected {
        Err(error) => Output::failure(1, &format!("portcullis inspect: {error}")),
        Ok(inspection) => Output {
            stdout: if form == "parts" { inspection.to_parts() } else { inspection.to_yaml() }.into_bytes(),
            stderr: Vec::new(),
            status: u8::from(inspection.object.is_err()),
        },
    })
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    const CONFIG: &str = "{kind: EncryptionConfig, resources: [{resources: [configmaps], providers: [{aescbc: {keys: \
        [{name: mykey, secret: HON5ISH9XMfFB6dnm25U0vSwxR58n7UrpxKPvmCJLTw=}]}}, {identity: {}}]}]}";

    fn document() -> Option<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/acceptance/encryption.md");
        std::fs::read_to_string(path).ok()
    }

    fn dump() -> Option<Vec<u8>> {
        let text = document()?;
        let dump = text.split_once("title=\"seed.hex\"\n")?.1.split_once("```")?.0;
        Some(dump.as_bytes().to_vec())
    }

    fn release() -> &'static Release {
        Release::find("1.7").unwrap()
    }

    #[test]
    fn a_recorded_dump_opens_with_its_key() {
        let Some(dump) = dump() else { return println!("skipped: no document") };
        let inspection = inspect(release(), Some(CONFIG), None, &dump).unwrap();
        let yaml = inspection.to_yaml();
        assert!(document().unwrap().contains(&yaml), "{yaml}");
        let parts = inspection.to_parts();
        assert!(parts.contains("     0     18  prefix\n    18     24  key name\n    24     40  IV\n"), "{parts}");
        assert!(parts.contains("decrypted: 121 bytes\n"), "{parts}");
        assert!(parts.contains("  data[foo]: \"bar\"\n"), "{parts}");
    }

    #[test]
    fn what_cannot_be_opened_says_which_step_failed_and_why() {
        let Some(dump) = dump() else { return println!("skipped: no document") };
        let other = CONFIG.replace("HON5", "AAAA");
        let renamed = CONFIG.replace("mykey", "k2");
        let gcm = CONFIG.replace("aescbc", "aesgcm");
        let rows = [
            (None, "decode", "illegal base64 data at input byte 3", "--config"),
            (Some(other.as_str()), "decrypt", "invalid padding on input", "other bytes"),
            (
                Some(renamed.as_str()),
                "decrypt",
                "no matching key was found for the provided AES transformer",
                "another",
            ),
            (Some(gcm.as_str()), "decrypt", "no matching prefix found", "no provider"),
        ];
        for (config, step, error, usually) in rows {
            let inspection = inspect(release(), config, None, &dump).unwrap();
            let failure = inspection.object.unwrap_err();
            assert_eq!((failure.step, failure.error.as_str()), (step, error));
            assert!(failure.usually.contains(usually), "{}", failure.usually);
        }
    }

    #[test]
    fn a_configuration_in_the_form_of_a_later_release_opens_a_value_too() {
        let later = CONFIG.replace("EncryptionConfig", "EncryptionConfiguration");
        assert_ne!(later, CONFIG);
        let Some(dump) = dump() else { return println!("skipped: no document") };
        let open = |config: &str| format!("{:?}", inspect(release(), Some(config), None, &dump).unwrap().object);
        assert_eq!(open(&later), open(CONFIG));
    }

    #[test]
    fn a_line_break_behind_the_value_is_no_part_of_it_unless_it_is() {
        let config = Config::parse(CONFIG).unwrap();
        let (mut world, place) = (portcullis_core::world::World::new(Default::default(), ""), "/registry/configmaps/a");
        let object = release().decode("v1", "ConfigMap", serde_json::json!({"metadata": {"name": "a"}})).unwrap();
        let plain = codec::encode(release(), &portcullis_core::manifest::Object::new(object, None));
        // A value whose last byte is a line break, which takes a few hundred tries.
        let stored =
            std::iter::repeat_with(|| transformer(release(), &config, place, b"").write(place, &plain, &mut world))
                .map(Result::unwrap)
                .find(|stored| stored.ends_with(b"\n"))
                .unwrap();
        let json = serde_json::json!({"kvs": [{"key": STANDARD.encode(place), "value": STANDARD.encode(&stored)}]});
        for (printed, other) in [
            ([place.as_bytes(), b"\n", &stored, b"\n"].concat(), "AAAA"),
            ([place.as_bytes(), b"\n", &stored].concat(), "HON5"),
            ([&stored[..], b"\n"].concat(), "AAAA"),
            (json.to_string().into_bytes(), "AAAA"),
        ] {
            let inspection = inspect(release(), Some(CONFIG), None, &printed).unwrap();
            assert_eq!(inspection.value, stored);
            assert!(inspection.object.is_ok());
            // With the wrong key it is the key that is to blame.
            let failed = inspect(release(), Some(&CONFIG.replace("HON5", other)), None, &printed).unwrap();
            assert_eq!(failed.object.is_ok(), other == "HON5");
            let error = failed.object.err().map(|failure| failure.error).unwrap_or_default();
            assert!(other == "HON5" || error.contains("padd"), "{error}");
        }
    }

    #[test]
    fn a_response_holds_one_value() {
        for (input, expected) in [
            (r#"{"kvs": []}"#, "the response holds 0 values: get one key at a time"),
            (r#"{"header": {}, "count": 0}"#, "the response holds 0 values: get one key at a time"),
            (r#"{"kvs": [{"key": "YQ==", "value": "!"}]}"#, "value: illegal base64 data at input byte 0"),
            ("\n", "there is nothing to read"),
        ] {
            assert_eq!(inspect(release(), None, None, input.as_bytes()).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_plain_value_needs_neither_key_nor_configuration() {
        let object = release().decode("v1", "Secret", serde_json::json!({"metadata": {"name": "a"}})).unwrap();
        let object = portcullis_core::manifest::Object::new(object, None);
        let mut bytes = codec::encode(release(), &object);
        for _ in 0..2 {
            let inspection = inspect(release(), None, None, &bytes).unwrap();
            assert_eq!(inspection.object.unwrap()["metadata"]["name"], "a");
            bytes.push(b'\n');
        }
    }
}
