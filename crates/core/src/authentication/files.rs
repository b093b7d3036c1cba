//! Users from files: `--token-auth-file` and `--basic-auth-file`.
//!
//! Behaviour: `apiserver/pkg/authentication/token/tokenfile`, `apiserver/plugin/pkg/authenticator/password/passwordfile`,
//! and Go's `encoding/csv`, which reads both.

use super::User;
use crate::sort::SortedMap;

/// `token,user,uid[,"group1,group2"]` per line: users by token, the last line of a token counts. Fails as the server's start does.
pub(super) fn tokens(path: &str, text: &str) -> Result<SortedMap<String, User>, String> {
    users(text)
        .map(|user| {
            user?.map_err(|columns| {
                format!(
                    "token file '{path}' must have at least 3 columns (token, user name, user uid), found {columns}"
                )
            })
        })
        .collect()
}

/// `password,user,uid[,"group1,group2"]` per line: password and user by user name. Fails as the server's start does.
pub(super) fn passwords(path: &str, text: &str) -> Result<SortedMap<String, (String, User)>, String> {
    users(text)
        .map(|user| match user? {
            Ok((password, user)) => Ok((user.name.clone(), (password, user))),
            Err(columns) => Err(format!(
                "password file '{path}' must have at least 3 columns (password, user name, user uid), found {columns}"
            )),
        })
        .collect()
}

/// The secret of each record with its user, or the number of columns where these are too few.
fn users(text: &str) -> impl Iterator<Item = Result<Result<(String, User), usize>, String>> {
    records(&text.replace("\r\n", "\n")).into_iter().map(|record| {
        record.map(|record| match record.as_slice() {
            [secret, name, uid, rest @ ..] => {
                let groups = rest.first().map(|groups| groups.split(',').map(str::to_owned).collect());
                let (name, uid) = (name.clone(), uid.clone());
                Ok((secret.clone(), User { name, uid, groups: groups.unwrap_or_default(), extra: Vec::new() }))
            }
            record => Err(record.len()),
        })
    })
}

/// The records of a CSV text, up to the first error.
fn records(text: &str) -> Vec<Result<Vec<String>, String>> {
    let mut records = Vec::new();
    let mut cursor = Cursor { rest: text, start: 1, line: 1, column: 1 };
    loop {
        while cursor.skip("\n") {}
        if cursor.rest.is_empty() {
            return records;
        }
        (cursor.start, cursor.column) = (cursor.line, 1);
        let record = cursor.record();
        let failed = record.is_err();
        records.push(record);
        if failed {
            return records;
        }
    }
}

struct Cursor<'a> {
    rest: &'a str,
    start: usize,
    line: usize,
    column: usize,
}

impl Cursor<'_> {
    fn record(&mut self) -> Result<Vec<String>, String> {
        let mut record = Vec::new();
        loop {
            let field = if self.skip("\"") { self.quoted()? } else { self.bare()? };
            record.push(field);
            if !self.skip(",") {
                self.skip("\n");
                return Ok(record);
            }
        }
    }

    fn bare(&mut self) -> Result<String, String> {
        let field = self.rest.split([',', '\n']).next().unwrap_or_default();
        if let Some(at) = field.find('"') {
            self.column += at;
            return Err(self.error("bare \" in non-quoted-field"));
        }
        self.skip(field);
        Ok(field.to_owned())
    }

    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            let part = self.rest.split('"').next().unwrap_or_default();
            self.skip(part);
            text.push_str(part);
            let before_quote = self.column;
            if !self.skip("\"") {
                return Err(self.error("extraneous or missing \" in quoted-field"));
            }
            if self.skip("\"") {
                text.push('"');
            } else if self.rest.is_empty() || self.rest.starts_with([',', '\n']) {
                return Ok(text);
            } else {
                self.column = before_quote;
                return Err(self.error("extraneous or missing \" in quoted-field"));
            }
        }
    }

    /// Steps over `text`, if it comes next. The position stays behind a last line break, as Go's does.
    fn skip(&mut self, text: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(text) else { return false };
        self.rest = rest;
        for line in text.split_inclusive('\n') {
            self.column += line.len();
            if line.ends_with('\n') && !(rest.is_empty() && text.ends_with(line)) {
                (self.line, self.column) = (self.line + 1, 1);
            }
        }
        true
    }

    fn error(&self, what: &str) -> String {
        let place = format!("parse error on line {}, column {}: {what}", self.line, self.column);
        if self.start == self.line { place } else { format!("record on line {}; {place}", self.start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tokens() {
        let users = tokens("t", "\nt1,alice,u1,\"dev,x\"\r\n\nt2, bob ,,g,more\nt1,carol,u3").unwrap();
        let user =
            |token: &str| users.get(token).map(|user| (user.name.as_str(), user.uid.as_str(), user.groups.join("|")));
        assert_eq!(user("t1"), Some(("carol", "u3", String::new())));
        assert_eq!(user("t2"), Some((" bob ", "", "g".to_owned())));
        let users = passwords("p", "pw,\"bo\"\"b\",77,\"g1,g2\"").unwrap();
        let (password, user) = users.get("bo\"b").unwrap();
        assert_eq!((password.as_str(), user.groups.join("|")), ("pw", "g1|g2".to_owned()));
    }

    #[test]
    fn fails_as_the_start_of_the_server_does() {
        for (text, message) in [
            ("t,alice\n", "token file 'f' must have at least 3 columns (token, user name, user uid), found 2"),
            ("t,a,u\nt2\n\"", "token file 'f' must have at least 3 columns (token, user name, user uid), found 1"),
            ("t,a\"b,u", "parse error on line 1, column 4: bare \" in non-quoted-field"),
            ("\na,b,c\nt,\"a\"b,u", "parse error on line 3, column 5: extraneous or missing \" in quoted-field"),
            ("\"abc\n", "parse error on line 1, column 6: extraneous or missing \" in quoted-field"),
            ("a,\"b\nc", "record on line 1; parse error on line 2, column 2: extraneous or missing \" in quoted-field"),
        ] {
            assert_eq!(tokens("f", text).unwrap_err(), message, "{text:?}");
        }
    }
}
