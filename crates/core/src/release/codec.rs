//! What the codec of the API server says of JSON whose members have the wrong types, and where.
//!
//! Behaviour: `vendor/github.com/ugorji/go/codec` of release 1.7: it reads the text from first to last and stops at the
//! first byte that does not fit, whose position is counted from one.

use std::fmt::Display;

use super::Release;
use super::schema::{Field, Leaf, Schema, Shape, Type, Wrap};
use crate::manifest::{Value, base64, float, json};

impl Release {
    /// The codec's error for `text`, the JSON of an object of `kind`; `None` where the codec has nothing against it.
    pub(crate) fn codec_error(&self, api_version: &str, kind: &str, text: &str) -> Option<String> {
        let schema = self.schema();
        Reader { schema, text: text.as_bytes(), at: 0 }.members(schema.kind(api_version, kind)?).err()
    }
}

/// Reads text that is known to be JSON.
struct Reader<'a> {
    schema: &'a Schema,
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is no white space, left where it is; a zero behind the end.
    fn peek(&mut self) -> u8 {
        loop {
            match self.text.get(self.at).copied().unwrap_or(0) {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                byte => return byte,
            }
        }
    }

    /// The error after the byte at hand was read.
    fn wrong<T>(&self, what: impl Display) -> Result<T, String> {
        Err(format!("[pos {}]: {what}", self.at + 1))
    }

    fn expect(&mut self, expected: char) -> Result<(), String> {
        match char::from(self.peek()) {
            found if found == expected => Ok(()),
            found => self.wrong(format_args!("json: expect char '{expected}' but got char '{found}'")),
        }
    }

    /// The bytes of a string between its quotes.
    fn string(&mut self) -> &'a [u8] {
        let start = self.at + 1;
        let mut end = start;
        while !matches!(self.text.get(end), None | Some(b'"')) {
            end += if self.text.get(end) == Some(&b'\\') { 2 } else { 1 };
        }
        self.at = end + 1;
        self.text.get(start..end).unwrap_or_default()
    }

    /// Calls `each` before every key and every value of the list or map at hand.
    fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), String>) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.peek() {
                b']' | b'}' | 0 => break,
                b',' | b':' => self.at += 1,
                _ => each(self)?,
            }
        }
        self.at += 1;
        Ok(())
    }

    fn skip(&mut self) {
        match self.peek() {
            b'"' => drop(self.string()),
            b'{' | b'[' => drop(self.elements(|reader| {
                reader.skip();
                Ok(())
            })),
            _ => {
                self.at += 1;
                while !matches!(self.peek(), b',' | b']' | b'}' | 0) {
                    self.at += 1;
                }
            }
        }
    }

    fn members(&mut self, of: &Type) -> Result<(), String> {
        match self.peek() {
            b'{' => {}
            // A list gives the members in the order of the type. Nobody writes that.
            b'[' | b'n' => {
                self.skip();
                return Ok(());
            }
            _ => return Err("only encoded map or array can be decoded into a struct".into()),
        }
        let mut key: Option<&[u8]> = None;
        self.elements(|reader| match key.take() {
            None => {
                key = Some(reader.string());
                Ok(())
            }
            Some(key) => match reader.schema.shape(of, key) {
                Some(shape) => reader.value(shape),
                None => {
                    reader.skip();
                    Ok(())
                }
            },
        })
    }

    fn value(&mut self, shape: Shape) -> Result<(), String> {
        match (shape.wrap, self.peek()) {
            (_, b'n') => self.skip(),
            // A map is read as a list of its keys and values.
            (Wrap::List, b'[' | b'{') => return self.elements(|reader| reader.leaf(shape.leaf)),
            (Wrap::List, found) => {
                let kind = if found == b'"' { 6 } else { 0 };
                return self.wrong(format_args!("only encoded map or array can be decoded into a slice ({kind})"));
            }
            (Wrap::Map, _) => {
                self.expect('{')?;
                let mut is_value = true;
                return self.elements(|reader| {
                    is_value = !is_value;
                    if is_value { reader.leaf(shape.leaf) } else { reader.leaf(Leaf::String) }
                });
            }
            _ => return self.leaf(shape.leaf),
        }
        Ok(())
    }

    fn leaf(&mut self, leaf: Leaf) -> Result<(), String> {
        let found = self.peek();
        match leaf {
            _ if found == b'n' => self.skip(),
            Leaf::String | Leaf::Bytes => {
                self.expect('"')?;
                let start = self.at;
                self.string();
                if leaf == Leaf::String {
                    return Ok(());
                }
                let quoted = String::from_utf8_lossy(self.text.get(start..self.at).unwrap_or_default());
                if let Ok(Value::String(text)) = json::parse(&quoted)
                    && let Err(error) = base64::decode(text.as_bytes())
                {
                    self.at -= 1;
                    return self.wrong(format_args!("json: error decoding base64 binary '{text}': {error}"));
                }
            }
            Leaf::Bool if matches!(found, b't' | b'f') => self.skip(),
            Leaf::Bool => return self.wrong(format_args!("json: decode bool: got first char {}", char::from(found))),
            Leaf::Int32 | Leaf::Int64 | Leaf::Float => return self.number(leaf, found),
            Leaf::Type(at) => match self.schema.get(at) {
                Some(of) => match of.fields.as_slice() {
                    [Field { json: "=", shape, .. }] => return self.value(*shape),
                    _ => return self.members(of),
                },
                None => self.skip(),
            },
            // They read themselves, and have words of their own.
            Leaf::Quantity | Leaf::IntOrString | Leaf::Time | Leaf::Raw => self.skip(),
        }
        Ok(())
    }

    /// A number, which may stand in quotes.
    fn number(&mut self, leaf: Leaf, found: u8) -> Result<(), String> {
        let quoted = usize::from(found == b'"');
        let first = self.text.get(self.at + quoted).copied().unwrap_or(0);
        if !matches!(first, b'+' | b'-' | b'.' | b'0'..=b'9') {
            self.at += quoted;
            return self.wrong(format_args!("json: decNum: got first char '{}'", char::from(first)));
        }
        let start = self.at;
        self.skip();
        let text = self.text.get(start + quoted..self.at - quoted).unwrap_or_default();
        let number = std::str::from_utf8(text).ok().and_then(|text| float::parse(text.trim_end())).unwrap_or(0.0);
        self.at -= 1;
        match leaf {
            Leaf::Float => {}
            _ if number.fract() != 0.0 => return self.wrong("json: fractional integer"),
            Leaf::Int32 if number.abs() > f64::from(i32::MAX) => return self.wrong("json: overflow 32 bits: "),
            _ => {}
        }
        self.at += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_does_not_fit_is_named() {
        let release = Release::find("1.7").unwrap();
        let rbac = "rbac.authorization.k8s.io/v1beta1";
        let rows = [
            ("v1", "ConfigMap", r#"{"data":{"b":"2","a":"1"},"nope":[{"x":1.5}, true]}"#, None),
            ("v1", "ConfigMap", r#"{"data":{"a":1}}"#, Some("[pos 14]: json: expect char '\"' but got char '1'")),
            (
                "v1",
                "ConfigMap",
                "{\"data\":\n {\"a\" : true}}",
                Some("[pos 18]: json: expect char '\"' but got char 't'"),
            ),
            (
                "v1",
                "ConfigMap",
                r#"{"data":{"a":null,"b":{}}}"#,
                Some("[pos 23]: json: expect char '\"' but got char '{'"),
            ),
            ("v1", "ConfigMap", r#"{"data":[]}"#, Some("[pos 9]: json: expect char '{' but got char '['")),
            ("v1", "ConfigMap", r#"{"metadata":"x"}"#, Some("only encoded map or array can be decoded into a struct")),
            (
                "v1",
                "ConfigMap",
                r#"{"metadata":{"labels":{"a":"b","c":5}}}"#,
                Some("[pos 36]: json: expect char '\"' but got char '5'"),
            ),
            (
                "v1",
                "Secret",
                r#"{"data":{"a":"YQ==","b":"not base64"}}"#,
                Some("[pos 36]: json: error decoding base64 binary 'not base64': illegal base64 data at input byte 3"),
            ),
            (
                "v1",
                "Pod",
                r#"{"spec":{"containers":[{"env":[{"name":"A","value":8080}]}]}}"#,
                Some("[pos 52]: json: expect char '\"' but got char '8'"),
            ),
            ("v1", "Pod", r#"{"spec":{"hostNetwork":"yes"}}"#, Some("[pos 24]: json: decode bool: got first char \"")),
            (
                "v1",
                "Pod",
                r#"{"spec":{"containers":{"name":"a"}}}"#,
                Some("only encoded map or array can be decoded into a struct"),
            ),
            (
                "v1",
                "Pod",
                r#"{"spec":{"containers":"a"}}"#,
                Some("[pos 23]: only encoded map or array can be decoded into a slice (6)"),
            ),
            ("v1", "Service", r#"{"spec":{"ports":[{"port":"80"}]}}"#, None),
            (
                "v1",
                "Service",
                r#"{"spec":{"ports":[{"port":"a0"}]}}"#,
                Some("[pos 28]: json: decNum: got first char 'a'"),
            ),
            (
                "v1",
                "Service",
                r#"{"spec":{"ports":[{"port":true}]}}"#,
                Some("[pos 27]: json: decNum: got first char 't'"),
            ),
            ("v1", "Service", r#"{"spec":{"ports":[{"port":80.5}]}}"#, Some("[pos 30]: json: fractional integer")),
            ("v1", "Service", r#"{"spec":{"ports":[{"port":80.0}]}}"#, None),
            (
                rbac,
                "Role",
                r#"{"rules":[{"verbs":"get"}]}"#,
                Some("[pos 20]: only encoded map or array can be decoded into a slice (6)"),
            ),
            (
                rbac,
                "Role",
                r#"{"rules":[{"verbs":["get",1]}]}"#,
                Some("[pos 27]: json: expect char '\"' but got char '1'"),
            ),
        ];
        for (api_version, kind, text, expected) in rows {
            assert_eq!(release.codec_error(api_version, kind, text).as_deref(), expected, "{text}");
        }
    }
}
