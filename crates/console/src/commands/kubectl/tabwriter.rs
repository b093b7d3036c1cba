//! Columns that fit their cells: Go's `text/tabwriter` in the two ways that kubectl sets it up.
//!
//! A cell ends with a tab; what follows the last tab of a line belongs to no column. A column is a run of consecutive
//! lines that have a cell there, and is as wide as its widest cell.
//! Specified by <https://pkg.go.dev/text/tabwriter> (elastic tabstops).

/// How wide columns are and what fills them.
pub struct Layout {
    min_width: usize,
    padding: usize,
    /// 0: fill with spaces; otherwise with tabs of this width.
    tab_width: usize,
}

/// `kubectl get`: spaces, every column at least ten wide, three between.
pub const TABLE: Layout = Layout { min_width: 10, padding: 3, tab_width: 0 };

/// `kubectl describe`: tabs only.
pub const DESCRIPTION: Layout = Layout { min_width: 0, padding: 1, tab_width: 8 };

/// Tabs behind this many of a line are text: columns nest, and a pasted value may hold any number of tabs.
const MAX_COLUMNS: usize = 64;

/// Aligns `text`.
pub fn align(text: &str, layout: &Layout) -> String {
    let lines: Vec<Vec<&str>> = text.split('\n').map(|line| line.splitn(MAX_COLUMNS, '\t').collect()).collect();
    let mut out = String::with_capacity(text.len() * 2);
    block(&lines, layout, &mut Vec::new(), &mut out);
    out.pop(); // The line feed behind the last line, which `split` made.
    out
}

/// Writes `lines`, whose first `widths.len()` columns are known.
fn block(lines: &[Vec<&str>], layout: &Layout, widths: &mut Vec<usize>, out: &mut String) {
    let column = widths.len();
    let has_cell = |line: &Vec<&str>| column + 1 < line.len();
    let mut rest = lines;
    while let Some(start) = rest.iter().position(has_cell) {
        let (before, from_here) = rest.split_at(start);
        write(before, layout, widths, out);
        let length = from_here.iter().position(|line| !has_cell(line)).unwrap_or(from_here.len());
        let (inside, after) = from_here.split_at(length);
        let widest = inside.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
        widths.push(layout.min_width.max(widest.unwrap_or(0) + layout.padding));
        block(inside, layout, widths, out);
        widths.pop();
        rest = after;
    }
    write(rest, layout, widths, out);
}

fn write(lines: &[Vec<&str>], layout: &Layout, widths: &[usize], out: &mut String) {
    for line in lines {
        for (at, cell) in line.iter().enumerate() {
            out.push_str(cell);
            let Some(width) = widths.get(at).filter(|_| at + 1 < line.len()) else { continue };
            let length = cell.chars().count();
            let (fill, count) = match layout.tab_width {
                0 => (' ', width.saturating_sub(length)),
                tab => ('\t', (width.next_multiple_of(tab).saturating_sub(length)).div_ceil(tab)),
            };
            out.extend(std::iter::repeat_n(fill, count));
        }
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_go_makes_them() {
        let table = [
            // Two tables: a line without the tab ends a column.
            ("NAME\tAGE\na\t1d\n", &TABLE, "NAME      AGE\na         1d\n"),
            (
                "NAME\tAGE\na-name-of-some-length\t1d\n",
                &TABLE,
                "NAME                    AGE\na-name-of-some-length   1d\n",
            ),
            ("Name:\tx\nLabels:\t<none>\n", &DESCRIPTION, "Name:\tx\nLabels:\t<none>\n"),
            ("Name:\tx\nAnnotations:\ty\n", &DESCRIPTION, "Name:\t\tx\nAnnotations:\ty\n"),
            // The rows of cluster-admin, of which the first has an empty resource.
            ("  \t[*]\t[]\t[*]\n  *.*\t[]\t[]\t[*]\n", &DESCRIPTION, "  \t[*]\t[]\t[*]\n  *.*\t[]\t[]\t[*]\n"),
            ("Role:\n  Kind:\tA\n  Name:\tB\n", &DESCRIPTION, "Role:\n  Kind:\tA\n  Name:\tB\n"),
            // Runes count, not bytes; an empty cell is filled as any other.
            ("é\tx\nabcdefg\ty\n", &DESCRIPTION, "é\tx\nabcdefg\ty\n"),
            ("a\n", &TABLE, "a\n"),
            ("", &TABLE, ""),
        ];
        for (text, layout, expected) in table {
            assert_eq!(align(text, layout), expected, "{text:?}");
        }
    }

    #[test]
    fn any_number_of_tabs_comes_through() {
        let text = format!("{}\n", "\t".repeat(100_000));
        assert!(align(&text, &TABLE).len() >= 100_000);
    }
}
