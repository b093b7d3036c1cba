//! What the shell and the small programs print, one row a command line.

use portcullis_console::run;

/// Runs `commands` as a script, and gives the output and status of the last step.
fn last(commands: &str) -> (String, u8) {
    let report = run("test.md", &format!("~~~sh\n{commands}\n~~~\n"), None);
    report.steps.last().map(|step| (step.output.clone(), step.status)).unwrap_or_default()
}

fn check(rows: &[(&str, &str)]) {
    for (commands, expected) in rows {
        assert_eq!(last(commands).0, *expected, "{commands}");
    }
}

#[test]
fn words_and_quotes() {
    check(&[
        ("echo a  b", "a b\n"),
        ("echo 'a  b' \"c  d\" e\\ f", "a  b c  d e f\n"),
        ("echo \"a\\\"b\\$c\\\\d\\e\"", "a\"b$c\\d\\e\n"),
        ("echo a'b'\"c\"d", "abcd\n"),
        ("echo '' \"\" x", "  x\n"),
        ("echo a \\\n  b", "a b\n"),
        ("echo 'a\nb'", "a\nb\n"),
        ("echo a#b # c", "a#b\n"),
        ("echo *.yaml [a] ~ {x}", "*.yaml [a] ~ {x}\n"),
        ("echo $ '$A' a$", "$ $A a$\n"),
        ("/bin/echo x", "x\n"),
    ]);
}

#[test]
fn variables_and_substitution() {
    check(&[
        ("A=1\necho $A${A}x $B.", "11x .\n"),
        ("A='x  y'\necho $A \"$A\"", "x y x  y\n"),
        ("A=' x '\necho a${A}b", "a x b\n"),
        ("A=1 B=2\necho $A$B", "12\n"),
        ("A=1\nA=2 true\necho $A", "1\n"),
        ("A=x; echo $A", "x\n"),
        ("export A=x\necho $A", "x\n"),
        ("echo $(echo a; echo b)", "a b\n"),
        ("echo \"$(echo a; echo b)\"", "a\nb\n"),
        ("echo \"$(echo \"x $(echo y)\")\"", "x y\n"),
        ("A=\"$(echo v |\n   cat)\"\necho $A", "v\n"),
        ("echo `echo a` \"`echo \\`echo b\\``\"", "a b\n"),
        ("A=$(false)\necho $?", "1\n"),
        ("true; echo $?", "0\n"),
    ]);
}

#[test]
fn lists_and_pipes() {
    check(&[
        ("echo a; echo b", "a\nb\n"),
        ("true && echo a || echo b", "a\n"),
        ("false && echo a || echo b", "b\n"),
        ("false || true && echo c", "c\n"),
        ("! false && echo d", "d\n"),
        ("echo a &&\n  echo b", "a\nb\n"),
        ("printf 'b\\na\\n' | sort | head -n 1", "a\n"),
        ("nosuch | cat", "nosuch: command not found\n"),
        ("echo a | cat - nosuch", "a\ncat: nosuch: No such file or directory\n"),
    ]);
    assert_eq!(last("nosuch"), ("nosuch: command not found\n".to_owned(), 127));
    assert_eq!(last("true | false").1, 1);
    assert_eq!(last("false | true").1, 0);
}

#[test]
fn redirections() {
    check(&[
        ("echo a > f; echo b >> f; cat f", "a\nb\n"),
        ("echo a > f; cat < f", "a\n"),
        ("echo a >f; wc -c f", "2 f\n"),
        ("nosuch 2>/dev/null; echo $?", "127\n"),
        ("nosuch > f 2>&1; cat f", "nosuch: command not found\n"),
        ("nosuch &> f; cat f", "nosuch: command not found\n"),
        ("nosuch 2>&1 >/dev/null | cat", "nosuch: command not found\n"),
        ("cat <<< \"a b\"", "a b\n"),
        ("A=1\ncat <<EOF\n$A \\$A $(echo x)\n  \"q\"\nEOF", "1 $A x\n  \"q\"\n"),
        ("cat <<'EOF'\n$A\nEOF", "$A\n"),
        ("cat <<-E | cat\n\ta\n\tE", "a\n"),
        ("cat <<A\n1\n$(cat <<B\n2\n$(cat <<C\n3\nC\n)\nB\n)\nA", "1\n2\n3\n"),
        ("cat <<A; cat <<B\n1 $(cat <<C\n2\nC\n)\nA\n3\nB", "1 2\n3\n"),
        ("cat < nosuch", "nosuch: No such file or directory\n"),
        ("> f; wc -c < f", "0\n"),
    ]);
}

#[test]
fn mistakes_are_one_line_with_their_place() {
    check(&[
        (
            "echo 'a",
            "line 2, column 6: `'` is not closed: the shell waits for it. Close it, or write `\\'` for the character\n",
        ),
        (
            "echo \"a",
            "line 2, column 6: `\"` is not closed: the shell waits for it. Close it, or write `\\\"` for the character\n",
        ),
        ("echo $(a", "line 2, column 6: `$(` is not closed by `)`\n"),
        ("echo ${a", "line 2, column 6: `${` is not closed by `}`\n"),
        ("echo `a", "line 2, column 6: the backtick is not closed\n"),
        ("| a", "line 2, column 1: a command was expected before `|`\n"),
        ("a | | b", "line 2, column 5: a command was expected before `|`\n"),
        ("a |\n\n", "line 2, column 3: a command must follow `|`\n"),
        ("a &&", "line 2, column 3: a command must follow `&&` and `||`\n"),
        ("a >", "line 2, column 3: the redirection names no file\n"),
        ("a &", "line 2, column 3: `&`: this shell runs nothing in the background\n"),
        ("echo )", "line 2, column 6: `)` without `$(`\n"),
        ("(a)", "line 2, column 1: `(`: this shell knows no subshells and no functions\n"),
        ("for a in b", "line 2, column 1: `for`: this shell knows only simple commands, pipes, `&&` and `||`\n"),
        ("cat <<E\na", "line 2, column 5: the here-document is not closed by `E`\n"),
        ("cat <<A\n$(cat <<B)\nA", "line 2, column 5: the here-document is not closed by `B`\n"),
        ("echo ${a:-b}", "line 2, column 6: `${a:-b}`: this shell knows only the name of a variable there\n"),
    ]);
    let deep = format!("echo {}a{}", "$(echo ".repeat(40), ")".repeat(40));
    assert!(last(&deep).0.ends_with("more than 32 commands in each other\n"));
}

#[test]
fn programs_of_text() {
    check(&[
        ("echo -n a; echo -e 'b\\tc\\x41\\0102'", "ab\tcAB\n"),
        ("printf '%s=%d%%\\n' a 1 b 2", "a=1%\nb=2%\n"),
        ("printf 'x\\n'", "x\n"),
        ("printf '%x|%s|' 255 y", "ff|y|"),
        ("printf '1\\n2\\n3\\n' | head -n 2", "1\n2\n"),
        ("printf '1\\n2\\n3\\n' | head -2", "1\n2\n"),
        ("printf '1\\n2\\n3\\n' | head -n -1", "1\n2\n"),
        ("printf '123' | head -c 2", "12"),
        ("printf '1\\n2\\n3\\n' | tail -n 1", "3\n"),
        ("printf '1\\n2\\n3\\n' | tail -n +2", "2\n3\n"),
        ("printf '1\\n2\\n3' | tail -c 2", "\n3"),
        ("printf 'a b\\nc' | wc", "      1       3       5\n"),
        ("printf 'a b\\nc' | wc -l", "1\n"),
        ("printf 'b\\na\\nb\\n' | sort -u", "a\nb\n"),
        ("printf '10\\n9\\n' | sort -n", "9\n10\n"),
        ("printf 'a\\nb\\n' | sort -r", "b\na\n"),
        ("echo abc | tr a-b A-B", "ABc\n"),
        ("echo abc | tr '[:lower:]' '[:upper:]'", "ABC\n"),
        ("echo a.b.c | tr -d .", "abc\n"),
        ("echo a.b.c | cut -d. -f2-", "b.c\n"),
        ("echo a.b.c | cut -d . -f 1,3", "a.c\n"),
        ("echo abc | cut -c1-2", "ab\n"),
        ("echo abcb | sed s/b/x/", "axcb\n"),
        ("echo abcb | sed 's/[bc]/<&>/g'", "a<b><c><b>\n"),
        ("echo abc | sed 's/b*/-/g'", "-a-c-\n"),
        ("printf '%05d|%-3s|%3s|' 42 a b", "00042|a  |  b|"),
        ("printf '1\\n2\\n3\\n' | sed -n 2p", "2\n"),
        ("printf '1\\n2\\n3\\n' | sed '2,$d'", "1\n"),
        ("cut -x", "cut: -x is not supported here\n"),
        ("head --nosuch", "head: --nosuch is not supported here\n"),
    ]);
}

#[test]
fn grep() {
    let lines = "printf 'alice\\nBob\\nalma\\n' | grep";
    for (options, expected, status) in [
        ("al", "alice\nalma\n", 0),
        ("-c al", "2\n", 0),
        ("-v al", "Bob\n", 0),
        ("-i bob", "Bob\n", 0),
        ("-n B", "2:Bob\n", 0),
        ("-o 'al.'", "ali\nalm\n", 0),
        ("-E 'ce$|^B'", "alice\nBob\n", 0),
        ("-F '.'", "", 1),
        ("-q al", "", 0),
        ("nobody", "", 1),
        ("-A1 ali", "alice\nBob\n", 0),
        ("-B 1 alm", "Bob\nalma\n", 0),
        ("-e ali -e Bob", "alice\nBob\n", 0),
        ("'['", "grep: Unmatched [, [^, [:, [., or [=\n", 2),
        ("al nosuch", "grep: nosuch: No such file or directory\n", 2),
    ] {
        assert_eq!(last(&format!("{lines} {options}")), (expected.to_owned(), status), "{options}");
    }
}

#[test]
fn programs_of_bytes() {
    check(&[
        ("printf foo | base64", "Zm9v\n"),
        ("printf Zm9v | base64 -d", "foo"),
        ("printf 'Zm\\n9v\\n' | base64 --decode", "foo"),
        ("printf 'Zm9v!' | base64 -d", "foobase64: invalid input\n"),
        ("printf Zm9 | base64 -d", "fobase64: invalid input\n"),
        ("printf Z | base64 -d", "base64: invalid input\n"),
        ("printf abcdef | base64 -w 4", "YWJj\nZGVm\n"),
        ("printf abc | base64 -w0", "YWJj"),
        (
            "printf 'k8s\\0\\n0123456789abcdef' | hexdump -C",
            "00000000  6b 38 73 00 0a 30 31 32  33 34 35 36 37 38 39 61  |k8s..0123456789a|\n\
             00000010  62 63 64 65 66                                    |bcdef|\n00000015\n",
        ),
        (
            "printf '%s' aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab | hexdump -C",
            "00000000  61 61 61 61 61 61 61 61  61 61 61 61 61 61 61 61  |aaaaaaaaaaaaaaaa|\n*\n\
             00000030  62                                                |b|\n00000031\n",
        ),
        ("true | hexdump -C", ""),
        ("printf 0123 | xxd", "00000000: 3031 3233                                0123\n"),
        ("printf 0123 | xxd -p", "30313233\n"),
        ("printf 0123 | xxd -c 0 -l 1", "00000000: 30                                       0\n"),
        ("printf 0123 | xxd -c 256 | wc -c", "656\n"),
        ("printf 0123 | xxd -c 257", "xxd: invalid number of columns (max. 256).\n"),
        ("printf 0123 | xxd -c 18446744073709551615", "xxd: invalid number of columns (max. 256).\n"),
        ("printf 0123 | xxd -p -c 65536", "30313233\n"),
        ("printf 0123 | xxd -p | xxd -r -p", "0123"),
        ("printf 0123456789abcdefgh | xxd | xxd -r", "0123456789abcdefgh"),
    ]);
}

#[test]
fn date_stands_still_until_it_is_set() {
    check(&[
        ("date", "Fri Jun 30 08:00:00 UTC 2017\n"),
        ("date -s 'Sun, 02 Jul 2017 18:19:44 GMT'", "Sun Jul  2 18:19:44 UTC 2017\n"),
        ("date -s '+1 hour' > /dev/null; date +%FT%TZ", "2017-06-30T09:00:00Z\n"),
        ("date -s nonsense", "date: invalid date 'nonsense'\n"),
    ]);
}

#[test]
fn certificates() {
    let pem = "-----BEGIN CERTIFICATE-----\nMIIBmDCCAT2gAwIBAgIUAmDc\n-----END CERTIFICATE-----";
    let files = format!(
        "~~~text title=\"a.crt\"\nSubject: O=system:nodes, O=b\\,c, CN=system:node:node-A\n~~~\n~~~text title=\"b.crt\"\n{pem}\n~~~\n"
    );
    for (command, expected) in [
        (
            "openssl x509 -text -in a.crt",
            "Certificate:\n    Data:\n        Subject: O=system:nodes, O=b\\,c, CN=system:node:node-A\n",
        ),
        ("openssl x509 -in a.crt -noout -subject", "subject=O=system:nodes, O=b\\,c, CN=system:node:node-A\n"),
        (
            "openssl x509 -in b.crt -noout -subject",
            "Could not find certificate from b.crt: neither PEM nor a `Subject:` line\n",
        ),
        (
            "curl -k --cert b.crt https://apiserver:6443/",
            "curl: (58) could not load PEM client certificate from b.crt: neither PEM nor a `Subject:` line\n",
        ),
        ("curl -Q", "curl: -Q is not supported here\n"),
        ("curl https://example.com/", "curl: (6) Could not resolve host: example.com\n"),
        ("openssl req", "openssl: only `openssl x509` and `openssl rand` are known here\n"),
    ] {
        let report = run("test.md", &format!("{files}~~~sh\n{command}\n~~~\n"), None);
        assert_eq!(report.steps[0].output, expected, "{command}");
    }
}

#[test]
fn randomness_is_the_documents_own() {
    check(&[
        ("head -c 32 /dev/urandom | wc -c", "32\n"),
        (
            "A=$(head -c 8 /dev/urandom | base64)\nB=$(head -c 8 /dev/urandom | base64)\necho $A $B | tr ' ' '\\n' | sort | wc -l",
            "2\n",
        ),
        ("openssl rand -hex 4 | wc -c", "9\n"),
        ("openssl rand -base64 32 | base64 -d | wc -c", "32\n"),
        ("openssl rand 32", "openssl rand: write `openssl rand -base64 32` or `openssl rand -hex 32`\n"),
    ]);
    assert_eq!(last("openssl rand -hex 16"), last("openssl rand -hex 16"));
    assert_ne!(last("openssl rand -hex 16"), last("\nopenssl rand -hex 16"));
}

#[test]
fn sleep_moves_the_clock() {
    check(&[
        ("date -s 2017-07-02T18:00:00Z > /dev/null; sleep 90; date +%T", "18:01:30\n"),
        ("date -s 2017-07-02T18:00:00Z > /dev/null; sleep 1.5m 1h; date +%T", "19:01:30\n"),
        ("sleep", "sleep: missing operand\n"),
        ("sleep soon", "sleep: invalid time interval 'soon'\n"),
        ("sleep -1", "sleep: invalid time interval '-1'\n"),
        ("sleep 1e300", "sleep: invalid time interval '1e300'\n"),
        ("sleep d", "sleep: invalid time interval 'd'\n"),
    ]);
}

#[test]
fn files_have_paths_and_copies() {
    check(&[
        ("echo a | tee b c; cat b ./c", "a\na\na\n"),
        ("echo a > b; echo c | tee -a b > d; cat b /tmp/d", "a\nc\nc\n"),
        ("echo a | sudo tee /etc/b > /dev/null; sudo cat /etc/b", "a\n"),
        ("sudo -u nobody ls", "sudo: command not found\n"),
        ("echo $HOME/.kube", "/home/admin/.kube\n"),
    ]);
}

#[test]
fn awk_prints_fields() {
    check(&[
        ("printf 'a b  c\\n d e\\n' | awk '{print $1}'", "a\nd\n"),
        ("printf 'a b  c\\n d e\\n' | awk '{ print $NF, $1 \"-\" $9; }'", "c a-\ne d-\n"),
        ("printf 'a:b c:d\\n' | awk -F: '{print $2}'", "b c\n"),
        ("printf 'NAME AGE\\nx 1\\ny 2\\n' | awk 'NR>1 {print $1}'", "x\ny\n"),
        ("printf 'NAME AGE\\nx 1\\ny 2\\n' | awk '/^(y|z)/{print NR}'", "3\n"),
        ("printf 'ab\\ncd\\n' | awk /c/", "cd\n"),
        ("printf 'ab\\ncd\\n' | awk '{print}'", "ab\ncd\n"),
        ("echo a > f; awk '{print $0}' f nosuch", "a\nawk: nosuch: No such file or directory\n"),
        (
            "echo a | awk '{sum += $1} END {print sum}'",
            "awk: {sum += $1} END {print sum} is not supported here: [/PATTERN/ or NR>1] {print $1, \"text\", $NF} is\n",
        ),
        ("awk", "awk: it needs a program, such as '{print $1}'\n"),
    ]);
}
