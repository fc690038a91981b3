//! Hops for other programs: JSON, CSV, and graphs for Graphviz and GraphML.

use std::collections::BTreeSet;
use std::io::Write;

use flow_codec::address;
use flow_core::{Hop, Past, Trace, TraceGraph, TracePath};
use serde_json::{Value, json};

use super::hop::{COLUMNS, FullHop, totals};

/// The hops, the books and the final holders as one JSON object.
///
/// # Errors
/// If it cannot be written.
pub fn json(
    out: &mut dyn Write,
    past: &Past,
    case: &str,
    trace: &Trace,
    hops: &[FullHop],
) -> anyhow::Result<()> {
    let held = trace.held.iter().map(|held| {
        json!({
            "account": address::format_account(past.account(held.account)),
            "tainted": held.tainted.to_string(),
            "hops": held.hops,
            "frozen": held.frozen,
        })
    });
    let told = json!({
        "case": case,
        "policy": trace.policy.name(),
        "hops_total": trace.hops.len(),
        "hops": hops.iter().map(|hop| hop.json(trace)).collect::<Vec<Value>>(),
        "totals": totals(&trace.totals),
        "held": held.collect::<Vec<Value>>(),
    });
    Ok(writeln!(out, "{told:#}")?)
}

/// Paths as one JSON object.
///
/// # Errors
/// If it cannot be written.
pub fn paths_json(
    out: &mut dyn Write,
    trace: &Trace,
    paths: &[(TracePath, Vec<FullHop>)],
    given_up: bool,
) -> anyhow::Result<()> {
    let told = paths.iter().map(|(path, hops)| {
        let hops: Vec<Value> = hops.iter().map(|hop| hop.json(trace)).collect();
        json!({ "strength": path.strength.to_string(), "hops": hops })
    });
    let told: Vec<Value> = told.collect();
    let policy = trace.policy.name();
    Ok(writeln!(out, "{:#}", json!({ "policy": policy, "paths": told, "given_up": given_up }))?)
}

/// Paths as CSV, one row for each step.
///
/// # Errors
/// If it cannot be written.
pub fn paths_csv(
    out: &mut dyn Write,
    trace: &Trace,
    paths: &[(TracePath, Vec<FullHop>)],
) -> anyhow::Result<()> {
    let rows = paths.iter().enumerate().flat_map(|(rank, (_, hops))| {
        let steps = hops.iter().enumerate();
        steps.map(move |(step, hop)| (vec![(rank + 1).to_string(), (step + 1).to_string()], hop))
    });
    csv(out, trace, &["path", "step"], rows)
}

/// The hops as CSV; `lead` names columns before theirs and fills them.
///
/// # Errors
/// If it cannot be written.
pub fn csv<'a>(
    out: &mut dyn Write,
    trace: &Trace,
    lead: &[&str],
    rows: impl IntoIterator<Item = (Vec<String>, &'a FullHop)>,
) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(lead.iter().chain(&COLUMNS))?;
    for (lead, hop) in rows {
        writer.write_record(lead.into_iter().chain(hop.row(trace)))?;
    }
    Ok(writer.flush()?)
}

/// The hops as a graph for Graphviz.
///
/// # Errors
/// If it cannot be written.
pub fn dot(out: &mut dyn Write, past: &Past, hops: &[FullHop]) -> anyhow::Result<()> {
    let edges: Vec<Hop> = hops.iter().map(|full| full.hop).collect();
    let graph = TraceGraph::of(&edges);
    let node = |id: u32| {
        let name = address::format_account(past.account(id));
        past.label(id).map_or(name.clone(), |label| format!("{name}\n{}", label.entity))
    };
    let edge = |rank: u32| {
        let full = &hops[rank as usize];
        let moved = super::words::usdt(full.hop.moved);
        format!("{moved}\n{}\n{}", full.time(), full.tx())
    };
    Ok(out.write_all(graph.dot(node, edge).as_bytes())?)
}

/// The hops as GraphML.
///
/// # Errors
/// If it cannot be written.
pub fn graphml(
    out: &mut dyn Write,
    past: &Past,
    trace: &Trace,
    hops: &[FullHop],
) -> anyhow::Result<()> {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(out, "<graphml xmlns=\"http://graphml.graphdrawing.org/xmlns\">")?;
    for name in ["account", "entity", "kind"] {
        key(out, "node", name)?;
    }
    for name in COLUMNS {
        key(out, "edge", name)?;
    }
    writeln!(out, "  <graph id=\"trace\" edgedefault=\"directed\">")?;
    let accounts: BTreeSet<u32> =
        hops.iter().flat_map(|full| [full.hop.from, full.hop.to]).collect();
    for id in accounts {
        let label = past.label(id);
        writeln!(out, "    <node id=\"a{id}\">")?;
        data(out, "node", "account", &address::format_account(past.account(id)))?;
        data(out, "node", "entity", label.map_or("", |label| &label.entity))?;
        data(out, "node", "kind", label.map_or("", |label| &label.kind))?;
        writeln!(out, "    </node>")?;
    }
    for (rank, full) in hops.iter().enumerate() {
        let (from, to) = (full.hop.from, full.hop.to);
        writeln!(out, "    <edge id=\"h{rank}\" source=\"a{from}\" target=\"a{to}\">")?;
        for (name, text) in COLUMNS.iter().zip(full.row(trace)) {
            data(out, "edge", name, &text)?;
        }
        writeln!(out, "    </edge>")?;
    }
    Ok(writeln!(out, "  </graph>\n</graphml>")?)
}

fn key(out: &mut dyn Write, of: &str, name: &str) -> anyhow::Result<()> {
    let id = format!("{of}_{name}");
    let told = format!("for=\"{of}\" attr.name=\"{name}\" attr.type=\"string\"");
    Ok(writeln!(out, "  <key id=\"{id}\" {told}/>")?)
}

fn data(out: &mut dyn Write, of: &str, name: &str, text: &str) -> anyhow::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    Ok(writeln!(out, "      <data key=\"{of}_{name}\">{}</data>", escaped(text))?)
}

/// Text of XML and HTML. What XML cannot hold at all becomes a question mark.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('?'),
            char if char.is_control() && !matches!(char, '\n' | '\t') => safe.push('?'),
            char => safe.push(char),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_xml_cannot_hold_is_escaped() {
        assert_eq!(escaped("a & <b> \"c\" \u{1}d"), "a &amp; &lt;b&gt; &quot;c&quot; ?d");
    }
}
