//! Reads a request's body: which encodings, which kinds, and what is said about the others.
//!
//! Behaviour: `apiserver/pkg/endpoints/handlers/negotiation/negotiate.go`, `apimachinery/pkg/runtime/serializer/{json/json,versioning/versioning}.go`,
//! `transformDecodeError` of `apiserver/pkg/endpoints/handlers/rest.go`.

use super::Call;
use crate::manifest::{Value, json, yaml};
use crate::release::Release;
use crate::request::quote;
use crate::status::Status;

/// The media type without its parameters.
pub(super) fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or("").trim()
}

impl Call<'_> {
    /// The body as JSON, or why it is none.
    fn parsed(&self) -> Result<Result<Value, String>, Status> {
        let text = String::from_utf8_lossy(self.body);
        let parsed = match media_type(self.content_type) {
            "" | "application/json" => json::parse(&text).map_err(|error| json_error(&error.message)),
            "application/yaml" => yaml::parse(&text),
            _ => return Err(Status::unsupported_media_type()),
        };
        Ok(parsed.and_then(|value| match value {
            Value::Object(_) | Value::Null => Ok(value),
            other => {
                let what = match other {
                    Value::Array(_) => "array",
                    Value::String(_) => "string",
                    Value::Bool(_) => "bool",
                    _ => "number",
                };
                let fields = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
                Err(json_error(&format!("json: cannot unmarshal {what} into Go value of type {fields}")))
            }
        }))
    }

    /// The body as an object of `api_version` and `kind`, defaulted. Another known kind of that version is read as if it were this one.
    pub(in crate::apiserver) fn decode(
        &self,
        release: &Release,
        api_version: &str,
        kind: &str,
    ) -> Result<Value, Status> {
        let value = match self.parsed()? {
            Ok(Value::Null) => Value::Object(crate::manifest::Map::new()),
            Ok(value) => value,
            Err(error) => {
                let summary = summarize(self.body);
                let message =
                    format!("the object provided is unrecognized (must be of type {kind}): {error} ({summary})");
                return Err(Status::bad_request(message));
            }
        };
        let given = |key: &str, default: &str| {
            let text = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.unwrap_or(default).to_owned()
        };
        let (own_version, own_kind) = (given("apiVersion", api_version), given("kind", kind));
        let version = own_version.rsplit('/').next().unwrap_or_default();
        let refused = |error: &str| {
            let version = quote(version);
            Status::bad_request(format!("{own_kind} in version {version} cannot be handled as a {kind}: {error}"))
        };
        if !release.knows_kind(&own_version, &own_kind) {
            let version = quote(&own_version);
            return Err(refused(&format!("no kind {} is registered for version {version}", quote(&own_kind))));
        }
        let is_yaml = media_type(self.content_type) == "application/yaml";
        let mut object = release.decode(&own_version, &own_kind, value).map_err(|error| {
            // YAML is turned into JSON first, and positions are those of that.
            let text = match self.parsed() {
                Ok(Ok(mut value)) if is_yaml => {
                    value.sort_all_objects();
                    json::to_string(&value).into()
                }
                _ => String::from_utf8_lossy(self.body),
            };
            refused(&release.codec_error(&own_version, &own_kind, &text).unwrap_or(error))
        })?;
        if own_version != api_version {
            return Err(Status::bad_request(format!(
                "the API version in the data ({own_version}) does not match the expected API version ({api_version})"
            )));
        }
        if own_kind != kind {
            if let Value::Object(map) = &mut object {
                map.insert("kind".into(), kind.into());
            }
            object = release.decode(api_version, kind, object).map_err(|error| refused(&error))?;
        }
        Ok(object)
    }

    /// The body of a deletion, `Null` where there is none.
    pub(super) fn decode_options(&self) -> Result<Value, Status> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        let value = self.parsed()?.map_err(Status::unknown)?;
        let kind = value.get("kind").and_then(Value::as_str).filter(|kind| !kind.is_empty()).unwrap_or("DeleteOptions");
        if kind != "DeleteOptions" {
            let version = value.get("apiVersion").and_then(Value::as_str).unwrap_or(self.resource.api_version());
            let text = format!("no kind {} is registered for version {}", quote(kind), quote(version));
            return Err(Status::unknown(text));
        }
        Ok(value)
    }
}

fn json_error(error: &str) -> String {
    format!("couldn't get version/kind; json parse error: {error}")
}

/// The beginning of a body: as it is where it looks like JSON, else in hexadecimal.
fn summarize(body: &[u8]) -> String {
    let (start, more) = match body.get(..30) {
        Some(start) if body.len() > 30 => (start, " ..."),
        _ => (body, ""),
    };
    match body.first() {
        None => "<empty>".into(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned() + more,
        Some(_) => start.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + more,
    }
}
