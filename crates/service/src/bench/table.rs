//! Tables for people: columns as wide as their widest cell.

/// Rows under a heading; the first column is aligned to the left, figures to
/// the right.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
    left: usize,
}

impl Table {
    /// A table whose first `left` columns hold words.
    pub(super) fn new<const N: usize>(left: usize, heading: [&str; N]) -> Table {
        Table { rows: vec![heading.map(str::to_owned).to_vec()], left }
    }

    /// Adds a row.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// The lines, each ended.
    pub(super) fn text(&self) -> String {
        let columns = self.rows[0].len();
        let width = |column: usize| {
            self.rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| {
                    if column < self.left {
                        format!("{cell:width$}")
                    } else {
                        format!("{cell:>width$}")
                    }
                })
                .collect();
            text.push_str(cells.join("  ").trim_end());
            text.push('\n');
        }
        text
    }
}

/// A figure, or a dash where there is none.
pub(super) fn cell<T>(value: Option<T>, show: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "-".to_owned(), show)
}

/// A whole number with its thousands grouped.
pub(super) fn whole(number: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates")]
    let rounded = number.round() as u128;
    crate::summary::grouped(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_figures_right() {
        let mut table = Table::new(1, ["reader", "records/s"]);
        table.row(["bare".to_owned(), whole(1_234_567.4)]);
        table.row(["usdt-flow".to_owned(), cell(None, whole)]);
        assert_eq!(
            table.text(),
            "reader     records/s\n\
             bare       1,234,567\n\
             usdt-flow          -\n"
        );
    }
}
