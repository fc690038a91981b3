//! A document in parts, written once and rendered as Markdown or as HTML.

use super::{html, markdown};

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its title.
    pub title: String,
    /// What it says.
    pub parts: Vec<Part>,
}

/// A part of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A heading below the title: level 2 or 3.
    Heading(u8, Text),
    /// A paragraph.
    Paragraph(Text),
    /// A list of points.
    List(Vec<Text>),
    /// A table.
    Table(Table),
    /// Text as it stands, such as a command.
    Listing(String),
}

/// A table; each row has as many cells as there are columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Headings of the columns; without any the first column names the rows.
    pub columns: Vec<Column>,
    /// The cells.
    pub rows: Vec<Vec<Text>>,
}

/// A column of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// What stands above it.
    pub name: &'static str,
    /// Whether it holds figures, which stand flush right.
    pub figures: bool,
}

/// A column of words.
pub const fn words(name: &'static str) -> Column {
    Column { name, figures: false }
}

/// A column of figures.
pub const fn figures(name: &'static str) -> Column {
    Column { name, figures: true }
}

/// Running text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<Span>);

/// A stretch of running text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Span {
    /// Words.
    Plain(String),
    /// What a machine reads: an address, a transaction, a command.
    Code(String),
    /// Words of weight.
    Strong(String),
    /// The next line of a cell.
    Break,
}

impl Text {
    /// Words.
    pub fn plain(words: impl Into<String>) -> Text {
        Text::default().and(words)
    }

    /// What a machine reads.
    pub fn code(text: impl Into<String>) -> Text {
        Text::default().and_code(text)
    }

    /// Words of weight.
    pub fn strong(words: impl Into<String>) -> Text {
        Text(vec![Span::Strong(words.into())])
    }

    /// The same with more words.
    #[must_use]
    pub fn and(mut self, words: impl Into<String>) -> Text {
        self.0.push(Span::Plain(words.into()));
        self
    }

    /// The same with more for a machine.
    #[must_use]
    pub fn and_code(mut self, text: impl Into<String>) -> Text {
        self.0.push(Span::Code(text.into()));
        self
    }

    /// The same, going on in the next line of its cell.
    #[must_use]
    pub fn next_line(mut self) -> Text {
        self.0.push(Span::Break);
        self
    }
}

impl From<&str> for Text {
    fn from(words: &str) -> Text {
        Text::plain(words)
    }
}

impl From<String> for Text {
    fn from(words: String) -> Text {
        Text::plain(words)
    }
}

impl Document {
    /// A document with nothing but its title.
    pub fn new(title: impl Into<String>) -> Document {
        Document { title: title.into(), parts: Vec::new() }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, name: impl Into<Text>) {
        self.parts.push(Part::Heading(2, name.into()));
    }

    /// Begins a section of a chapter.
    pub fn section(&mut self, name: impl Into<Text>) {
        self.parts.push(Part::Heading(3, name.into()));
    }

    /// Adds a paragraph.
    pub fn say(&mut self, text: impl Into<Text>) {
        self.parts.push(Part::Paragraph(text.into()));
    }

    /// Adds a list of points.
    pub fn list(&mut self, points: impl IntoIterator<Item = Text>) {
        self.parts.push(Part::List(points.into_iter().collect()));
    }

    /// Adds a table.
    pub fn table(&mut self, columns: &[Column], rows: Vec<Vec<Text>>) {
        self.parts.push(Part::Table(Table { columns: columns.to_vec(), rows }));
    }

    /// Adds text as it stands.
    pub fn listing(&mut self, text: impl Into<String>) {
        self.parts.push(Part::Listing(text.into()));
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// As one HTML page that needs nothing else and prints on A4.
    pub fn html(&self) -> String {
        html::render(self)
    }
}

/// Text that others wrote, on one line, without what could not be seen or
/// would turn the order of what can.
pub(super) fn visible(text: &str) -> String {
    let turns = |char: char| matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let seen = |char: char| match char {
        '\n' | '\t' | '\r' => ' ',
        char if char.is_control() || turns(char) || matches!(char, '\u{fffe}' | '\u{ffff}') => '?',
        char => char,
    };
    text.chars().map(seen).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_stays_text() {
        let hostile = "<script>alert(1)</script> | `x` *y* [z](http://a) \u{202e}\n# &amp;";
        let mut document = Document::new(hostile);
        document.say(hostile);
        document.table(
            &[words("who"), figures("what")],
            vec![vec![Text::code(hostile), Text::strong("a|b")]],
        );
        document.list([Text::plain("one").next_line().and("two")]);
        document.listing("```\n<b>");
        let safe = r"\<script\>alert(1)\</script\> \| \`x\` \*y\* \[z\](http://a) ? \# \&amp;";
        let code = r"`` <script>alert(1)</script> \| `x` *y* [z](http://a) ? # &amp; ``";
        let expected = format!(
            "# {safe}\n\n{safe}\n\n| who | what |\n| --- | ---: |\n| {code} | **a\\|b** |\n\n\
             - one<br>two\n\n````\n```\n<b>\n````\n"
        );
        assert_eq!(document.markdown(), expected);
        let html = document.html();
        let (_, body) = html.split_once("<body>").unwrap();
        let safe = "&lt;script&gt;alert(1)&lt;/script&gt; | `x` *y* [z](http://a) ? # &amp;amp;";
        let expected = format!(
            "\n<h1>{safe}</h1>\n<p>{safe}</p>\n<table>\n<thead><tr><th>who</th><th class=\"n\">what\
             </th></tr></thead>\n<tbody>\n<tr><td><code>{safe}</code></td><td class=\"n\"><strong>a|b\
             </strong></td></tr>\n</tbody>\n</table>\n<ul>\n<li>one<br>two</li>\n</ul>\n\
             <pre>```\n&lt;b&gt;</pre>\n</body>\n</html>\n"
        );
        assert_eq!(body, expected);
        assert!(html.starts_with("<!DOCTYPE html>") && !html.contains("<script"));
    }
}
