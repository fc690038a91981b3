//! A document as one page of HTML: no scripts, nothing fetched, ready to print
//! on A4.

use super::document::{Document, Part, Span, Table, Text, visible};
use crate::trace::export::escaped;

const STYLE: &str = include_str!("style.css");

/// The longest code that a cell need not break: a transaction's hash with its
/// prefix.
const UNBROKEN_MAX: usize = 66;

pub(super) fn render(document: &Document) -> String {
    let title = words(&document.title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    for part in &document.parts {
        page += &match part {
            Part::Heading(level, name) => format!("<h{level}>{}</h{level}>\n", line(name)),
            Part::Paragraph(words) => format!("<p>{}</p>\n", line(words)),
            Part::List(points) => {
                let points: String =
                    points.iter().map(|point| format!("<li>{}</li>\n", line(point))).collect();
                format!("<ul>\n{points}</ul>\n")
            }
            Part::Table(table) => rows(table),
            Part::Listing(listing) => format!("<pre>{}</pre>\n", escaped(listing.trim_end())),
        };
    }
    page + "</body>\n</html>\n"
}

fn rows(table: &Table) -> String {
    let figures = |at: usize| table.columns.get(at).is_some_and(|column| column.figures);
    let class = |at: usize| if figures(at) { " class=\"n\"" } else { "" };
    let heading = |(at, column): (usize, &super::document::Column)| {
        format!("<th{}>{}</th>", class(at), words(column.name))
    };
    let mut text = if table.columns.is_empty() {
        "<table class=\"facts\">\n<tbody>\n".to_owned()
    } else {
        let heads: String = table.columns.iter().enumerate().map(heading).collect();
        format!("<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n")
    };
    for cells in &table.rows {
        let cell = |(at, cell): (usize, &Text)| match at {
            0 if table.columns.is_empty() => format!("<th>{}</th>", line(cell)),
            _ => format!("<td{}>{}</td>", class(at), line(cell)),
        };
        let cells: String = cells.iter().enumerate().map(cell).collect();
        text += &format!("<tr>{cells}</tr>\n");
    }
    text + "</tbody>\n</table>\n"
}

fn line(text: &Text) -> String {
    let span = |span: &Span| match span {
        Span::Plain(plain) => words(plain),
        Span::Strong(strong) => format!("<strong>{}</strong>", words(strong)),
        Span::Code(code) => {
            let class = if code.chars().count() > UNBROKEN_MAX { " class=\"long\"" } else { "" };
            format!("<code{class}>{}</code>", words(code))
        }
        Span::Break => "<br>".to_owned(),
    };
    text.0.iter().map(span).collect()
}

fn words(text: &str) -> String {
    escaped(&visible(text))
}
