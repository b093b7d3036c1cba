//! An exchange in one sentence, the largest thing of its view: `Denied. kube-dns may not list pods in all namespaces.`

use portcullis_core::apiserver::Exchange;
use portcullis_core::authorization::{Decision, Verdict};
use portcullis_core::manifest::{Value, json};
use portcullis_core::release::Release;
use portcullis_core::request::RequestInfo;

/// The answer as a person would give it.
pub(super) fn summary(exchange: &Exchange, release: &Release) -> String {
    let status = exchange.response.status;
    let Some(info) = &exchange.info else {
        return "Failed. The server can read no attributes from this URL.".to_owned();
    };
    let Some(identity) = &exchange.identity else {
        return if status == 401 {
            format!("Unauthorized. Nobody is known by these credentials: {}.", why(&exchange.refused))
        } else {
            format!("Failed with {status} before anybody was asked.")
        };
    };
    let who = short(&identity.user.name);
    let what = deed(info, release);
    match &exchange.decision {
        None => format!("Failed with {status} before the authorizers were asked."),
        Some(Decision { verdict: Verdict::Allow, .. }) => match exchange.admission.iter().find(|step| !step.admitted) {
            Some(refused) => format!("Refused by {}. {}", refused.plugin, sentence(&refused.message)),
            None if status < 400 => match &exchange.review {
                Some(review) => {
                    let (who, what) = (short(&review.user.name), deed(&review.request, release));
                    match review.decision.verdict {
                        Verdict::Allow => format!("Yes. {who} may {what}."),
                        _ => format!("No. {who} may not {what}."),
                    }
                }
                None => format!("Allowed. {who} may {what}."),
            },
            None => {
                let message = message(&exchange.response.body).unwrap_or_else(|| "the request failed".to_owned());
                format!("Allowed, then {status}. {who} may {what}, but {}", sentence(&message))
            }
        },
        Some(Decision { error: Some(error), .. }) => {
            format!("Failed. Whether {who} may {what} cannot be said: {}", sentence(error))
        }
        Some(_) => format!("Denied. {who} may not {what}."),
    }
}

/// Why nobody was recognised, and what helps.
fn why(refused: &[String]) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for reason in refused {
        let reason = match reason.as_str() {
            "invalid bearer token" => "the bearer token stands in no --token-auth-file, and no service account has it",
            "Token has been invalidated" => "the token's Secret is gone, and the token with it",
            other => other,
        };
        if !reasons.iter().any(|said| said == reason) {
            reasons.push(reason.to_owned());
        }
    }
    if reasons.is_empty() {
        return "there are none, and this server knows no anonymous requests".to_owned();
    }
    reasons.join("; ")
}

/// The `message` of a Status.
fn message(body: &[u8]) -> Option<String> {
    let status = json::parse(std::str::from_utf8(body).ok()?).ok()?;
    status.get("message").and_then(Value::as_str).filter(|message| !message.is_empty()).map(str::to_owned)
}

fn sentence(message: &str) -> String {
    if message.ends_with('.') { message.to_owned() } else { format!("{message}.") }
}

/// The part of a user's name that a person would say.
fn short(name: &str) -> &str {
    let account = name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    account.map(|(_, account)| account).or_else(|| name.strip_prefix("system:node:")).unwrap_or(name)
}

/// `list pods in all namespaces`, `get log of Pod cart in namespace shop`.
fn deed(info: &RequestInfo, release: &Release) -> String {
    let RequestInfo { verb, resource, subresource, name, namespace, .. } = info;
    if !info.is_resource_request {
        return format!("{verb} {}", info.path);
    }
    let known = release.resource(&info.api_group, &info.api_version, resource);
    let kind = match known {
        Some(known) => known.kind,
        None if verb == "impersonate" => resource.trim_end_matches('s'),
        None => resource,
    };
    let mut what = match (name.as_str(), subresource.as_str()) {
        ("", "") => format!("{verb} {resource}"),
        ("", subresource) => format!("{verb} {resource}/{subresource}"),
        (name, "") => format!("{verb} {kind} {name}"),
        (name, subresource) => format!("{verb} {subresource} of {kind} {name}"),
    };
    if !namespace.is_empty() && resource != "namespaces" {
        what.push_str(&format!(" in namespace {namespace}"));
    } else if known.is_some_and(|known| known.namespaced) {
        what.push_str(" in all namespaces");
    }
    what
}
