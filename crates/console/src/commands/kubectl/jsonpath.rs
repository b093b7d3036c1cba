//! `-o jsonpath=`, custom columns and `--sort-by`: kubectl's own template language.
//!
//! Text outside braces is printed; inside: fields, `[*]`, indices and slices, unions, `..`, filters, `range` and `end`,
//! quoted text. Behaviour: `client-go/util/jsonpath` of release 1.7, its oddities included: `['a.b']` is two fields (a dot
//! in a key is written `\.`), a filter compares with double quotes only, `range` over nothing ends the output.

use std::borrow::Cow;

use portcullis_core::manifest::{Value, float};

use super::value::plain;

/// One value found: a part of the object, or a literal of the template.
type Item<'a> = Cow<'a, Value>;

#[derive(Clone, Debug)]
enum Node {
    List(Vec<Node>),
    Literal(Value),
    Identifier(String),
    Field(String),
    Slice([Option<i64>; 2]),
    Wildcard,
    Recursive,
    Union(Vec<Node>),
    Filter { left: Box<Node>, operator: String, right: Box<Node> },
}

/// Steps of one evaluation, so that `{......}` ends: far more than a template over real objects takes.
const MAX_STEPS: usize = 2_000_000;
/// A template is typed; each of its ranges is a level of recursion.
const MAX_TEMPLATE: usize = 8_000;

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    nodes: Vec<Node>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// kubectl's text of what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > MAX_TEMPLATE {
            return Err("template too long".to_owned());
        }
        let mut nodes = Vec::new();
        let mut rest = text;
        while let Some((before, action)) = rest.split_once('{') {
            if !before.is_empty() {
                nodes.push(Node::Literal(before.into()));
            }
            let mut parser = Parser { rest: action };
            let list = parser.action(true)?;
            nodes.push(Node::List(list));
            rest = parser.rest;
        }
        if !rest.is_empty() {
            nodes.push(Node::Literal(rest.into()));
        }
        Ok(Self { nodes })
    }

    /// What the template prints for `object`. `allow_missing` is kubectl's `--allow-missing-template-keys`.
    ///
    /// # Errors
    ///
    /// kubectl's text of what went wrong.
    pub fn print(&self, object: &Value, allow_missing: bool) -> Result<String, String> {
        let results = self.find(object, allow_missing)?;
        let join = |items: Vec<String>| items.join(" ");
        Ok(results.into_iter().map(|items| join(items.iter().map(|item| plain(item)).collect())).collect())
    }

    /// The values found, one list for each piece of the template.
    ///
    /// # Errors
    ///
    /// As [`Template::print`].
    pub fn find<'a>(&self, object: &'a Value, allow_missing: bool) -> Result<Vec<Vec<Item<'a>>>, String> {
        let mut run =
            Run { current: Vec::new(), stack: Vec::new(), begin: 0, inside: 0, end: 0, allow_missing, steps: 0 };
        run.find(Cow::Borrowed(object), &self.nodes)
    }
}

struct Parser<'t> {
    rest: &'t str,
}

fn is_terminator(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

impl<'t> Parser<'t> {
    /// Up to and without the byte `end` on this line; consumes `end`.
    fn until(&mut self, end: char, error: &str) -> Result<&'t str, String> {
        match self.rest.split_once(end) {
            Some((inside, rest)) if !inside.contains('\n') => {
                self.rest = rest;
                Ok(inside)
            }
            _ => Err(error.to_owned()),
        }
    }

    /// What stands between braces. `closed`: there must be a closing brace, which is consumed.
    fn action(&mut self, closed: bool) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix("[?(") {
                self.rest = rest;
                nodes.push(self.filter()?);
                continue;
            }
            if let Some(rest) = self.rest.strip_prefix("..") {
                self.rest = rest;
                nodes.push(Node::Recursive);
                if self.rest.starts_with(|c: char| c == '_' || c.is_alphanumeric()) {
                    nodes.push(self.field());
                }
                continue;
            }
            let Some(next) = self.rest.chars().next() else {
                return if closed { Err("unclosed action".to_owned()) } else { Ok(nodes) };
            };
            let behind = self.rest.get(next.len_utf8()..).unwrap_or("");
            match next {
                '}' => {
                    self.rest = behind;
                    return Ok(nodes);
                }
                '\r' | '\n' => return Err("unclosed action".to_owned()),
                ' ' | '@' | '$' => self.rest = behind,
                '[' => {
                    self.rest = behind;
                    self.array(&mut nodes)?;
                }
                '"' => nodes.push(self.quoted()?),
                '.' => {
                    self.rest = behind;
                    nodes.push(self.field());
                }
                '+' | '-' | '0'..='9' => nodes.push(self.number()?),
                c if c == '_' || c.is_alphanumeric() => {
                    let length = self.rest.find(is_terminator).unwrap_or(self.rest.len());
                    let (word, rest) = self.rest.split_at(length);
                    self.rest = rest;
                    nodes.push(match word {
                        "true" | "false" => Node::Literal((word == "true").into()),
                        _ => Node::Identifier(word.to_owned()),
                    });
                }
                c => return Err(format!("unrecognized character in action: U+{:04X} '{c}'", u32::from(c))),
            }
        }
    }

    /// A field's name; a backslash takes the next character as it is.
    fn field(&mut self) -> Node {
        let mut name = String::new();
        let mut characters = self.rest.char_indices();
        let mut length = self.rest.len();
        while let Some((at, c)) = characters.next() {
            if c == '\\' {
                name.extend(characters.next().map(|(_, c)| c).filter(|c| *c != '\\'));
            } else if is_terminator(c) {
                length = at;
                break;
            } else {
                name.push(c);
            }
        }
        self.rest = self.rest.get(length..).unwrap_or("");
        if name == "*" { Node::Wildcard } else { Node::Field(name) }
    }

    fn number(&mut self) -> Result<Node, String> {
        let signed = usize::from(self.rest.starts_with(['+', '-']));
        let digits = |c: char| c != '.' && !c.is_ascii_digit();
        let length =
            self.rest.get(signed..).and_then(|rest| rest.find(digits)).map_or(self.rest.len(), |at| at + signed);
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        match (text.parse::<i64>(), float::parse(text)) {
            (Ok(number), _) => Ok(Node::Literal(number.into())),
            (_, Some(number)) => Ok(Node::Literal(number.into())),
            _ => Err(format!("cannot parse number {text}")),
        }
    }

    /// Text in double quotes, as Go writes it.
    fn quoted(&mut self) -> Result<Node, String> {
        self.rest = self.rest.get(1..).unwrap_or("");
        let text = self.until('"', "unterminated quoted string")?;
        let mut out = String::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            if c != '\\' {
                out.push(c);
                continue;
            }
            out.push(match characters.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('\\') => '\\',
                Some('a') => '\u{7}',
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('v') => '\u{b}',
                Some('u') => {
                    let digits: String = characters.by_ref().take(4).collect();
                    let code = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                    code.ok_or_else(|| format!("unquote string \"{text}\" error invalid syntax"))?
                }
                _ => return Err(format!("unquote string \"{text}\" error invalid syntax")),
            });
        }
        Ok(Node::Literal(out.into()))
    }

    /// Behind `[`: an index, a slice, a key in single quotes, or several of them.
    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let text = self.until(']', "unterminated array")?;
        if text.contains(',') {
            let mut union = Vec::new();
            for piece in text.split(',') {
                let mut list = Vec::new();
                index(piece.trim_matches(' '), &mut list)?;
                union.push(Node::List(list));
            }
            nodes.push(Node::Union(union));
            return Ok(());
        }
        index(text, nodes)
    }

    /// Behind `[?(`.
    fn filter(&mut self) -> Result<Node, String> {
        let text = self.until(')', "unterminated filter")?;
        self.rest = self.rest.strip_prefix(']').ok_or("unclosed array expect ]")?;
        let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
        let list = |text: &str| Parser { rest: text }.action(false).map(Node::List).map(Box::new);
        let start = text.find(is_operator).filter(|at| *at > 0);
        let parts = start.map(|at| text.split_at(at)).and_then(|(left, behind)| {
            let length = behind.find(|c| !is_operator(c))?;
            let (operator, right) = behind.split_at(length);
            Some((left, operator, right))
        });
        Ok(match parts {
            Some((left, operator, right)) => {
                Node::Filter { left: list(left)?, operator: operator.to_owned(), right: list(right)? }
            }
            None => Node::Filter {
                left: list(text)?,
                operator: "exists".to_owned(),
                right: Box::new(Node::List(Vec::new())),
            },
        })
    }
}

/// One entry between `[` and `]`.
fn index(text: &str, nodes: &mut Vec<Node>) -> Result<(), String> {
    let text = if text == "*" { ":" } else { text };
    let quoted = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\'')).filter(|key| !key.contains('\''));
    if let Some(key) = quoted {
        nodes.extend(Parser { rest: &format!(".{key}") }.action(false)?);
        return Ok(());
    }
    let invalid = || format!("invalid array index {text}");
    let mut bounds = [None, None];
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 3 {
        return Err(invalid());
    }
    for (at, part) in parts.iter().enumerate() {
        let digits = if at < 2 { part.strip_prefix('-').unwrap_or(part) } else { part };
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        if part.is_empty() {
            continue;
        }
        let number = part.parse().map_err(|_| format!("array index {part} is not a number"))?;
        if let Some(bound) = bounds.get_mut(at) {
            *bound = Some(number);
        }
    }
    if parts.len() == 1 {
        let [start, end] = &mut bounds;
        // `[-1]` is the last element: its end would be 0.
        *end = start.map_or(Some(1), |start| Some(start + 1)).filter(|end| *end != 0);
    }
    nodes.push(Node::Slice(bounds));
    Ok(())
}

struct Run<'a> {
    current: Vec<Item<'a>>,
    stack: Vec<Vec<Item<'a>>>,
    begin: usize,
    inside: usize,
    end: usize,
    allow_missing: bool,
    steps: usize,
}

impl<'a> Run<'a> {
    fn find(&mut self, value: Item<'a>, nodes: &[Node]) -> Result<Vec<Vec<Item<'a>>>, String> {
        self.current = vec![value];
        let mut all = Vec::new();
        let mut rest = nodes;
        while let Some((node, after)) = rest.split_first() {
            rest = after;
            let input = self.current.clone();
            let results = self.walk(input, node)?;
            if self.end > 0 && self.end <= self.inside {
                self.end -= 1;
                break;
            }
            if self.begin > 0 {
                self.begin -= 1;
                self.inside += 1;
                let count = results.len();
                for (at, value) in results.into_iter().enumerate() {
                    if at + 1 == count {
                        self.inside -= 1;
                    }
                    all.extend(self.find(value, after)?);
                }
                break;
            }
            all.push(results);
        }
        Ok(all)
    }

    fn count(&mut self, steps: usize) -> Result<(), String> {
        self.steps += steps + 1;
        if self.steps > MAX_STEPS { Err("template takes too long".to_owned()) } else { Ok(()) }
    }

    fn walk(&mut self, input: Vec<Item<'a>>, node: &Node) -> Result<Vec<Item<'a>>, String> {
        self.count(input.len())?;
        match node {
            Node::List(nodes) => nodes.iter().try_fold(input, |input, node| self.walk(input, node)),
            Node::Literal(Value::String(text)) => Ok(vec![Cow::Owned(Value::String(text.clone()))]),
            Node::Literal(literal) => Ok(input.iter().map(|_| Cow::Owned(literal.clone())).collect()),
            Node::Identifier(name) => self.identifier(input, name),
            Node::Field(name) => {
                let found: Vec<Item<'a>> = input
                    .iter()
                    .filter_map(|item| match item {
                        Cow::Borrowed(value) => value.as_object()?.get(name).map(Cow::Borrowed),
                        Cow::Owned(_) => None,
                    })
                    .collect();
                if found.is_empty() && !input.is_empty() && !self.allow_missing {
                    return Err(format!("{name} is not found"));
                }
                Ok(found)
            }
            Node::Slice(bounds) => {
                let mut found = Vec::new();
                for item in input.iter().filter(|item| !item.is_null()) {
                    let elements = elements(item).ok_or_else(|| format!("{} is not array or slice", go_type(item)))?;
                    found.extend(slice(elements, bounds)?.iter().map(Cow::Borrowed));
                }
                Ok(found)
            }
            Node::Wildcard => Ok(input.iter().flat_map(children).map(Cow::Borrowed).collect()),
            Node::Recursive => {
                let mut found = Vec::new();
                self.descend(input, &mut found)?;
                Ok(found)
            }
            Node::Union(nodes) => {
                let mut found = Vec::new();
                for node in nodes {
                    found.extend(self.walk(input.clone(), node)?);
                }
                Ok(found)
            }
            Node::Filter { left, operator, right } => {
                let mut found = Vec::new();
                for item in &input {
                    let text = || format!("{} is not array or slice and cannot be filtered", plain(item));
                    for element in elements(item).ok_or_else(text)? {
                        let one = vec![Cow::Borrowed(element)];
                        let lefts = self.walk(one.clone(), left);
                        if operator == "exists" {
                            found.extend(lefts.is_ok_and(|lefts| !lefts.is_empty()).then_some(Cow::Borrowed(element)));
                            continue;
                        }
                        let (lefts, rights) = (lefts?, self.walk(one, right)?);
                        let ([left], [right]) = (lefts.as_slice(), rights.as_slice()) else {
                            return Err("can only compare one element at a time".to_owned());
                        };
                        if compare(left, operator, right)? {
                            found.push(Cow::Borrowed(element));
                        }
                    }
                }
                Ok(found)
            }
        }
    }

    fn identifier(&mut self, input: Vec<Item<'a>>, name: &str) -> Result<Vec<Item<'a>>, String> {
        match name {
            "range" => {
                self.stack.push(self.current.clone());
                self.begin += 1;
                Ok(input)
            }
            "end" if self.end < self.inside => {
                self.end += 1;
                Ok(Vec::new())
            }
            "end" => {
                self.current = self.stack.pop().ok_or("not in range, nothing to end")?;
                Ok(Vec::new())
            }
            _ => Err(format!("unrecognized identifier {name}")),
        }
    }

    fn descend(&mut self, input: Vec<Item<'a>>, found: &mut Vec<Item<'a>>) -> Result<(), String> {
        for item in input {
            let below: Vec<Item<'a>> = children(&item).into_iter().map(Cow::Borrowed).collect();
            self.count(below.len())?;
            // Text is a list of bytes to Go, so it has something below it.
            if !below.is_empty() || item.as_str().is_some_and(|text| !text.is_empty()) {
                found.push(item);
                self.descend(below, found)?;
            }
        }
        Ok(())
    }
}

fn elements<'a>(item: &Item<'a>) -> Option<&'a [Value]> {
    match item {
        Cow::Borrowed(Value::Array(elements)) => Some(elements),
        _ => None,
    }
}

fn children<'a>(item: &Item<'a>) -> Vec<&'a Value> {
    match item {
        Cow::Borrowed(Value::Array(elements)) => elements.iter().collect(),
        Cow::Borrowed(Value::Object(map)) => map.values().collect(),
        _ => Vec::new(),
    }
}

fn slice<'a>(elements: &'a [Value], bounds: &[Option<i64>; 2]) -> Result<&'a [Value], String> {
    let length = elements.len() as i64;
    let [start, end] = bounds;
    let from_end = |bound: i64| if bound < 0 { bound + length } else { bound };
    let start = from_end(start.unwrap_or(0));
    let end = from_end(end.unwrap_or(length));
    if start == end {
        return Ok(&[]);
    }
    let wrong = |index: i64| format!("array index out of bounds: index {index}, length {length}");
    if start >= length || start < 0 {
        return Err(wrong(start));
    }
    if end > length {
        return Err(wrong(end - 1));
    }
    elements.get(start as usize..end.max(0) as usize).ok_or_else(|| wrong(end - 1))
}

/// How Go names the type of a decoded JSON value.
pub fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn compare(left: &Value, operator: &str, right: &Value) -> Result<bool, String> {
    use std::cmp::Ordering;
    let order = match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            (None, None) => left.as_f64().and_then(|left| left.partial_cmp(&right.as_f64()?)),
            _ => None,
        },
        (Value::Bool(left), Value::Bool(right)) if matches!(operator, "==" | "!=") => Some(left.cmp(right)),
        (Value::Bool(_), Value::Bool(_)) => return Err("invalid type for comparison".to_owned()),
        _ => None,
    };
    let order = order.ok_or("incompatible types for comparison")?;
    match operator {
        "==" => Ok(order == Ordering::Equal),
        "!=" => Ok(order != Ordering::Equal),
        "<" => Ok(order == Ordering::Less),
        "<=" => Ok(order != Ordering::Greater),
        ">" => Ok(order == Ordering::Greater),
        ">=" => Ok(order != Ordering::Less),
        _ => Err(format!("unrecognized filter operator {operator}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object() -> Value {
        json!({
            "kind": "List",
            "items": [
                {"metadata": {"name": "a", "labels": {"k8s.io/x": "1"}}, "n": 1, "on": true, "l": [1, 2, 3]},
                {"metadata": {"name": "b"}, "n": 5, "on": false, "l": []},
            ],
        })
    }

    #[test]
    fn templates_print_as_kubectls() {
        let table = [
            ("{.kind}", "List"),
            ("{$.kind}", "List"),
            (".kind", ".kind"),
            ("{.items[0].metadata.name}", "a"),
            ("{.items[-1].metadata.name}", "b"),
            ("{.items[-1:].metadata.name}", "b"),
            ("{.items[*].metadata.name}", "a b"),
            ("{.items[0:1].metadata.name}", "a"),
            ("{.items[0].l[1:]}", "2 3"),
            ("{.items[0].l}", "[1 2 3]"),
            ("{.items[0].metadata.labels}", "map[k8s.io/x:1]"),
            ("{.items[0].metadata.labels.k8s\\.io/x}", "1"),
            ("{.items[0].metadata.labels['k8s\\.io/x']}", "1"),
            ("{.items[*]['metadata.name', 'n']}", "a b 1 5"),
            ("{..name}", "a b"),
            ("{.items[?(@.n>3)].metadata.name}", "b"),
            ("{.items[?(@.metadata.name==\"a\")].n}", "1"),
            ("{.items[?(@.metadata.labels)].metadata.name}", "a"),
            ("{.items[?(@.on==true)].n}", "1"),
            ("{range .items[*]}{.metadata.name}{\"\\t\"}{.n}{\"\\n\"}{end}", "a\t1\nb\t5\n"),
            ("{range .items[*]}[{.metadata.name}]{end} {.kind}", "[a][b] List"),
            // A range within a range takes the outer one's end for its own.
            ("{range .items[*]}{range .l[*]}{@},{end};{end}", "1,2,3,"),
            ("{.items[0].metadata..}", "map[labels:map[k8s.io/x:1] name:a] a map[k8s.io/x:1] 1"),
            ("{.items[*].n} {.kind}", "1 5 List"),
            ("{.nothing}", ""),
            ("{.nothing.below}", ""),
            ("x{.kind}y", "xListy"),
        ];
        for (template, expected) in table {
            let got = Template::parse(template).and_then(|template| template.print(&object(), true));
            assert_eq!(got.as_deref(), Ok(expected), "{template}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_kubectls_words() {
        let table = [
            ("{.a", "unclosed action"),
            ("{.items[}", "unterminated array"),
            ("{.items[x]}", "invalid array index x"),
            ("{.items[7]}", "array index out of bounds: index 7, length 2"),
            ("{.kind[0]}", "string is not array or slice"),
            ("{.items[?(@.n=='a')]}", "unrecognized character in action: U+0027 '''"),
            ("{.items[?(@.n==\"a\")]}", "incompatible types for comparison"),
            ("{.items[?(@.n>1]}", "unterminated filter"),
            ("{\"a}", "unterminated quoted string"),
            ("{end}", "not in range, nothing to end"),
            ("{foo}", "unrecognized identifier foo"),
            ("{.nothing}", "nothing is not found"),
        ];
        for (template, expected) in table {
            let got = Template::parse(template).and_then(|template| template.print(&object(), false));
            assert_eq!(got, Err(expected.to_owned()), "{template}");
        }
    }

    #[test]
    fn no_template_hangs() {
        let deep = (0..100).fold(json!(1), |inside, _| json!({ "a": [inside.clone(), 1] }));
        for template in ["{............}", &format!("{{range ..}}{}{{end}}", "{range ..}".repeat(30))] {
            let got = Template::parse(template).and_then(|template| template.print(&deep, true));
            assert_eq!(got, Err("template takes too long".to_owned()));
        }
    }
}
