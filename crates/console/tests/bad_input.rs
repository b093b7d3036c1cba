//! Nothing that is pasted may panic, hang or lose the other answers. None of these tests looks at a clock: what is too
//! slow is noticed by whoever waits for it.

use portcullis_console::report::Report;
use portcullis_console::run;

fn outputs(report: &Report) -> Vec<&str> {
    report.steps.iter().map(|step| step.output.as_str()).collect()
}

#[test]
fn what_is_broken_is_told_and_hides_nothing() {
    let dashes = format!("```yaml\n{}a\n```\n", "- ".repeat(20_000));
    let brackets = format!("```yaml\na: {}\n```\n", "[".repeat(20_000));
    let mut bomb = "```yaml\na0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..20 {
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 9].join(",")));
    }
    bomb.push_str("```\n");
    for (broken, line) in [
        (dashes.as_str(), 2),
        (brackets.as_str(), 2),
        (bomb.as_str(), 2),
        ("```yaml\na: 'x\n```\n", 2),
        ("```yaml\na:\n\t- b\n```\n", 3),
        ("```sh\necho 'x\n```\n", 2),
        ("---\nclock: soon\n---\n", 2),
        ("---\nrelease: 0.1\n---\n", 2),
    ] {
        let report = run("bad.md", &format!("{broken}~~~console\n$ echo a\na\n~~~\n"), None);
        assert_eq!(outputs(&report).last(), Some(&"a\n"), "{broken:.40}");
        let errors: Vec<_> = report.diagnostics.iter().filter(|found| found.line >= line).collect();
        assert!(!errors.is_empty(), "{broken:.40}: {:?}", report.diagnostics);
        assert!(errors.iter().all(|found| found.file == "bad.md" && !found.message.is_empty()), "{errors:?}");
    }
}

#[test]
fn columns_are_those_of_an_editor() {
    let report = run("a.md", "  ```sh\n  echo 😀ä '\n  ```\n", None);
    let place = report.diagnostics.iter().find(|found| found.message.contains("not closed")).unwrap();
    assert_eq!((place.line, place.column), (2, 12));
}

#[test]
fn large_texts_pass_through() {
    let prose = "Nothing to see here.\n".repeat(1 << 20);
    let comment =
        format!("```text title=\"big.txt\"\n{prose}```\n```console\n$ wc -c big.txt\n22020096 big.txt\n```\n");
    let report = run("big.md", &comment, None);
    assert_eq!(report.steps[0].matched, Some(true));
    let fences = "```\n".repeat(1 << 20);
    assert!(run("fences.md", &fences, None).steps.is_empty());
    let command = format!("```console\n$ echo {}\n```\n", "$A".repeat(1 << 20));
    assert_eq!(outputs(&run("long.md", &command, None)), ["\n"]);
    let steps = format!("```console\n{}```\n", "$ true\n".repeat(20_000));
    assert_eq!(run("steps.md", &steps, None).steps.len(), 20_000);
    for open in ["echo a |", "cat <<EOF", "echo $(a"] {
        let script = format!("```sh\n{}\\\n|\n```\n", format!("{open}\n").repeat(20_001));
        let report = run("open.md", &script, None);
        assert_eq!((report.steps.len(), report.steps[20_000].end_line), (20_002, 20_002), "{open}");
        assert_eq!(report.diagnostics.len(), 1, "{open}");
    }
    let patterns = format!("```console\n$ true\n{}```\n", "...\n[..]\n".repeat(20_000));
    assert_eq!(run("patterns.md", &patterns, None).steps[0].matched, Some(false));
}

#[test]
fn bytes_that_are_no_text_stay_apart() {
    for text in
        ["\u{0}\u{1}\u{feff}```console\n$ echo a\n", "```console\r\n$ echo a\r\n```\r\n", "$ ", "```", "~~~", "---", ""]
    {
        run("odd.md", text, None);
    }
}

/// What commands may make of a few lines is bounded, and they say so.
#[test]
fn a_tab_lives_through_what_grows() {
    let doubled = "cat a a > b\ncat b b > a\n".repeat(8);
    let files = format!("echo {} > a\n{doubled}", "x".repeat(127));
    let words = format!("A='x x x x x x x '\n{}", "A=$A$A\n".repeat(16));
    let long = "the words of a command may not have more than 16 MB\n";
    let all = "the commands of a document may not print and write more than 64 MB\n";
    for (commands, expected) in [
        (format!("A={}\n{}", "x".repeat(1000), "A=$A$A\n".repeat(40)), long),
        (format!("{words}echo $A $A $A"), "a command may not have more than 1,000,000 words\n"),
        (format!("{files}A=$(cat a)\nB=$A$(echo $A$A)"), long),
        (format!("{files}B=$(cat a; cat a a)"), long),
        (format!("{files}cat a a a > c"), "cat: a command may not print more than 16 MB\n"),
        (format!("{files}wc -c{} > c", " a".repeat(9)), "wc: a command may not read more than 64 MB\n"),
        (format!("{files}xxd -c1 a > c"), "xxd: a command may not print more than 16 MB\n"),
        (format!("{files}awk '{{print $0 $0 $0}}' a > c"), "awk: a command may not print more than 16 MB\n"),
        (format!("{files}sed s/xx/xxxxxxxx/g a > c"), "sed: a command may not print more than 16 MB\n"),
        (
            format!("echo a | sed{}", " -e s/a/aaaaaaaaaaaaaaaa/g".repeat(9)),
            "sed: a line may not be longer than 16 MB\n",
        ),
        (format!("{files}tr x '\\n' < a | sort > c"), "sort: more than 1,000,000 lines are too many for this shell\n"),
        (format!("{files}{}", "cat a >> c\n".repeat(9)), all),
        (format!("{files}{}", "cat a\n".repeat(9)), all),
        (
            format!("{files}cat a | tee 1 2 3 4 5 6 7 > 8"),
            "tee: the commands of a document may not print and write more than 64 MB\n",
        ),
        (format!("{files}A=$(cat a)\n{}", (0..9).map(|at| format!("A{at}=$A\n")).collect::<String>()), all),
        (
            format!("printf '%s{}'{}", "y".repeat(9000), " x".repeat(3000)),
            "printf: a command may not print more than 16 MB\n",
        ),
        (format!("sed{}", " -e p".repeat(101)), "sed: more than 100 commands are too many for this shell\n"),
    ] {
        let report = run("grows.md", &format!("~~~sh\n{commands}\n~~~\n"), None);
        assert_eq!(outputs(&report).last(), Some(&expected), "{}", commands.lines().last().unwrap_or_default());
    }
}

#[test]
fn credentials_that_are_none_are_refused() {
    for token in [
        "a.b.c".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        "eyJhbGciOiJSUzI1NiJ9.e30.".to_owned(),
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJrdWJlcm5ldGVzL3NlcnZpY2VhY2NvdW50In0.".to_owned(),
        "eyJhbGciOiJSUzI1NiJ9.bm90IGpzb24.AAAA".to_owned(),
        "%00\u{1f600}".to_owned(),
        "x".repeat(1 << 20),
        "a.".repeat(1 << 16),
    ] {
        let document = format!(
            "```console\n$ curl -k -H 'Authorization: Bearer {token}' https://apiserver:6443/api\nUnauthorized\n```\n"
        );
        let report = run("token.md", &document, None);
        assert_eq!(report.steps[0].matched, Some(true), "{token:.40}: {:.200}", report.steps[0].output);
    }
    for (certificate, expected) in [
        ("", "neither PEM nor"),
        ("Subject:", "User \"system:anonymous\""),
        ("Subject: nonsense", "neither PEM nor"),
        ("Subject: CN=", "User \"system:anonymous\""),
        ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "neither PEM nor"),
        ("-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----", "neither PEM nor"),
        ("-----BEGIN CERTIFICATE-----\nMIL/////\n-----END CERTIFICATE-----", "neither PEM nor"),
    ] {
        let document = format!(
            "```text title=\"a.crt\"\n{certificate}\n```\n```console\n$ curl -k --cert a.crt https://apiserver:6443/x\n```\n"
        );
        let output = run("certificate.md", &document, None).steps[0].output.clone();
        assert!(output.contains(expected), "{certificate}: {output}");
    }
}

#[test]
fn requests_that_are_none_are_answered() {
    let deep = "[".repeat(100_000);
    for (arguments, status) in [
        ("-X BREW https://apiserver:6443/api/v1/pods".to_owned(), "403"),
        ("https://apiserver:6443/%zz".to_owned(), "400"),
        ("https://apiserver:6443/api/v1/pods?labelSelector=%zz".to_owned(), "403"),
        ("--cert a.crt https://apiserver:6443/api/v1/pods?labelSelector=,,,=!!".to_owned(), "400"),
        ("--cert a.crt https://apiserver:6443/api/v1/namespaces/a/pods?limit=-1".to_owned(), "200"),
        (format!("--cert a.crt -d '{deep}' https://apiserver:6443/api/v1/namespaces/a/pods"), "415"),
        (
            format!(
                "--cert a.crt -H 'Content-Type: application/json' -d '{deep}' https://apiserver:6443/api/v1/namespaces/a/pods"
            ),
            "400",
        ),
        (format!("https://apiserver:6443/{}", "a/".repeat(100_000)), "403"),
        (format!("-H 'Impersonate-User: {}' --cert a.crt https://apiserver:6443/x", "u".repeat(100_000)), "403"),
    ] {
        let document = format!(
            "```text title=\"a.crt\"\nSubject: O=system:masters, CN=a\n```\n```console\n$ curl -ks -o /dev/null -w '%{{http_code}}' {arguments}\n```\n"
        );
        let report = run("request.md", &document, None);
        assert_eq!(report.steps[0].output, status, "{arguments:.200}");
    }
}
