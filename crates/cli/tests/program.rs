//! The program itself: what it prints and how it ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A fresh folder for one test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn portcullis(folder: &Path, arguments: &[&str]) -> (String, String, i32) {
    let program = Command::new(env!("CARGO_BIN_EXE_portcullis")).args(arguments).current_dir(folder).output();
    let Output { status, stdout, stderr } = program.unwrap();
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code().unwrap())
}

#[test]
fn check_counts_and_shows_differences() {
    let folder = folder("check");
    std::fs::write(folder.join("good.md"), "```console\n$ echo a\na\n$ echo b\n```\n").unwrap();
    std::fs::write(folder.join("bad.md"), "```console\n$ echo a; echo b\na\nc\n```\n").unwrap();
    let (out, _, status) = portcullis(&folder, &["check", "good.md"]);
    assert_eq!((out.as_str(), status), ("1 passed, 0 failed\n", 0));
    let (out, _, status) = portcullis(&folder, &["check", "good.md", "bad.md"]);
    let lines: Vec<String> = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        lines,
        ["bad.md:2: $ echo a; echo b", "expected | actual", "a | a", "- c |", "+ | b", "", "1 passed, 1 failed"]
    );
    assert_eq!(status, 1);
}

/// A document that cannot be what its author means does not pass.
#[test]
fn what_is_wrong_with_a_document_fails_its_check() {
    let folder = folder("wrong");
    for (text, counts, error) in [
        (
            "---\nrelease: \"1.37\"\n---\n```console\n$ echo a\na\n```\n",
            "1 passed, 1 failed",
            "a.md:2:10: error: Release 1.37 ",
        ),
        ("---\nclock: noon\n---\n", "0 passed, 1 failed", "a.md:2:8: error: `clock` is no time"),
        ("```yaml\n{\n```\n", "0 passed, 1 failed", "a.md:"),
        ("```sh\necho 'a\n```\n", "0 passed, 1 failed", "a.md:2:6: error: "),
        ("```console\n$ echo 'a\nb\n```\n", "0 passed, 1 failed", "a.md:2:8: error: "),
        ("```console\n$ echo 'a\n...\n```\n", "1 passed, 0 failed", "a.md:2:8: error: "),
        ("```yaml\nkind: Nothing\n```\n", "0 passed, 1 failed", "a.md:2: error: "),
        ("```sh\necho a\n", "0 passed, 0 failed", "a.md:1: warning: "),
    ] {
        std::fs::write(folder.join("a.md"), text).unwrap();
        let (out, said, status) = portcullis(&folder, &["check", "a.md"]);
        assert_eq!(out.lines().last(), Some(counts), "{text}{out}{said}");
        assert_eq!(status, i32::from(!counts.ends_with(" 0 failed")), "{text}");
        assert!(said.starts_with(error), "{text}{said}");
        let (out, _, status) = portcullis(&folder, &["run", "a.md"]);
        assert!(out.starts_with(error) && status == 0, "{out}");
    }
}

#[test]
fn bytes_that_are_no_text_are_told() {
    let folder = folder("bytes");
    std::fs::write(folder.join("a.md"), b"```console\n$ echo \xe4\n\xef\xbf\xbd\n```\n").unwrap();
    let (out, said, status) = portcullis(&folder, &["check", "a.md"]);
    assert_eq!((out.as_str(), status), ("1 passed, 0 failed\n", 0));
    assert!(said.starts_with("a.md:2: warning: This is no UTF-8"), "{said}");
    let text: Vec<u8> = "\u{feff}```sh\nls\n```\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.join("b.md"), text).unwrap();
    let (_, said, status) = portcullis(&folder, &["check", "b.md"]);
    assert!(said.starts_with("portcullis: b.md is UTF-16: save it as UTF-8\n"), "{said}");
    assert_eq!(status, 2);
}

#[test]
fn bad_usage_is_status_two() {
    let folder = folder("usage");
    std::fs::write(folder.join("usage.md"), "").unwrap();
    for arguments in [
        &[][..],
        &["chek"],
        &["check"],
        &["check", "nosuch.md"],
        &["check", "--nosuch", "a.md"],
        &["check", "--release", "1.37", "usage.md"],
        &["review", "--release", "1.37", "usage.md"],
        &["run"],
        &["run", "-o"],
        &["who-can", "get", "pods", "--subject", "jane"],
        &["who-can", "get", "pods", "--flags", "--v=1"],
        &["access", "--flags", "--v=1"],
        &["inspect", "--nosuch", "usage.md"],
        &["inspect", "usage.md", "usage.md"],
        &["audit"],
        &["audit", "--policy"],
        &["audit", "--policy", "nosuch.yaml"],
        &["audit", "--policy", "usage.md", "usage.md", "usage.md"],
    ] {
        let (out, error, status) = portcullis(&folder, arguments);
        assert_eq!((out.as_str(), status), ("", 2), "{arguments:?}");
        let usages = error.matches("usage: ").count();
        assert!(error.starts_with("portcullis: ") && usages == 1, "{arguments:?} {error}");
    }
}

#[test]
fn run_prints_the_published_json() {
    let folder = folder("run");
    std::fs::write(folder.join("a.md"), "---\ntitle: T\n---\n```console\n$ echo a\nb\n```\n").unwrap();
    let (out, _, status) = portcullis(&folder, &["run", "-o", "json", "a.md"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(status, 0);
    assert_eq!(report["version"], 1);
    assert_eq!(report["title"], "T");
    let step = &report["steps"][0];
    assert_eq!((step["line"].as_u64(), step["endLine"].as_u64()), (Some(5), Some(5)));
    assert_eq!((step["output"].as_str(), step["expected"].as_str()), (Some("a\n"), Some("b")));
    assert_eq!(step["matched"], false);
    let (out, _, _) = portcullis(&folder, &["run", "a.md"]);
    assert!(out.contains("$ echo a\na\n"), "{out}");
}

/// What readers of the report rely on, whatever else it may hold.
#[test]
fn the_published_json_has_its_members_where_they_were() {
    let document = "```yaml\napiVersion: audit.k8s.io/v1alpha1\nkind: Policy\nrules:\n- level: Metadata\n```\n\
        ```console\n$ kubectl create secret generic a --from-literal=b=c\nsecret \"a\" created\n```\n";
    let folder = folder("members");
    std::fs::write(folder.join("a.md"), document).unwrap();
    let (out, _, _) = portcullis(&folder, &["run", "-o", "json", "a.md"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let exchange = report["steps"][0]["exchanges"].as_array().unwrap().last().unwrap();
    for pointer in [
        "/request/method",
        "/user/name",
        "/authorization/verdict",
        "/authorization/reason",
        "/authorization/steps/0/authorizer",
        "/admission/0/plugin",
        "/response/status",
        "/response/headers/0/0",
        "/response/body",
        "/audit/0/event",
        "/audited/rule/file",
        "/audited/rule/line",
        "/audited/rule/endLine",
        "/audited/rule/object",
        "/audited/rule/path",
        "/etcd/0/key",
    ] {
        assert!(exchange.pointer(pointer).is_some(), "{pointer}: {exchange}");
    }
    let stored =
        report["etcd"].as_array().unwrap().iter().find(|stored| stored["key"] == "/registry/secrets/default/a");
    for pointer in ["/value", "/parts/0/from", "/parts/0/to", "/parts/0/what"] {
        assert!(stored.unwrap().pointer(pointer).is_some(), "{pointer}: {stored:?}");
    }
    for pointer in ["/audit/log/0", "/audit/deliveries", "/graph/vertices", "/diagnostics"] {
        assert!(report.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn who_can_and_access_name_the_lines_that_grant() {
    let folder = folder("access");
    std::fs::write(
        folder.join("shop.yaml"),
        "kind: Role\napiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {namespace: shop, name: developer}\nrules:\n\
         - {apiGroups: [\"\", extensions], resources: [pods, deployments/scale], verbs: [get, delete]}\n---\nkind: RoleBinding\n\
         apiVersion: rbac.authorization.k8s.io/v1beta1\nmetadata: {namespace: shop, name: developers}\n\
         subjects: [{kind: User, name: jane}]\nroleRef: {kind: Role, name: developer}\n",
    )
    .unwrap();
    for (words, expected) in [
        (&["who-can", "delete", "pods", "-n", "shop"][..], 1),
        (&["who-can", "delete", "pods"], 0),
        (&["who-can", "list", "pods", "-n", "shop"], 0),
        (&["who-can", "get", "pods", "cart", "--namespace=shop"], 1),
        (&["who-can", "get", "deployments/scale", "-n", "shop"], 1),
        (&["who-can", "get", "deployments.extensions/scale", "-n", "shop"], 1),
        (&["who-can", "get", "deployments/scale.extensions", "-n", "shop"], 1),
        (&["who-can", "get", "deployments/scale.apps", "-n", "shop"], 0),
        (&["who-can", "get", "/healthz"], 0),
        (&["access", "--subject", "jane"], 1),
        (&["access", "--subject", "jane", "-n", "bank"], 0),
    ] {
        let (out, error, status) = portcullis(&folder, &[words, &["--cluster", "shop.yaml"]].concat());
        assert_eq!((error.as_str(), status), ("", 0), "{words:?}");
        let rows: Vec<Vec<&str>> = out.lines().map(|row| row.split_whitespace().collect()).collect();
        let hers: Vec<_> =
            rows.iter().filter(|row| row[0] == "jane").map(|row| row[row.len() - 4..].join(" ")).collect();
        let lines = "shop.yaml:10 RoleBinding/shop/developers shop.yaml:5 Role/shop/developer";
        assert_eq!(hers, [lines].repeat(expected), "{words:?}\n{out}");
    }
    let (out, ..) = portcullis(&folder, &["access", "shop.yaml", "--subject", "jane", "-o", "json"]);
    let row: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(row["rule"]["verbs"], serde_json::json!(["get", "delete"]));
    assert_eq!((&row["binding"]["line"], &row["role"]["line"]), (&10.into(), &5.into()));
    let (_, error, status) = portcullis(&folder, &["who-can", "get"]);
    assert_eq!(status, 2, "{error}");
    let name = "j".repeat(70_000);
    let wide = std::fs::read_to_string(folder.join("shop.yaml")).unwrap().replace("jane", &name);
    std::fs::write(folder.join("wide.yaml"), wide).unwrap();
    let (out, ..) = portcullis(&folder, &["access", "--cluster", "wide.yaml", "-n", "shop"]);
    let columns: Vec<_> =
        out.lines().map(|row| row.find("everywhere").or(row.find("shop")).unwrap_or(70_002)).collect();
    assert!(columns.iter().all(|column| *column == 70_002) && out.contains(&name), "{columns:?}");
}
