//! Configuration files in the form of later releases, in that of this one, as objects of other versions are read too: what
//! changed most often is the name of the form. A server that is told to read such a file by a flag refuses it all the same.

use std::rc::Rc;

use portcullis_core::manifest::{Diagnostic, Severity, Value, yaml};
use portcullis_core::release::Release;

/// `text`, which begins on `line` of `file`, in the form of the release, every line where it was; and what is to be said of that.
/// `None` where the release has the form, or none of the kind.
pub(crate) fn rewritten(release: &Release, text: &str, (file, line): (&Rc<str>, u32)) -> Option<(String, Diagnostic)> {
    rewritten_as(release, &yaml::parse(text).ok()?, text, (file, line))
}

/// The same of a text that is known to say `value`.
pub(crate) fn rewritten_as(
    release: &Release,
    value: &Value,
    text: &str,
    (file, line): (&Rc<str>, u32),
) -> Option<(String, Diagnostic)> {
    let word = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (word("apiVersion"), word("kind"));
    let served = || Some(("apiVersion", release.served_instead(api_version, kind)?));
    let (member, instead) = release.configuration_instead(api_version, kind).or_else(served)?;
    let given = word(member);
    let lines = || text.split_inclusive('\n');
    let at = lines().position(|line| line.contains(member) && line.contains(given))?;
    let of = |(number, line): (usize, &str)| {
        if number == at { line.replacen(given, instead, 1) } else { line.to_owned() }
    };
    let version = release.version();
    let message = format!("Kubernetes {version} has no {given}. It is read as {instead} instead.");
    let line = line + at as u32;
    let told = Diagnostic { severity: Severity::Warning, file: file.clone(), line, column: 0, message };
    Some((lines().enumerate().map(of).collect(), told))
}
