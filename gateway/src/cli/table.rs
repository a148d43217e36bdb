//! Tables for people.

use std::fmt;

use unicode_width::UnicodeWidthStr;

use super::output::harmless;

/// Rows under headings, in columns that are as wide as their widest cell.
pub(crate) struct Table {
    headings: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(headings: &[&'static str]) -> Self {
        Self { headings: headings.to_vec(), rows: Vec::new() }
    }

    /// Adds a row with a cell for each heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(cells.into_iter().map(|cell| harmless(&cell).into_owned()).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headings: Vec<String> = self.headings.iter().map(ToString::to_string).collect();
        let lines: Vec<&Vec<String>> = std::iter::once(&headings).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..headings.len())
            .map(|column| {
                lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
            })
            .collect();
        for (number, line) in lines.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            let mut text = String::new();
            for (cell, width) in line.iter().zip(&widths) {
                text.push_str(cell);
                text.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
            }
            f.write_str(text.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["ID", "TARGET", "STATE"]);
        table.row(["1".into(), "東京".into(), "open".into()]);
        table.row(["22".into(), "a\x07b".into(), String::new()]);
        assert_eq!(table.to_string(), "ID  TARGET  STATE\n1   東京    open\n22  a\u{fffd}b");
    }
}
