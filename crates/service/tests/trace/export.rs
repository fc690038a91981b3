//! Graphs that other programs can read, whatever a label says.

use std::collections::BTreeSet;

use crate::common::{FLAGGED, Folder, slice};

fn graph(folder: &Folder, format: &str) -> String {
    let past = ["events.csv", "--labels", "labels.csv", "--output", format];
    // The second wallet's units reach the service.
    folder.ask(&[&["trace", "forward", "--from", FLAGGED[1]][..], &past].concat())
}

/// The names of all tags in order, closing ones with a slash; panics where the
/// text is not well-formed.
fn tags(xml: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = xml.trim();
    while let Some(start) = rest.find('<') {
        check_text(&rest[..start]);
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<'), "{tag}");
        check_text(tag);
        rest = &rest[end + 1..];
        let name = tag.split([' ', '/']).next().expect("a name").to_owned();
        if let Some(closed) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
        } else if !tag.ends_with('/') && !tag.starts_with('?') {
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            open.push(name.clone());
        }
        tags.push(name);
    }
    assert!(open.is_empty() && rest.is_empty());
    tags
}

fn check_text(text: &str) {
    let entities = ["amp;", "lt;", "gt;", "quot;"];
    for (at, _) in text.match_indices('&') {
        assert!(entities.iter().any(|entity| text[at + 1..].starts_with(entity)), "{text}");
    }
    assert!(text.chars().all(|char| !char.is_control() || char == '\n'), "{text:?}");
}

#[test]
fn graphml_is_well_formed_and_whole() {
    let folder = Folder::new(&slice());
    let xml = graph(&folder, "graphml");
    let tags = tags(&xml);
    let hops = graph(&folder, "csv").lines().count() - 1;
    assert_eq!(tags.iter().filter(|tag| *tag == "edge").count(), hops);
    assert!(xml.contains("Alder &quot;&amp; Sons&quot; &lt;b&gt;\\</data>"));
    let ids = |start: &str| -> BTreeSet<String> {
        let parts = xml.split(start).skip(1);
        parts.map(|part| part.split('"').next().expect("a value").to_owned()).collect()
    };
    let nodes = ids("<node id=\"");
    assert!(ids("source=\"").is_subset(&nodes) && ids("target=\"").is_subset(&nodes));
    let keys = ids("<key id=\"");
    assert!(ids("<data key=\"").is_subset(&keys));
}

/// The rest behind a string of Graphviz; panics where none begins.
fn behind_string(text: &str) -> &str {
    let mut chars = text.strip_prefix('"').expect("a string begins").char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => {
                let (_, escaped) = chars.next().expect("something is escaped");
                assert!(matches!(escaped, '"' | '\\' | 'n'), "{escaped}");
            }
            '"' => return &text[at + 2..],
            _ => {}
        }
    }
    panic!("the string does not end: {text}");
}

#[test]
fn dot_is_what_graphviz_reads() {
    let folder = Folder::new(&slice());
    let dot = graph(&folder, "dot");
    let mut lines = dot.lines();
    assert_eq!(lines.next(), Some("digraph trace {"));
    let mut lines: Vec<&str> = lines.collect();
    assert_eq!(lines.pop(), Some("}"));
    let (mut nodes, mut edges) = (BTreeSet::new(), 0);
    for line in lines.into_iter().skip(2) {
        let (what, label) = line.trim().split_once(" [label=").expect("a node or an edge");
        assert_eq!(behind_string(label), "];", "{line}");
        match what.split_once(" -> ") {
            Some((from, to)) => {
                assert!(nodes.contains(from) && nodes.contains(to), "{line}");
                edges += 1;
            }
            None => assert!(nodes.insert(what), "{line}"),
        }
    }
    assert_eq!(edges, graph(&folder, "csv").lines().count() - 1);
    assert!(dot.contains("Alder \\\"& Sons\\\" <b>\\\\\"];"), "{dot}");
}
