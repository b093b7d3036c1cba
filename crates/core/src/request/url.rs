//! A request's URI as Go's `net/http` and `net/url` read it.

use std::fmt;

/// A parsed request URI.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// The path with escapes undone. Bytes that are no UTF-8 become U+FFFD.
    pub path: String,
    /// Name and value pairs behind the `?` in order, escapes undone, broken pairs left out.
    pub query: Vec<(String, String)>,
    raw_path: String,
    raw_query: Option<String>,
}

impl Url {
    /// Parses the URI of a request line. Go's server answers a `None` with 400 before Kubernetes sees the request.
    pub fn parse(uri: &str) -> Option<Self> {
        if uri.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
            return None;
        }
        // An absolute URI is allowed on a request line; the API server does not look at its host.
        let uri = match uri.split_once("://") {
            Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or("/")
            }
            _ if uri.starts_with('/') => uri,
            _ => return None,
        };
        let (raw_path, raw_query) = match uri.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (uri, None),
        };
        let path = unescape(raw_path, false)?;
        let query = raw_query.as_deref().map(parse_query).unwrap_or_default();
        Some(Self { path, query, raw_path: raw_path.to_owned(), raw_query })
    }

    /// The first value of the query parameter `name`, or `""`: `url.Values.Get`.
    pub fn parameter(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// Go's `URL.String()`: the path is printed as it was sent where it could be, and escaped otherwise.
impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.raw_path.bytes().all(|byte| byte == b'%' || is_valid_in_path(byte) || matches!(byte, b'[' | b']')) {
            out.write_str(&self.raw_path)?;
        } else {
            for byte in self.path.bytes() {
                match byte {
                    _ if is_valid_in_path(byte) && !matches!(byte, b'!' | b'\'' | b'(' | b')' | b'*') => {
                        write!(out, "{}", char::from(byte))?;
                    }
                    _ => write!(out, "%{byte:02X}")?,
                }
            }
        }
        match &self.raw_query {
            Some(query) => write!(out, "?{query}"),
            None => Ok(()),
        }
    }
}

fn is_valid_in_path(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@!'()*".contains(&byte)
}

/// Go's `url.ParseQuery`, which leaves out what it cannot read.
fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';'))
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((unescape(name, true)?, unescape(value, true)?))
        })
        .collect()
}

/// Undoes percent-encoding; `None` where a `%` has no two hexadecimal digits behind it.
fn unescape(text: &str, plus_is_space: bool) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            byte => byte,
        });
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_and_prints_them_as_go_does() {
        for (uri, path, printed) in [
            ("/api/v1/watch", "/api/v1/watch", "/api/v1/watch"),
            ("//api", "//api", "//api"),
            ("/a%2Fb%20c", "/a/b c", "/a%2Fb%20c"),
            ("/<&>", "/<&>", "/%3C&%3E"),
            ("/a?b=c&d", "/a", "/a?b=c&d"),
            ("/a?", "/a", "/a?"),
            ("/é(x)", "/é(x)", "/%C3%A9%28x%29"),
            ("https://host:6443/api?x", "/api", "/api?x"),
        ] {
            let url = Url::parse(uri).unwrap();
            assert_eq!((url.path.as_str(), url.to_string().as_str()), (path, printed), "{uri}");
        }
    }

    #[test]
    fn refuses_what_go_refuses() {
        for uri in ["", "api", "/%zz", "/%4", "/a\nb", "/\x7f"] {
            assert_eq!(Url::parse(uri), None, "{uri:?}");
        }
    }

    #[test]
    fn reads_queries() {
        let url = Url::parse("/?a=1&b=x+y%21&a=2&bad=%zz&c&d;e=1").unwrap();
        let pairs: Vec<_> = url.query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("a", "1"), ("b", "x y!"), ("a", "2"), ("c", "")]);
        assert_eq!((url.parameter("a"), url.parameter("z")), ("1", ""));
    }
}
