//! A document as Markdown, in GitHub's dialect.

use super::document::{Document, Part, Span, Table, Text, visible};

pub(super) fn render(document: &Document) -> String {
    let mut text = format!("# {}\n", escaped(&document.title));
    for part in &document.parts {
        text.push('\n');
        match part {
            Part::Heading(level, name) => {
                text += &format!("{} {}\n", "#".repeat(usize::from(*level)), line(name, false));
            }
            Part::Paragraph(words) => text += &format!("{}\n", line(words, false)),
            Part::List(points) => {
                for point in points {
                    text += &format!("- {}\n", line(point, false));
                }
            }
            Part::Table(table) => text += &rows(table),
            Part::Listing(listing) => {
                let fence = "`".repeat(longest_run(listing).max(2) + 1);
                text += &format!("{fence}\n{}\n{fence}\n", listing.trim_end());
            }
        }
    }
    text
}

fn rows(table: &Table) -> String {
    let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let width = table.rows.first().map_or(table.columns.len(), Vec::len);
    let mut text = match table.columns.as_slice() {
        [] => row(vec![String::new(); width]) + &row(vec!["---".to_owned(); width]),
        columns => {
            let rule = |figures: bool| if figures { "---:" } else { "---" }.to_owned();
            row(columns.iter().map(|column| escaped(column.name)).collect())
                + &row(columns.iter().map(|column| rule(column.figures)).collect())
        }
    };
    for cells in &table.rows {
        text += &row(cells.iter().map(|cell| line(cell, true)).collect());
    }
    text
}

fn line(text: &Text, in_table: bool) -> String {
    let span = |span: &Span| match span {
        Span::Plain(words) => escaped(words),
        Span::Strong(words) => format!("**{}**", escaped(words)),
        Span::Break => "<br>".to_owned(),
        Span::Code(code) => {
            let code = coded(&visible(code));
            // A bar ends a cell even within code.
            if in_table { code.replace('|', "\\|") } else { code }
        }
    };
    text.0.iter().map(span).collect()
}

fn coded(code: &str) -> String {
    match longest_run(code) {
        0 => format!("`{code}`"),
        longest => {
            let ticks = "`".repeat(longest + 1);
            format!("{ticks} {code} {ticks}")
        }
    }
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or(0)
}

/// Words that Markdown takes for nothing but words.
fn escaped(words: &str) -> String {
    let mut safe = String::with_capacity(words.len());
    for char in visible(words).chars() {
        if matches!(
            char,
            '\\' | '`'
                | '*'
                | '_'
                | '{'
                | '}'
                | '['
                | ']'
                | '<'
                | '>'
                | '#'
                | '|'
                | '~'
                | '&'
                | '!'
        ) {
            safe.push('\\');
        }
        safe.push(char);
    }
    safe
}
