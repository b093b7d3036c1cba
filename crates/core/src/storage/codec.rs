//! The stored form of objects: protobuf in an envelope, or JSON.
//!
//! Behaviour: `apiserver/pkg/server/storage/storage_codec.go` (what is tried on bytes of unknown form),
//! `apimachinery/pkg/runtime/serializer/protobuf/protobuf.go`, `.../json/json.go`, `.../recognizer/recognizer.go`.

use serde_json::{Map, Value};

use super::protobuf::{self, Audience, Part, Parts, Reader};
pub(crate) use super::protobuf::{Nanos, event};
use crate::manifest::{Object, base64, json, yaml};
use crate::release::Release;
use crate::world::time;

/// What every protobuf value begins with.
pub(super) const MAGIC: &[u8] = b"k8s\0";

/// The bytes that the server stores for `object`, before the transformers: protobuf, or JSON for the kinds that are
/// stored so and for those that the release does not know.
///
/// The resourceVersion is never stored; the selfLink is stored where the object has one.
pub fn encode(release: &Release, object: &Object) -> Vec<u8> {
    let (api_version, kind) = (object.api_version(), object.kind());
    let as_json = release.resource_of(api_version, kind).is_some_and(|resource| resource.stored_as_json);
    if let Some(of) = release.schema().kind(api_version, kind).filter(|_| !as_json) {
        let raw = protobuf::encode(release.schema(), of, &object.value, Audience::Etcd(object.into()));
        return [MAGIC, &protobuf::envelope(api_version, kind, &raw)].concat();
    }
    let mut value = object.value.clone();
    if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
        metadata.shift_remove("resourceVersion");
    }
    (json::to_string(&value) + "\n").into_bytes()
}

/// `object` as a client that asks for protobuf gets it: a single one, a list, a Status. Where the object shows no version,
/// as in some documents of discovery, the client is told none. `nanos` knows of an object's metadata what JSON does not show.
pub(crate) fn encode_for_client(release: &Release, object: &Value, nanos: &dyn Fn(&Value) -> Nanos) -> Vec<u8> {
    let text = |member: &str| object.get(member).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    let known = if api_version.is_empty() { "v1" } else { api_version };
    let of = release.schema().kind(known, kind);
    let raw = of.map(|of| protobuf::encode(release.schema(), of, object, Audience::Client(nanos))).unwrap_or_default();
    [MAGIC, &protobuf::envelope(api_version, kind, &raw)].concat()
}

/// The object in `bytes`, which stand decrypted under the etcd key `key`, in the version that it is stored in.
///
/// It is what the bytes say; a server that reads it fills in defaults once more ([`Release::decode`]), which shows where
/// a strategy clears a status: a PersistentVolume and a claim are stored without the phase they are answered with.
///
/// Errors: the message of the 500 that the server answers.
pub fn decode(release: &Release, key: &str, bytes: &[u8]) -> Result<Object, String> {
    match bytes.strip_prefix(MAGIC) {
        Some(body) => decode_protobuf(release, key, body),
        None => decode_text(release, key, bytes).or_else(|_| {
            // Base64 is tried last, so its error is the one that is told, unless the bytes are known for JSON.
            if bytes.trim_ascii_start().starts_with(b"{") {
                return decode_text(release, key, bytes);
            }
            let inner = base64::decode(bytes)?;
            match inner.strip_prefix(MAGIC) {
                Some(body) => decode_protobuf(release, key, body),
                None => decode_text(release, key, &inner),
            }
        }),
    }
}

fn decode_protobuf(release: &Release, key: &str, body: &[u8]) -> Result<Object, String> {
    if body.is_empty() {
        return Err("empty body".to_owned());
    }
    let unknown = protobuf::unknown(Reader::new(body, 0))?;
    let raw = body.get(unknown.raw.clone()).unwrap_or_default();
    let (api_version, kind) = (unknown.api_version.as_str(), unknown.kind.as_str());
    if api_version.is_empty() || kind.is_empty() {
        // The type in the server's memory is what is left, and that one has no protobuf form.
        return Err(format!(
            "object *{} does not implement the protobuf marshalling interface and cannot be encoded to a protobuf message",
            internal_type(release, key)
        ));
    }
    let Some(of) = release.schema().kind(api_version, kind) else {
        return Err(format!("no kind \"{kind}\" is registered for version \"{api_version}\""));
    };
    let mut members = Map::new();
    protobuf::decode(release.schema(), of, Reader::new(raw, 0), "", &mut members, &mut Parts::none())?;
    object(release, api_version, kind, members)
}

/// JSON, or YAML, which the server tries where nothing says what the bytes are.
fn decode_text(release: &Release, key: &str, bytes: &[u8]) -> Result<Object, String> {
    let text = String::from_utf8_lossy(bytes);
    let value = if text.trim_start().starts_with('{') {
        json::parse(&text).map_err(|error| format!("couldn't get version/kind; json parse error: {}", error.message))?
    } else {
        yaml::parse(&text)?
    };
    let Value::Object(members) = value else {
        return Err("couldn't get version/kind; json parse error: the value is no object".to_owned());
    };
    let expected = release.stored_at(key);
    let said = |member: &str| members.get(member).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (api_version, kind) = (said("apiVersion"), said("kind").or(expected.map(|resource| resource.kind)));
    match (api_version, kind, expected) {
        (Some(api_version), Some(kind), _) => {
            let (api_version, kind) = (api_version.to_owned(), kind.to_owned());
            object(release, &api_version, &kind, members)
                .map_err(|error| release.codec_error(&api_version, &kind, &text).unwrap_or(error))
        }
        // Without a version it is the type in memory that is read, whose members have other names: nothing is found.
        (None, _, Some(expected)) => object(release, expected.api_version, expected.kind, Map::new()),
        _ => Err(format!("Object 'Kind' is missing in '{text}'")),
    }
}

fn object(release: &Release, api_version: &str, kind: &str, members: Map<String, Value>) -> Result<Object, String> {
    let nanos = |member: &str| {
        let text = members.get("metadata").and_then(|metadata| metadata.get(member)).and_then(Value::as_str);
        text.and_then(|text| time::parse(text).ok()).map_or(0, |(_, nanos)| nanos)
    };
    let (creation_nanos, deletion_nanos) = (nanos("creationTimestamp"), nanos("deletionTimestamp"));
    let value = release.canonical(api_version, kind, Value::Object(members))?;
    Ok(Object { creation_nanos, deletion_nanos, ..Object::new(value, None) })
}

/// `api.Secret`, `rbac.Role`: the Go type in which the server holds the objects under `key`.
fn internal_type(release: &Release, key: &str) -> String {
    let Some(resource) = release.stored_at(key) else { return "runtime.Unknown".to_owned() };
    let package = resource.group.split('.').next().filter(|group| !group.is_empty()).unwrap_or("api");
    format!("{package}.{}", resource.kind)
}

/// What each byte of a decrypted value is, in order; as far as it can be read.
pub fn parts(release: &Release, bytes: &[u8]) -> Vec<Part> {
    let mut parts = Parts::collect();
    let Some(body) = bytes.strip_prefix(MAGIC) else {
        let form = if bytes.trim_ascii_start().starts_with(b"{") { "JSON" } else { "not an object" };
        parts.add(0, bytes.len(), || form.to_owned());
        return parts.finish();
    };
    parts.add(0, MAGIC.len(), || "magic number of protobuf values".to_owned());
    let unknown = protobuf::unknown(Reader::new(body, 0)).unwrap_or_default();
    let of = release.schema().kind(&unknown.api_version, &unknown.kind);
    let object = |reader: Reader<'_>, parts: &mut Parts| {
        if let Some(of) = of {
            // Where reading ends early, the parts end with it.
            drop(protobuf::decode(release.schema(), of, reader, "", &mut Map::new(), parts));
        }
    };
    protobuf::unknown_parts(Reader::new(body, MAGIC.len()), object, &mut parts);
    parts.finish()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::encryption::Config;
    use crate::vectors::vectors;

    fn lines(path: &str) -> Vec<Value> {
        let text = fs::read_to_string(vectors("etcd").join(path)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn bytes(line: &Value, member: &str) -> Vec<u8> {
        base64::decode(line[member].as_str().unwrap().as_bytes()).unwrap()
    }

    fn release() -> &'static Release {
        Release::find("1.7").unwrap()
    }

    #[test]
    fn stored_bytes_give_the_object_and_the_object_the_bytes() {
        for line in lines("values.jsonl") {
            let (key, value) = (line["key"].as_str().unwrap(), bytes(&line, "value"));
            let stored = decode(release(), key, &value).unwrap();
            let texts = |bytes| parts(release(), bytes).into_iter().map(|part| part.what).collect::<Vec<_>>();
            let again = encode(release(), &stored);
            assert_eq!(texts(&again), texts(&value), "{key}");
            assert_eq!(again, value, "{key}");
            // What a GET adds: another version of the same type, the revision, the link.
            let expected = &line["object"];
            let (api_version, kind) = (expected["apiVersion"].as_str().unwrap(), expected["kind"].as_str().unwrap());
            let mut read = release().decode(api_version, kind, stored.value).unwrap();
            for member in ["selfLink", "resourceVersion"] {
                read["metadata"][member] = expected["metadata"][member].clone();
            }
            let read = release().canonical(api_version, kind, read).unwrap();
            assert_eq!(read.to_string(), expected.to_string());
        }
    }

    #[test]
    fn a_posted_object_becomes_the_stored_bytes() {
        for line in lines("values.jsonl").iter().filter(|line| line["how"] == "create") {
            let (key, value) = (line["key"].as_str().unwrap(), bytes(line, "value"));
            let stored = decode(release(), key, &value).unwrap();
            // What was answered is, apart from the link and the revision, what was written.
            let mut object = stored.clone();
            object.value = line["object"].clone();
            object.value["apiVersion"] = stored.value["apiVersion"].clone();
            object.value["metadata"].as_object_mut().unwrap().shift_remove("selfLink");
            if object.kind().starts_with("PersistentVolume") {
                object.value["status"] = json!({});
            }
            assert_eq!(encode(release(), &object), value, "{key}");
        }
    }

    #[test]
    fn a_client_gets_the_stored_bytes_with_the_revision_and_the_link() {
        let mut seen = 0;
        for line in lines("values.jsonl") {
            let (key, value) = (line["key"].as_str().unwrap(), bytes(&line, "value"));
            let stored = decode(release(), key, &value).unwrap();
            let mut object = line["object"].clone();
            // A claim is answered with a phase that is not stored.
            if object["apiVersion"] != stored.value["apiVersion"] || stored.kind().starts_with("PersistentVolume") {
                continue;
            }
            // Templates have metadata too.
            let nanos = |metadata: &Value| match metadata["uid"] == stored.uid() {
                true => Nanos::from(&stored),
                false => Nanos::default(),
            };
            let sent = encode_for_client(release(), &object, &nanos);
            let read = decode(release(), key, &sent).unwrap();
            assert_eq!(read.value, object, "{key}");
            let metadata = object["metadata"].as_object_mut().unwrap();
            metadata.shift_remove("resourceVersion");
            // An object that a patch was made of keeps the link in etcd.
            metadata["selfLink"] = stored.value["metadata"]["selfLink"].clone();
            assert_eq!(encode_for_client(release(), &object, &nanos), value, "{key}");
            seen += 1;
        }
        assert!(seen > 0);
    }

    #[test]
    fn all_that_is_served_has_a_protobuf_form() {
        for resource in release().resources() {
            let listed = resource.verbs.contains(&"list").then(|| format!("{}List", resource.kind));
            let own = [(resource.api_version(), resource.kind.to_owned())];
            let lists = listed.map(|kind| (resource.api_version(), kind));
            let inside = resource.subresources.iter().map(|inside| (inside.api_version, inside.kind.to_owned()));
            for (api_version, kind) in own.into_iter().chain(lists).chain(inside) {
                let is_stream = kind.ends_with("Options");
                assert!(is_stream || release().schema().kind(api_version, &kind).is_some(), "{api_version} {kind}");
            }
        }
        for kind in ["Status", "APIVersions", "APIGroup", "APIGroupList", "APIResourceList"] {
            assert!(release().schema().kind("v1", kind).is_some(), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_decoded_says_why() {
        let mut seen = 0;
        for line in lines("encrypted.jsonl") {
            let Some(error) = line["error"].as_str().filter(|error| !error.starts_with("Internal error occurred: "))
            else {
                continue;
            };
            let (key, value) = (line["key"].as_str().unwrap(), bytes(&line, "value"));
            let resource = release().stored_at(key).unwrap();
            let config = Config::parse(line["config"].as_str().unwrap()).unwrap();
            let plain = config.transformer(resource.group, resource.resource).read(key, &value).unwrap();
            assert_eq!(decode(release(), key, &plain.bytes).unwrap_err(), error, "{key} {:02x?}", plain.bytes);
            seen += 1;
        }
        println!("{seen} errors");
    }

    #[test]
    fn text_in_etcd_is_believed() {
        let key = "/registry/secrets/default/a";
        let rows: [(&str, Result<Value, &str>); 6] = [
            ("{}", Ok(json!(null))),
            (r#"{"data":{"a":"Yg=="}}"#, Ok(json!(null))),
            (r#"{"kind":"Secret","apiVersion":"v1","data":{"a":"Yg=="}}"#, Ok(json!({"a": "Yg=="}))),
            ("apiVersion: v1\ndata: {a: Yg==}", Ok(json!({"a": "Yg=="}))),
            ("hello", Err("illegal base64 data at input byte 4")),
            (r#"{"kind":"Nope","apiVersion":"v1"}"#, Err("no kind \"Nope\" is registered for version \"v1\"")),
        ];
        for (text, expected) in rows {
            let data = decode(release(), key, text.as_bytes()).map(|object| object.value["data"].clone());
            assert_eq!(data, expected.map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn kinds_stored_as_json_end_with_a_line_break() {
        let object = json!({"kind": "APIService", "apiVersion": "apiregistration.k8s.io/v1beta1",
            "metadata": {"name": "v1.", "resourceVersion": "5", "creationTimestamp": null}});
        let text = String::from_utf8(encode(release(), &Object::new(object, None))).unwrap();
        assert!(text.starts_with(r#"{"kind":"APIService","apiVersion":"#) && text.ends_with("}\n"), "{text}");
        assert!(!text.contains("resourceVersion"));
    }

    #[test]
    fn parts_follow_each_other_without_a_gap() {
        for line in lines("values.jsonl") {
            let value = bytes(&line, "value");
            let parts = parts(release(), &value);
            assert_eq!(parts.first().map(|part| part.from), Some(0));
            assert_eq!(parts.last().map(|part| part.to), Some(value.len()));
            assert!(parts.windows(2).all(|pair| pair[0].to == pair[1].from), "{parts:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..300), magic: bool) {
            let bytes = if magic { [MAGIC, &body].concat() } else { body };
            drop(decode(release(), "/registry/pods/a/b", &bytes));
            drop(parts(release(), &bytes));
        }

        #[test]
        fn no_change_to_a_value_panics(name in "[a-z]{0,200}", at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
            let pod = json!({"metadata": {"name": name, "labels": {"a": name}, "creationTimestamp": "2017-07-04T15:47:20Z"},
                "spec": {"initContainers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}], "containers": null,
                    "volumes": [{"name": "a", "secret": {"secretName": "b"}}], "securityContext": {"supplementalGroups": [1, 2]}}});
            let pod = release().decode("v1", "Pod", pod).unwrap();
            let mut value = encode(release(), &Object::new(pod, None));
            let index = at.index(value.len());
            value[index] = byte;
            value.truncate(cut.index(value.len() * 2).min(value.len()));
            drop(decode(release(), "/registry/pods/a/b", &value));
            drop(parts(release(), &value));
        }
    }
}
