//! What names, labels and keys may look like. Each function gives the reasons against a text, in the server's words; none is good.
//!
//! Behaviour: `apimachinery/pkg/util/validation/validation.go`, `apimachinery/pkg/api/validation/{generic,path/name}.go`.

/// How a kind's names are validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// DNS-1123 subdomain: most kinds.
    Subdomain,
    /// DNS-1123 label: namespaces.
    Label,
    /// DNS-1035 label: services.
    Label1035,
    /// Whatever fits into a path: RBAC.
    Path,
}

/// The reasons against `name` under `rule`; `prefix` where more will be appended to it.
pub fn check(rule: Rule, name: &str, prefix: bool) -> Vec<String> {
    if rule == Rule::Path {
        return path_segment(name, prefix);
    }
    // A trailing dash is masked together with the character before it, as the original has it.
    let masked = match name.strip_suffix('-') {
        Some(rest) if prefix => {
            let kept = rest.char_indices().last().map_or(0, |(at, _)| at);
            Some(format!("{}a", rest.get(..kept).unwrap_or_default()))
        }
        _ => None,
    };
    let name = masked.as_deref().unwrap_or(name);
    match rule {
        Rule::Label => label(name),
        Rule::Label1035 => label_1035(name),
        _ => subdomain(name),
    }
}

/// A segment of a URL path.
pub fn path_segment(name: &str, prefix: bool) -> Vec<String> {
    if !prefix && matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"].into_iter().filter(|part| name.contains(part)).map(|part| format!("may not contain '{part}'")).collect()
}

/// DNS-1123 subdomain.
pub fn subdomain(text: &str) -> Vec<String> {
    let shape = text.split('.').all(is_label);
    reasons(text, 253, shape, SUBDOMAIN)
}

/// DNS-1123 label.
pub fn label(text: &str) -> Vec<String> {
    reasons(text, 63, is_label(text), LABEL)
}

/// DNS-1035 label.
pub fn label_1035(text: &str) -> Vec<String> {
    let shape = is_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase());
    reasons(text, 63, shape, LABEL_1035)
}

/// A label's value.
pub fn label_value(text: &str) -> Vec<String> {
    reasons(text, 63, text.is_empty() || is_name_part(text), LABEL_VALUE)
}

/// A label's or annotation's key: a name, or a subdomain and a name.
pub fn qualified(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>().as_slice() {
        [name] => *name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else {
                wrong.extend(subdomain(prefix).into_iter().map(|reason| format!("prefix part {reason}")));
            }
            *name
        }
        _ => {
            let example = "with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')";
            return vec![format!("a qualified name {QUALIFIED_NAME} {example}")];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".into());
    } else if name.len() > 63 {
        wrong.push("name part must be no more than 63 characters".into());
    }
    if !is_name_part(name) {
        wrong.push(format!("name part {QUALIFIED_NAME}"));
    }
    wrong
}

/// A key in a ConfigMap's or Secret's data.
pub fn config_key(text: &str) -> Vec<String> {
    let shape = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    let mut wrong = reasons(text, 253, shape, CONFIG_KEY);
    if matches!(text, "." | "..") {
        wrong.push(format!("must not be '{text}'"));
    } else if text.starts_with("..") {
        wrong.push("must not start with '..'".into());
    }
    wrong
}

/// The name of a container's environment variable.
pub fn c_identifier(text: &str) -> Vec<String> {
    let shape = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    reasons(text, usize::MAX, shape, C_IDENTIFIER)
}

/// The name of a port.
pub fn port(text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |bad: bool, reason: &str| {
        if bad {
            wrong.push(reason.to_owned());
        }
    };
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    check(text.len() > 15, "must be no more than 15 characters");
    check(
        text.is_empty() || !text.chars().all(known),
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    );
    check(!text.contains(|c: char| c.is_ascii_lowercase()), "must contain at least one letter or number (a-z, 0-9)");
    check(text.contains("--"), "must not contain consecutive hyphens");
    check(text.starts_with('-') || text.ends_with('-'), "must not begin or end with a hyphen");
    wrong
}

fn reasons(text: &str, limit: usize, shape: bool, reason: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if text.len() > limit {
        wrong.push(format!("must be no more than {limit} characters"));
    }
    if !shape {
        wrong.push(reason.to_owned());
    }
    wrong
}

fn is_label(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || c == '-')
}

fn is_name_part(text: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    text.starts_with(edge) && text.ends_with(edge) && text.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

const SUBDOMAIN: &str = "a DNS-1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a DNS-1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED_NAME: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const CONFIG_KEY: &str = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";
const C_IDENTIFIER: &str = "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_good_or_say_why_not() {
        type Check = fn(&str) -> Vec<String>;
        let long = "a".repeat(64);
        let table: &[(Check, &str, &[&str])] = &[
            (subdomain, "a.b-c.d", &[]),
            (subdomain, "a..b", &[SUBDOMAIN]),
            (subdomain, "node-A", &[SUBDOMAIN]),
            (label, "a.b", &[LABEL]),
            (label, &long, &["must be no more than 63 characters"]),
            (label_1035, "1a", &[LABEL_1035]),
            (label_value, "", &[]),
            (label_value, "_a", &[LABEL_VALUE]),
            (qualified, "example.com/My.Name", &[]),
            (qualified, "/x", &["prefix part must be non-empty"]),
            (config_key, "..a", &["must not start with '..'"]),
            (config_key, "a/b", &[CONFIG_KEY]),
            (c_identifier, "A_1", &[]),
            (c_identifier, "1", &[C_IDENTIFIER]),
            (port, "http", &[]),
            (
                port,
                "1-",
                &["must contain at least one letter or number (a-z, 0-9)", "must not begin or end with a hyphen"],
            ),
        ];
        for (check, text, wrong) in table {
            assert_eq!(check(text), *wrong, "{text}");
        }
        assert!(check(Rule::Subdomain, "gen-", true).is_empty());
        assert_eq!(check(Rule::Path, "..", false), ["may not be '..'"]);
        assert_eq!(check(Rule::Path, "a/b%", false), ["may not contain '/'", "may not contain '%'"]);
    }
}
