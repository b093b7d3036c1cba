//! `portcullis graph`: which node reaches which object, as a drawing in DOT (Graphviz) or Mermaid.

use std::fmt::Write;

use portcullis_console::report::{Graph, Vertex};

use crate::{Usage, check};

/// Draws the graph at the document's end. True unless the document has an error, which goes to standard error.
pub fn run(words: &[String]) -> Result<bool, Usage> {
    let (files, given) = crate::parse(words, &["release", "output"])?;
    let [file] = files.as_slice() else { return Err(Usage("graph needs one document".to_owned())) };
    let output = given.iter().rev().find(|(name, _)| *name == "output").map_or("dot", |(_, value)| value);
    let draw = match output {
        "dot" => dot,
        "mermaid" => mermaid,
        other => return Err(Usage(format!("`{other}` is no form of output: dot and mermaid are"))),
    };
    let text = crate::read(file)?;
    let report = crate::report(file, &text, crate::release(&given)?);
    for diagnostic in &report.diagnostics {
        eprintln!("{}", check::line(diagnostic));
    }
    print!("{}", draw(&report.graph.unwrap_or_default()));
    Ok(report.diagnostics.iter().all(|diagnostic| diagnostic.severity != "error"))
}

/// `shop/payment`, with a word for what nobody created.
fn title(vertex: &Vertex) -> String {
    let slash = if vertex.namespace.is_empty() { "" } else { "/" };
    // A node needs no object: a pod that names it is enough.
    let absent = if vertex.exists || vertex.kind == "Node" { "" } else { " (absent)" };
    format!("{}{slash}{}{absent}", vertex.namespace, vertex.name)
}

fn dot(graph: &Graph) -> String {
    let mut text = "digraph {\n  rankdir=LR\n".to_owned();
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
    for (at, vertex) in graph.vertices.iter().enumerate() {
        let shape = match vertex.kind {
            "Secret" => "note",
            "ConfigMap" => "tab",
            "PersistentVolume" => "cylinder",
            "PersistentVolumeClaim" => "component",
            "Pod" => "ellipse",
            _ => "box3d",
        };
        let style = if vertex.exists { "" } else { ", style=dashed" };
        let label = quoted(&title(vertex));
        let _ = writeln!(text, "  v{at} [shape={shape}{style}, label=\"{}\\n{label}\"]", vertex.kind);
    }
    for edge in &graph.edges {
        let place = format!("{} {}", edge.location.object, edge.location.path);
        let _ = writeln!(text, "  v{} -> v{} [tooltip=\"{}\"]", edge.from, edge.to, quoted(&place));
    }
    if graph.hidden > 0 {
        let _ = writeln!(text, "  label=\"{} more are not shown\"", graph.hidden);
    }
    text.push_str("}\n");
    text
}

fn mermaid(graph: &Graph) -> String {
    let mut text = "graph LR\n".to_owned();
    let mut absent = Vec::new();
    for (at, vertex) in graph.vertices.iter().enumerate() {
        let (open, close) = match vertex.kind {
            "Secret" | "ConfigMap" => ("[", "]"),
            "PersistentVolume" | "PersistentVolumeClaim" => ("[(", ")]"),
            "Pod" => ("(", ")"),
            _ => ("[[", "]]"),
        };
        let _ = writeln!(text, "  v{at}{open}\"{}<br/>{}\"{close}", vertex.kind, entities(&title(vertex)));
        if !vertex.exists {
            absent.push(format!("v{at}"));
        }
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  v{} --> v{}", edge.from, edge.to);
    }
    if !absent.is_empty() {
        let _ = writeln!(text, "  classDef absent stroke-dasharray: 4\n  class {} absent", absent.join(","));
    }
    if graph.hidden > 0 {
        let _ = writeln!(text, "  more[\"{} more are not shown\"]", graph.hidden);
    }
    text
}

/// Mermaid's way to write what means something to it.
fn entities(text: &str) -> String {
    let mut escaped = String::new();
    for char in text.chars() {
        match char {
            '"' | '#' | '<' | '>' | '&' | ';' | '`' | '\\' => drop(write!(escaped, "#{};", u32::from(char))),
            _ => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use portcullis_console::report::{Edge, Location};

    use super::*;

    fn graph() -> Graph {
        let location = |object: &str, path: &str| Location {
            file: "a.md".to_owned(),
            line: 3,
            end_line: 3,
            object: object.to_owned(),
            path: path.to_owned(),
        };
        let vertex = |kind, namespace: &str, name: &str, exists| Vertex {
            kind,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            exists,
            location: location("", ""),
        };
        Graph {
            vertices: vec![
                vertex("Secret", "shop", "pay\"<b>", false),
                vertex("Pod", "shop", "cart", true),
                vertex("Node", "", "n", false),
            ],
            edges: vec![
                Edge { from: 0, to: 1, location: location("Pod/shop/cart", "spec.volumes[0].secret.secretName") },
                Edge { from: 1, to: 2, location: location("Pod/shop/cart", "spec.nodeName") },
            ],
            hidden: 4,
        }
    }

    #[test]
    fn dot_is_drawn() {
        let expected = r#"digraph {
  rankdir=LR
  v0 [shape=note, style=dashed, label="Secret\nshop/pay\"<b> (absent)"]
  v1 [shape=ellipse, label="Pod\nshop/cart"]
  v2 [shape=box3d, style=dashed, label="Node\nn"]
  v0 -> v1 [tooltip="Pod/shop/cart spec.volumes[0].secret.secretName"]
  v1 -> v2 [tooltip="Pod/shop/cart spec.nodeName"]
  label="4 more are not shown"
}
"#;
        assert_eq!(dot(&graph()), expected);
    }

    #[test]
    fn mermaid_is_drawn() {
        let expected = r#"graph LR
  v0["Secret<br/>shop/pay#34;#60;b#62; (absent)"]
  v1("Pod<br/>shop/cart")
  v2[["Node<br/>n"]]
  v0 --> v1
  v1 --> v2
  classDef absent stroke-dasharray: 4
  class v0,v2 absent
  more["4 more are not shown"]
"#;
        assert_eq!(mermaid(&graph()), expected);
    }
}
