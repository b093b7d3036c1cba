//! What an audit policy says about a request that nobody sent: level, rule and stages.

use std::rc::Rc;

use portcullis_core::apiserver::Exchange;
use portcullis_core::audit::{Policy, stages};
use portcullis_core::authentication::User;
use portcullis_core::manifest::{Diagnostic, json};
use portcullis_core::release::Release;
use portcullis_core::request::{RequestInfo, Url};
use serde::Serialize;

use crate::arguments::{Argument, Arguments};
use crate::commands::Output;
use crate::later;

/// Reads a policy as the server does, `name` being its file, whose text begins on `line`; one in the form of a later release is
/// read as this one's, which is told.
///
/// # Errors
///
/// What the server would print.
fn policy(name: &str, line: u32, text: &str) -> Result<(Policy, Option<Diagnostic>), String> {
    let file = Rc::from(name);
    let (rewritten, told) = later::rewritten(Release::newest(), text, (&file, line)).unzip();
    let policy = Policy::parse(name, &file, line, rewritten.as_deref().unwrap_or(text))?;
    Ok((policy, told))
}

/// What the policy says about one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The user asked about.
    pub user: String,
    /// Method and URI.
    pub request: String,
    /// As policies compare it: `list`.
    pub verb: String,
    /// `None`, `Metadata`, `Request` or `RequestResponse`.
    pub level: &'static str,
    /// `rules[2]`; absent where no rule matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// The rule's first line in its file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The stages at which an event is made.
    pub stages: Vec<&'static str>,
}

/// An [`Answer`], or what is wrong with its line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// The line as given.
    pub asked: String,
    /// What the policy says about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Answers every line of `requests` that is neither blank nor a comment; the policy's text begins on `line`. A line of
/// `kubectl` or `curl` has an answer for each of the requests that it sends, which `send` tells, or what is wrong with it.
///
/// # Errors
///
/// What the server would print of the policy.
pub fn answers(
    text: &str,
    line: u32,
    requests: &str,
    send: &dyn Fn(&str) -> Result<Vec<Exchange>, String>,
) -> Result<Vec<Asked>, String> {
    let (policy, _) = policy("audit policy", line, text)?;
    let lines = requests.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let answers = lines.flat_map(|line| {
        let given = match line.split_whitespace().find(|word| *word != "$") {
            Some("kubectl" | "curl") => match send(line.trim_start().trim_start_matches("$ ")) {
                Ok(exchanges) => exchanges.iter().filter_map(|exchange| sent(&policy, exchange)).collect(),
                Err(error) => vec![Err(error)],
            },
            _ => vec![answer(&policy, line)],
        };
        given.into_iter().map(|answer| {
            let error = answer.as_ref().err().cloned();
            Asked { asked: line.to_owned(), answer: answer.ok(), error }
        })
    });
    Ok(answers.collect())
}

/// What the policy says of a request that was sent; `None` where nobody was recognised, and the policy is not asked.
fn sent(policy: &Policy, exchange: &Exchange) -> Option<Result<Answer, String>> {
    let identity = exchange.identity.as_ref()?;
    // It is asked before the server looks at impersonation.
    let user = identity.impersonator.as_ref().unwrap_or(&identity.user);
    Some(judge(policy, user.clone(), &exchange.request.method, &exchange.request.uri))
}

/// Answers one line: `[USER[,GROUP...]] METHOD URI`, or JSON with `user`, `groups`, `method` and `path`. Without a user it
/// is the anonymous one; everybody else is in `system:authenticated`, as the server has it.
///
/// # Errors
///
/// What is wrong with the line.
pub fn answer(policy: &Policy, line: &str) -> Result<Answer, String> {
    let (user, method, uri) = read(line)?;
    judge(policy, user, &method, &uri)
}

fn judge(policy: &Policy, user: User, method: &str, uri: &str) -> Result<Answer, String> {
    let url = Url::parse(uri).ok_or_else(|| format!("`{uri}` is no path of a request"))?;
    let info = RequestInfo::parse(method, &url)?;
    let (level, rule) = policy.level(&user, &info);
    let location = rule.map(|rule| policy.location(rule));
    Ok(Answer {
        user: user.name,
        request: format!("{method} {uri}"),
        verb: info.verb.clone(),
        level: level.name(),
        line: location.as_ref().and_then(|location| Some(location.place.as_ref()?.line)),
        rule: location.map(|location| location.path),
        stages: stages(level, &info).iter().map(|stage| stage.name()).collect(),
    })
}

/// `portcullis audit --policy FILE [REQUESTS]`: one JSON object a line, as the requests stand; they come from standard
/// input where no file is named. `open` gives a file's bytes, and standard input for `-`.
///
/// # Errors
///
/// What is wrong with the command line, or that a file is not there.
pub fn command(arguments: &[String], open: &dyn Fn(&str) -> Result<Vec<u8>, String>) -> Result<Output, String> {
    let (mut path, mut requests) = (None, None);
    let mut parts = Arguments::new(arguments);
    while let Some(part) = parts.next() {
        match part {
            Argument::Long("policy") => path = Some(parts.value().ok_or("--policy needs a value")?),
            Argument::Operand(file) if requests.is_none() => requests = Some(file),
            other => return Err(format!("{other} is too much: --policy FILE and one file of requests")),
        }
    }
    let path = path.ok_or("--policy FILE is missing")?;
    let text = |name: &str| open(name).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let (policy, told) = match policy(path, 1, &text(path)?) {
        Ok(found) => found,
        Err(error) => return Ok(Output::failure(1, &format!("loading audit policy file: {error}"))),
    };
    let requests = text(requests.unwrap_or("-"))?;
    let mut output = Output::default();
    let mut complain = |line: String| output.stderr.extend(line.into_bytes());
    let mut warnings = Vec::from_iter(told);
    warnings.extend(policy.warnings());
    for warning in warnings {
        complain(format!("{path}:{}: {}\n", warning.line, warning.message));
    }
    for (number, line) in (1..).zip(requests.lines()) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let answer = answer(&policy, line).and_then(|it| serde_json::to_string(&it).map_err(|error| error.to_string()));
        match answer {
            Ok(answer) => output.stdout.extend((answer + "\n").into_bytes()),
            Err(error) => {
                complain(format!("line {number}: {error}\n"));
                output.status = 1;
            }
        }
    }
    Ok(output)
}

fn read(line: &str) -> Result<(User, String, String), String> {
    let (name, groups, method, uri) = if line.trim_start().starts_with('{') {
        let value = json::parse(line).map_err(|error| error.message)?;
        let text = |name: &str| value.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        let groups = value.get("groups").and_then(|value| value.as_array()).into_iter().flatten();
        let groups: Vec<_> = groups.filter_map(|group| group.as_str()).map(str::to_owned).collect();
        (text("user"), groups, text("method"), text("path"))
    } else {
        let words: Vec<&str> = line.split_whitespace().collect();
        let (user, method, uri) = match words.as_slice() {
            [method, uri] => ("", *method, *uri),
            [user, method, uri] => (*user, *method, *uri),
            _ => return Err("expected `USER,GROUP... METHOD URI`".to_owned()),
        };
        let mut names = user.split(',').map(str::to_owned);
        (names.next().unwrap_or_default(), names.collect(), method.to_owned(), uri.to_owned())
    };
    if method.is_empty() || uri.is_empty() {
        return Err("a request needs a method and a path".to_owned());
    }
    let anonymous = matches!(name.as_str(), "" | "system:anonymous") && groups.is_empty();
    let (name, group) = match anonymous {
        true => ("system:anonymous".to_owned(), "system:unauthenticated"),
        false => (name, "system:authenticated"),
    };
    let mut user = User { name, groups, ..User::default() };
    if !user.groups.iter().any(|known| known == group) {
        user.groups.push(group.to_owned());
    }
    Ok((user, method, uri))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::vectors;

    #[test]
    fn a_line_gets_level_rule_and_stages() {
        let text = "rules:\n- level: Metadata\n  resources: [{group: '', resources: [secrets]}]\n- level: None\n  users: [dns]\n\
                    - level: Request\n  userGroups: [system:authenticated]\n";
        let policy = policy("p.yaml", 1, text).unwrap().0;
        for (line, expected) in [
            ("al,dev GET /api/v1/namespaces/a/secrets/s", "get Metadata rules[0] 2 RequestReceived,ResponseComplete"),
            ("dns GET /api/v1/services?watch=1", "watch None rules[1] 4 "),
            (
                r#"{"user":"al","groups":[],"method":"GET","path":"/api/v1/namespaces/a/pods/p/log","headers":{}}"#,
                "get Request rules[2] 6 RequestReceived,ResponseStarted,ResponseComplete",
            ),
            ("GET /version", "get None - 0 "),
        ] {
            let answer = answer(&policy, line).unwrap();
            let rule = answer.rule.as_deref().unwrap_or("-");
            let line_number = answer.line.unwrap_or_default();
            let text = format!("{} {} {rule} {line_number} {}", answer.verb, answer.level, answer.stages.join(","));
            assert_eq!(text, expected, "{line}");
        }
        for line in ["GET", "a b c d", "{}", "{", "al GET nowhere"] {
            assert!(answer(&policy, line).is_err(), "{line}");
        }
    }

    #[test]
    fn every_line_is_answered_or_told_what_is_wrong() {
        let policy = "rules:\n- level: Metadata\n";
        let asked = answers(policy, 11, "# whom?\n\njane GET /api/v1/pods\nnonsense\n", &|_| Ok(Vec::new())).unwrap();
        let answer = asked[0].answer.as_ref().unwrap();
        assert_eq!((answer.level, answer.line, asked[0].error.as_deref()), ("Metadata", Some(12), None));
        assert_eq!((asked[1].asked.as_str(), asked[1].error.is_some(), asked.len()), ("nonsense", true, 2));
        assert!(answers("rules: 1", 1, "", &|_| Ok(Vec::new())).unwrap_err().contains("failed decoding"));
    }

    #[test]
    fn recorded_requests_get_the_level_and_stages_of_their_events() {
        let mut checked = 0;
        for directory in std::fs::read_dir(vectors("audit")).unwrap().map(|entry| entry.unwrap().path()) {
            let number = directory.display();
            let read = |name: &str| std::fs::read_to_string(directory.join(name));
            let policy = policy("policy.yaml", 1, &read("policy.yaml").unwrap()).unwrap().0;
            let events: Vec<serde_json::Value> =
                read("events.jsonl").unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            for (index, line) in read("requests.jsonl").unwrap().lines().enumerate() {
                let answer = answer(&policy, line).unwrap();
                let id = format!("<uuid-{}>", index + 1);
                let recorded: Vec<_> = events.iter().filter(|event| event["auditID"] == id.as_str()).collect();
                let stages: Vec<_> = recorded.iter().map(|event| event["stage"].as_str().unwrap()).collect();
                assert_eq!(answer.stages, stages, "{number} {line}");
                assert!(recorded.iter().all(|event| event["level"] == answer.level), "{number} {line}");
                checked += 1;
            }
        }
        assert!(checked > 0);
    }
}
