//! Is what a command printed what the document says?
//!
//! A line that is only `...` stands for any number of lines, `[..]` for anything within a line; white space at a line's
//! end and blank lines at both ends do not count; all else is compared byte by byte.

/// Comparisons of lines after which two texts count as different: keeps a hostile document from hanging the page.
const BUDGET: usize = 5_000_000;

/// Cells of the table behind [`align`]; longer texts are set side by side line by line.
const ALIGNED: usize = 1_000_000;

/// Whether `actual` is as `expected` says.
pub fn matches(expected: &str, actual: &str) -> bool {
    let (expected, actual) = (lines(expected), lines(actual));
    let mut budget = BUDGET;
    let mut groups = expected.split(|line| is_gap(line));
    let Some(first) = groups.next() else { return actual.is_empty() };
    let Some(last) = groups.next_back() else {
        return first.len() == actual.len() && starts_with(&actual, first, &mut budget);
    };
    if !starts_with(&actual, first, &mut budget) {
        return false;
    }
    let mut rest = actual.get(first.len()..).unwrap_or_default();
    for group in groups {
        while !starts_with(rest, group, &mut budget) {
            match rest.split_first() {
                Some((_, tail)) if budget > 0 => rest = tail,
                _ => return false,
            }
        }
        rest = rest.get(group.len()..).unwrap_or_default();
    }
    rest.len()
        .checked_sub(last.len())
        .and_then(|at| rest.get(at..))
        .is_some_and(|end| starts_with(end, last, &mut budget))
}

/// One row of two texts side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row<'a> {
    /// A line of the expected text.
    pub expected: Option<&'a str>,
    /// A line of the actual text.
    pub actual: Option<&'a str>,
    /// Whether the row is as it should be.
    pub same: bool,
}

/// Two texts side by side, with as many lines beside their like as can be.
pub fn align<'a>(expected: &'a str, actual: &'a str) -> Vec<Row<'a>> {
    let (left, right) = (lines(expected), lines(actual));
    let width = right.len() + 1;
    if (left.len() + 1).saturating_mul(width) > ALIGNED {
        return (0..left.len().max(right.len()))
            .map(|at| (left.get(at).copied(), right.get(at).copied()))
            .map(|(expected, actual)| Row { expected, actual, same: pair_matches(expected, actual) })
            .collect();
    }
    // cost[i * width + j]: how many lines stay alone when left[i..] meets right[j..].
    let mut cost = vec![0u32; (left.len() + 1) * width];
    let at = |cost: &[u32], i: usize, j: usize| cost.get(i * width + j).copied().unwrap_or_default();
    for i in (0..=left.len()).rev() {
        for j in (0..=right.len()).rev() {
            let best = match (left.get(i), right.get(j)) {
                (None, None) => 0,
                (None, Some(_)) => 1 + at(&cost, i, j + 1),
                (Some(line), None) => u32::from(!is_gap(line)) + at(&cost, i + 1, j),
                (Some(line), Some(_)) if is_gap(line) => at(&cost, i + 1, j).min(at(&cost, i, j + 1)),
                (Some(pattern), Some(line)) if line_matches(pattern, line) => at(&cost, i + 1, j + 1),
                _ => 1 + at(&cost, i + 1, j).min(at(&cost, i, j + 1)),
            };
            if let Some(cell) = cost.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let mut rows = Vec::new();
    let (mut i, mut j) = (0, 0);
    loop {
        let (expected, actual) = (left.get(i).copied(), right.get(j).copied());
        let row = match (expected, actual) {
            (None, None) => return rows,
            (Some(line), _) if is_gap(line) => {
                let skips = actual.is_some() && at(&cost, i, j + 1) < at(&cost, i + 1, j);
                Row { expected: Some(line).filter(|_| !skips), actual: actual.filter(|_| skips), same: true }
            }
            (Some(pattern), Some(line)) if line_matches(pattern, line) => Row { expected, actual, same: true },
            (Some(_), None) => Row { expected, actual: None, same: false },
            (Some(_), Some(_)) if at(&cost, i + 1, j) <= at(&cost, i, j + 1) => {
                Row { expected, actual: None, same: false }
            }
            _ => Row { expected: None, actual, same: false },
        };
        i += usize::from(row.expected.is_some());
        j += usize::from(row.actual.is_some());
        rows.push(row);
    }
}

fn pair_matches(expected: Option<&str>, actual: Option<&str>) -> bool {
    matches!((expected, actual), (Some(pattern), Some(line)) if line_matches(pattern, line))
}

fn is_gap(line: &str) -> bool {
    line.trim() == "..."
}

/// The lines that count, without the white space that does not.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).skip_while(|line| line.is_empty()).collect();
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    lines
}

fn starts_with(lines: &[&str], patterns: &[&str], budget: &mut usize) -> bool {
    lines.len() >= patterns.len()
        && patterns.iter().zip(lines).all(|(pattern, line)| {
            *budget = budget.saturating_sub(1);
            *budget > 0 && line_matches(pattern, line)
        })
}

/// Leftmost matches suffice: what `[..]` took too little of, the next one takes.
fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("[..]").peekable();
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, tail)) => rest = tail,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_as_the_design_says() {
        for (expected, actual, same) in [
            ("", "", true),
            ("", "a", false),
            ("a", "", false),
            ("a", "a\n", true),
            ("\n\na  \nb\n\n", "a\nb\t\r\n", true),
            ("a\n\nb", "a\nb", false),
            ("a\tb", "a b", false),
            (" a", "a", false),
            ("...", "", true),
            ("...", "a\nb", true),
            ("  ...\t", "a\nb", true),
            ("a\n...", "a", true),
            ("a\n...", "b\na", false),
            ("...\nb", "a\nb", true),
            ("...\nb", "b\na", false),
            ("a\n...\na", "a", false),
            ("a\n...\na", "a\na", true),
            ("a\n...\nb\n...\nc", "a\nb\nx\nb\nc", true),
            ("a\n...\nb\nc\n...\nd", "a\nb\nx\nb\nc\nd", true),
            ("a\n...\n...\nb", "a\nb", true),
            ("x ...", "x y", false),
            ("....", "a", false),
            ("[..]", "", false),
            ("a\n[..]\nb", "a\n\nb", true),
            ("[..]", "a\nb", false),
            ("a[..]c", "abc", true),
            ("a[..]c", "ac", true),
            ("a[..]a", "a", false),
            ("a[..]b[..]c", "axbybzc", true),
            ("a[..]b[..]c", "axcyb", false),
            ("[[..]]", "[x]", true),
            ("[..]a", "ba  ", true),
            ("a[..]", "ä", false),
            ("a[.]b", "a[.]b", true),
        ] {
            assert_eq!(matches(expected, actual), same, "{expected:?} {actual:?}");
        }
    }

    #[test]
    fn ends_on_what_a_naive_matcher_would_never_finish() {
        let line = "a".repeat(100_000);
        assert!(!matches(&format!("{}b", "[..]a".repeat(50_000)), &line));
        let many = "a\n".repeat(200_000);
        assert!(!matches(&format!("...\n{}b\n...\n", "a\n".repeat(100_000)), &many));
    }

    #[test]
    fn puts_like_beside_like() {
        let rows = |expected, actual| -> Vec<(Option<&str>, Option<&str>, bool)> {
            align(expected, actual).iter().map(|row| (row.expected, row.actual, row.same)).collect()
        };
        assert_eq!(
            rows("a\nb\nc", "a\nx\nc"),
            [
                (Some("a"), Some("a"), true),
                (Some("b"), None, false),
                (None, Some("x"), false),
                (Some("c"), Some("c"), true)
            ]
        );
        assert_eq!(
            rows("a\n...\nz", "a\nb\nz"),
            [
                (Some("a"), Some("a"), true),
                (None, Some("b"), true),
                (Some("..."), None, true),
                (Some("z"), Some("z"), true)
            ]
        );
    }
}
