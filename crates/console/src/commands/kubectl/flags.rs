//! The command line: which command, which flags, which arguments.
//!
//! Flags may stand anywhere and in every form that cobra takes: `-n x`, `-nx`, `-n=x`, `--namespace x`, `--namespace=x`;
//! `--` ends them. Behaviour and texts: `spf13/pflag`. The usage of the command, which cobra prints behind a mistake, is left out.

use portcullis_core::request::quote;

/// Flags that every command takes, in the form of [`Command::flags`].
const GLOBAL: &str = "namespace|n:s as:s as-group:a token:s request-timeout:s insecure-skip-tls-verify:b v|v:s \
    logtostderr:b alsologtostderr:b match-server-version:b cache-dir:s \
    kubeconfig:u context:u cluster:u user:u server|s:u username:u password:u certificate-authority:u \
    client-certificate:u client-key:u";

/// A command: its words, its flags, what it does.
pub struct Command<F> {
    /// `create secret generic`; `create configmap|cm` where a word has a shorter one.
    pub words: &'static str,
    /// `NAME[|SHORTHAND]:KIND` each. Kinds: `b` boolean, `s` text (the last one counts), `a` one value each time it is
    /// given, `l` the same and each split at commas, `u` known to kubectl and not supported here.
    pub flags: &'static [&'static str],
    /// Its program.
    pub run: F,
}

impl<F> Command<F> {
    /// Its words, as kubectl itself calls it.
    pub fn name(&self) -> String {
        let words = self.words.split(' ').filter_map(|word| word.split('|').next());
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A command line taken apart.
#[derive(Debug, Default)]
pub struct Flags {
    values: Vec<(&'static str, String)>,
    /// What is no flag, without the command's words.
    pub arguments: Vec<String>,
    /// How many arguments stand before `--`.
    pub dash: Option<usize>,
}

impl Flags {
    /// The last value given, or `""`.
    pub fn text(&self, name: &str) -> &str {
        self.values.iter().rfind(|(key, _)| *key == name).map_or("", |(_, value)| value.as_str())
    }

    /// The last value given, or `default`.
    pub fn text_or<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        if self.given(name) { self.text(name) } else { default }
    }

    /// Whether a boolean is set.
    pub fn is(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Whether a boolean that is true by default is still set.
    pub fn is_not_off(&self, name: &str) -> bool {
        self.text(name) != "false"
    }

    /// Whether the flag was given at all.
    pub fn given(&self, name: &str) -> bool {
        self.values.iter().any(|(key, _)| *key == name)
    }

    /// Every value given, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.values.iter().filter(|(key, _)| *key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The flags as `--record` writes them down.
    pub fn recorded(&self) -> String {
        self.values.iter().map(|(name, value)| format!(" --{name}={value}")).collect()
    }
}

#[derive(Clone, Copy)]
struct Flag {
    name: &'static str,
    short: &'static str,
    kind: &'static str,
}

fn parse_flag(spec: &'static str) -> Option<Flag> {
    let (names, kind) = spec.split_once(':')?;
    let (name, short) = names.split_once('|').unwrap_or((names, ""));
    Some(Flag { name, short, kind })
}

fn known(specs: &[&'static str]) -> Vec<Flag> {
    specs.iter().flat_map(|specs| specs.split_ascii_whitespace()).filter_map(parse_flag).collect()
}

/// The command that `line` calls, the longest where several fit, and its flags.
///
/// # Errors
///
/// What kubectl prints on standard error.
pub fn parse<'c, F>(commands: &'c [Command<F>], line: &[String]) -> Result<(&'c Command<F>, Flags), String> {
    let words = command_words(line);
    let fits = |command: &&Command<F>| {
        let mut at = words.iter();
        command
            .words
            .split(' ')
            .all(|word| at.next().is_some_and(|(_, given)| word.split('|').any(|word| word == *given)))
    };
    let Some(command) = commands.iter().filter(fits).max_by_key(|command| command.words.len()) else {
        return Err(match words.first() {
            Some((_, word)) => format!(
                "Error: unknown command {} for \"kubectl\"\nRun 'kubectl --help' for usage.\nerror: unknown command {} for \"kubectl\"",
                quote(word),
                quote(word)
            ),
            None => {
                "error: kubectl needs a command, such as get, describe, create, apply, delete, run or auth".to_owned()
            }
        });
    };
    let taken: Vec<usize> = words.iter().take(command.words.split(' ').count()).map(|(at, _)| *at).collect();
    let rest: Vec<&String> =
        line.iter().enumerate().filter(|(at, _)| !taken.contains(at)).map(|(_, argument)| argument).collect();
    let specs = [command.flags, &[GLOBAL]].concat();
    Ok((command, values(&known(&specs), &rest)?))
}

/// The arguments that are neither a flag nor the value of a global one, with their places.
fn command_words(line: &[String]) -> Vec<(usize, &str)> {
    let flags = known(&[GLOBAL]);
    let mut words = Vec::new();
    let mut arguments = line.iter().map(String::as_str).enumerate();
    while let Some((at, argument)) = arguments.next() {
        if argument == "--" {
            break;
        }
        if !argument.starts_with('-') {
            words.push((at, argument));
            continue;
        }
        let name = argument.trim_start_matches('-');
        let takes_value = |flag: &Flag| flag.kind != "b" && (flag.name == name || flag.short == name);
        if flags.iter().any(takes_value) {
            arguments.next();
        }
    }
    words
}

fn values(flags: &[Flag], line: &[&String]) -> Result<Flags, String> {
    let mut found = Flags::default();
    let mut arguments = line.iter().map(|argument| argument.as_str());
    while let Some(argument) = arguments.next() {
        if argument == "--" {
            found.dash = Some(found.arguments.len());
            found.arguments.extend(arguments.map(str::to_owned));
            break;
        }
        if let Some(long) = argument.strip_prefix("--") {
            let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            let Some(flag) = flags.iter().find(|flag| flag.name == name) else {
                return Err(format!("Error: unknown flag: --{name}"));
            };
            let value = match value {
                Some(value) => value,
                None if flag.kind == "b" => "true",
                None => arguments.next().ok_or_else(|| format!("Error: flag needs an argument: --{name}"))?,
            };
            store(&mut found, *flag, value, &format!("--{name}"))?;
            continue;
        }
        let Some(mut shorts) = argument.strip_prefix('-').filter(|shorts| !shorts.is_empty()) else {
            found.arguments.push(argument.to_owned());
            continue;
        };
        while let Some(c) = shorts.chars().next() {
            let whole = shorts;
            let (short, rest) = shorts.split_at(c.len_utf8());
            let Some(flag) = flags.iter().find(|flag| flag.short == short) else {
                return Err(format!("Error: unknown shorthand flag: '{c}' in -{whole}"));
            };
            let value = match rest.strip_prefix('=') {
                Some(value) => value,
                None if flag.kind == "b" => {
                    store(&mut found, *flag, "true", "")?;
                    shorts = rest;
                    continue;
                }
                None if !rest.is_empty() => rest,
                None => arguments.next().ok_or_else(|| format!("Error: flag needs an argument: '{c}' in -{whole}"))?,
            };
            store(&mut found, *flag, value, &format!("-{c}, --{}", flag.name))?;
            break;
        }
    }
    Ok(found)
}

fn store(found: &mut Flags, flag: Flag, value: &str, shown: &str) -> Result<(), String> {
    let mut push = |value: &str| found.values.push((flag.name, value.to_owned()));
    match flag.kind {
        "b" => match value {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => push("true"),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => push("false"),
            _ => {
                let value = quote(value);
                let reason = format!("strconv.ParseBool: parsing {value}: invalid syntax");
                return Err(format!("Error: invalid argument {value} for {shown}: {reason}"));
            }
        },
        "i" => match value.parse::<i64>() {
            Ok(_) => push(value),
            Err(_) => {
                let value = quote(value);
                let reason = format!("strconv.ParseInt: parsing {value}: invalid syntax");
                return Err(format!("Error: invalid argument {value} for {shown}: {reason}"));
            }
        },
        "l" => value.split(',').for_each(push),
        "u" => {
            return Err(format!(
                "error: --{} is not supported here: kubectl speaks as cluster-admin, or as --as says",
                flag.name
            ));
        }
        _ => push(value),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMANDS: &[Command<()>] = &[
        Command {
            words: "get",
            flags: &["output|o:s selector|l:s all:b wide|w:b filename|f:l verb:l from:a n2:i"],
            run: (),
        },
        Command { words: "create", flags: &["filename|f:l"], run: () },
        Command { words: "create configmap|cm", flags: &["from-file:l"], run: () },
        Command { words: "create role", flags: &["verb:l"], run: () },
    ];

    fn line(text: &str) -> Result<(String, Flags), String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(COMMANDS, &words).map(|(command, flags)| (command.name(), flags))
    }

    #[test]
    fn flags_stand_anywhere_and_in_every_form() {
        let table = [
            "get pods -n kube-system -o wide --all",
            "-n kube-system get --all pods -owide",
            "--namespace=kube-system get pods --output wide --all=true",
            "get -nkube-system --all=1 -o=wide pods",
            "get --namespace kube-system --all -o wide -- pods",
        ];
        for text in table {
            let (command, flags) = line(text).unwrap();
            assert_eq!(command, "get", "{text}");
            assert_eq!((flags.text("namespace"), flags.text("output")), ("kube-system", "wide"), "{text}");
            assert!(flags.is("all"), "{text}");
            assert_eq!(flags.arguments, ["pods"], "{text}");
        }
        assert_eq!(
            line("create -n x role r --verb get,list --verb=watch").unwrap().1.all("verb"),
            ["get", "list", "watch"]
        );
        for text in ["create cm a --from-file=b", "create configmap --from-file b a"] {
            let (command, flags) = line(text).unwrap();
            assert_eq!(
                (command.as_str(), flags.arguments.as_slice()),
                ("create configmap", ["a".to_owned()].as_slice())
            );
        }
        assert_eq!(line("create -f a,b -f -").unwrap().1.all("filename"), ["a", "b", "-"]);
        assert_eq!(line("get pods --from a,b").unwrap().1.all("from"), ["a,b"]);
        assert_eq!(line("get run -- --all -x").unwrap().1.dash, Some(1));
    }

    #[test]
    fn mistakes_are_said_in_pflags_words() {
        let table = [
            ("get pods --field-selector=a", "Error: unknown flag: --field-selector"),
            ("get pods -A", "Error: unknown shorthand flag: 'A' in -A"),
            ("get pods -o", "Error: flag needs an argument: 'o' in -o"),
            ("get pods --output", "Error: flag needs an argument: --output"),
            (
                "get pods --all=x",
                "Error: invalid argument \"x\" for --all: strconv.ParseBool: parsing \"x\": invalid syntax",
            ),
            (
                "get pods --kubeconfig=x",
                "error: --kubeconfig is not supported here: kubectl speaks as cluster-admin, or as --as says",
            ),
        ];
        for (text, expected) in table {
            assert_eq!(line(text).err().as_deref(), Some(expected), "{text}");
        }
        assert!(line("frobnicate").err().unwrap().starts_with("Error: unknown command \"frobnicate\" for \"kubectl\""));
    }
}
