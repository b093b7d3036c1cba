//! From method and URL to the attributes of a request.

use super::{RequestInfo, Url};

impl RequestInfo {
    /// Reads what a request is about. No group, version or resource has to exist for that.
    ///
    /// Fails where `proxy`, `redirect` or `watch` stands alone behind the version; the message is the server's.
    pub fn parse(method: &str, url: &Url) -> Result<Self, String> {
        let mut info = Self { path: url.path.clone(), verb: method.to_ascii_lowercase(), ..Self::default() };
        let parts: Vec<&str> = url.path.trim_matches('/').split('/').collect();
        let rest = match parts.as_slice() {
            ["api", version, rest @ ..] if !rest.is_empty() => {
                info.api_version = (*version).to_owned();
                rest
            }
            ["apis", group, version, rest @ ..] if !rest.is_empty() => {
                info.api_group = (*group).to_owned();
                info.api_version = (*version).to_owned();
                rest
            }
            _ => return Ok(info),
        };
        info.is_resource_request = true;

        let rest = match rest {
            ["proxy" | "redirect" | "watch"] => {
                return Err(format!("unable to determine kind and namespace from url, {url}"));
            }
            [verb @ ("proxy" | "redirect" | "watch"), rest @ ..] => {
                info.verb = (*verb).to_owned();
                rest
            }
            _ => {
                info.verb = match method {
                    "POST" => "create",
                    "GET" | "HEAD" => "get",
                    "PUT" => "update",
                    "PATCH" => "patch",
                    "DELETE" => "delete",
                    _ => "",
                }
                .to_owned();
                rest
            }
        };

        let rest = match rest {
            ["namespaces", namespace, inside @ ..] => {
                info.namespace = (*namespace).to_owned();
                match inside {
                    // A namespace is in itself.
                    [] | ["status" | "finalize", ..] => rest,
                    _ => inside,
                }
            }
            _ => rest,
        };

        let mut parts = rest.iter().map(|part| (*part).to_owned());
        info.resource = parts.next().unwrap_or_default();
        info.name = parts.next().unwrap_or_default();
        if !matches!(info.verb.as_str(), "proxy" | "redirect") {
            info.subresource = parts.next().unwrap_or_default();
        }

        match info.verb.as_str() {
            "get" if info.name.is_empty() => {
                info.verb = match url.parameter("watch").to_ascii_lowercase().as_str() {
                    "" | "0" | "false" => "list",
                    _ => "watch",
                }
                .to_owned();
            }
            "delete" if info.name.is_empty() => info.verb = "deletecollection".to_owned(),
            _ => {}
        }
        Ok(info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `verb group resource/subresource namespace name`, or `verb` alone for what is no resource request.
    fn read(request: &str) -> String {
        let (method, uri) = request.split_once(' ').unwrap();
        match RequestInfo::parse(method, &Url::parse(uri).unwrap()) {
            Ok(info) if !info.is_resource_request => format!("{} {}", info.verb, info.path),
            Ok(info) => format!(
                "{} {}|{}|{}/{}|{}|{}",
                info.verb, info.api_group, info.api_version, info.resource, info.subresource, info.namespace, info.name
            ),
            Err(message) => message,
        }
    }

    #[test]
    fn reads_requests_as_the_server_does() {
        for (request, expected) in [
            ("GET /", "get /"),
            ("GET /api/v1", "get /api/v1"),
            ("GET /apis/g/v", "get /apis/g/v"),
            ("GET /API/v1/pods", "get /API/v1/pods"),
            ("OPTIONS /healthz/x", "options /healthz/x"),
            ("GET //api/v1/pods", "list |v1|pods/||"),
            ("GET /api//v1/pods", "get ||v1/||pods"),
            ("GET /api/v1//pods", "get |v1|/||pods"),
            ("GET /api/v1/pods/", "list |v1|pods/||"),
            ("OPTIONS /api/v1/pods", " |v1|pods/||"),
            ("DELETE /api/v1/pods", "deletecollection |v1|pods/||"),
            ("HEAD /api/v1/pods/p", "get |v1|pods/||p"),
            ("GET /api/v1/namespaces", "list |v1|namespaces/||"),
            ("GET /api/v1/namespaces/a", "get |v1|namespaces/|a|a"),
            ("GET /api/v1/namespaces/a/status", "get |v1|namespaces/status|a|a"),
            ("PUT /api/v1/namespaces/a/finalize", "update |v1|namespaces/finalize|a|a"),
            ("GET /api/v1/namespaces//pods", "list |v1|pods/||"),
            ("GET /api/v1/namespaces/a/pods/p/proxy/x/y", "get |v1|pods/proxy|a|p"),
            ("GET /api/v1/watch/namespaces/a/pods/p", "watch |v1|pods/|a|p"),
            ("GET /api/v1/watch/namespaces/a", "watch |v1|namespaces/|a|a"),
            ("DELETE /api/v1/watch/pods/p/status", "watch |v1|pods/status||p"),
            ("POST /api/v1/proxy/nodes/n/stats", "proxy |v1|nodes/||n"),
            ("GET /apis/apps/v1beta1/namespaces/n/deployments/d/scale", "get apps|v1beta1|deployments/scale|n|d"),
            ("GET /apis/apps/watch/x", "list apps|watch|x/||"),
            ("GET /api/v1/namespaces/a/secrets/my%2Fsecret", "get |v1|secrets/secret|a|my"),
            ("GET /api/v1/pods?watch", "list |v1|pods/||"),
            ("GET /api/v1/pods?watch=FALSE", "list |v1|pods/||"),
            ("GET /api/v1/pods?watch=foo", "watch |v1|pods/||"),
            ("GET /api/v1/pods?watch=0&watch=1", "list |v1|pods/||"),
            ("GET /api/v1/namespaces/a/pods/p?watch=true", "get |v1|pods/|a|p"),
            ("GET /api/v1/pods?fieldSelector=metadata.name%3Dx", "list |v1|pods/||"),
            ("GET /api/v1/watch", "unable to determine kind and namespace from url, /api/v1/watch"),
            ("GET /apis/g/v/proxy/?a", "unable to determine kind and namespace from url, /apis/g/v/proxy/?a"),
        ] {
            assert_eq!(read(request), expected, "{request}");
        }
    }
}
