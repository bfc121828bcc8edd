//! A file's documents. YAML ends a document at a line of `---` or `...` whatever stands around it, so
//! that one which does not parse leaves the others whole.

/// One document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Document<'a> {
    /// Its place in the file, from 1; one that says nothing is not counted.
    pub(super) index: usize,
    /// The lines before it.
    pub(super) n_lines_before: usize,
    /// It itself, without the marker.
    pub(super) text: &'a str,
}

pub(super) fn documents(file: &str) -> Vec<Document<'_>> {
    let file = file.strip_prefix('\u{feff}').unwrap_or(file);
    let (mut all, mut n_lines_before) = (Vec::new(), 0);
    let mut rest = file;
    loop {
        let (text, marker, after) = until_marker(rest);
        if says_something(text) {
            all.push(Document {
                index: all.len() + 1,
                n_lines_before,
                text,
            });
        }
        let Some(marker) = marker else { return all };
        n_lines_before += text.matches('\n').count();
        // What stands behind the marker on its own line belongs to the document that it opens.
        rest = after;
        if marker.ends_with('\n') {
            n_lines_before += 1;
        }
    }
}

/// The text before the next marker, the marker with what separates it, and the rest.
fn until_marker(text: &str) -> (&str, Option<&str>, &str) {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if let Some(n_marker) = marker_len(line) {
            let (before, from) = text.split_at_checked(at).unwrap_or((text, ""));
            let (marker, after) = from.split_at_checked(n_marker).unwrap_or((from, ""));
            return (before, Some(marker), after);
        }
        at += line.len();
    }
    (text, None, "")
}

fn marker_len(line: &str) -> Option<usize> {
    let behind = line
        .strip_prefix("---")
        .or_else(|| line.strip_prefix("..."))?;
    match behind.trim_start() {
        "" => Some(line.len()),
        _ if behind.starts_with([' ', '\t']) => Some(4),
        _ => None,
    }
}

fn says_something(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim();
        !(line.is_empty() || line.starts_with('#') || line.starts_with('%'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(file: &str, expected: &[(usize, &str)]) {
        let found = documents(file);
        let found: Vec<_> = found
            .iter()
            .map(|found| (found.n_lines_before, found.text))
            .collect();
        assert_eq!(found, expected, "{file:?}");
    }

    #[test]
    fn markers_part_documents_and_empty_ones_are_none() {
        check("", &[]);
        check("# only this\n", &[]);
        check("a: 1", &[(0, "a: 1")]);
        check("a: 1\n---\nb: 2\n", &[(0, "a: 1\n"), (2, "b: 2\n")]);
        check(
            "---\na: 1\n---\n# none\n---\nb: 2\n...\n",
            &[(1, "a: 1\n"), (5, "b: 2\n")],
        );
        check(
            "--- {a: 1}\n--- # said\nb: 2\n",
            &[(0, "{a: 1}\n"), (1, "# said\nb: 2\n")],
        );
        check(
            "%YAML 1.2\n---\na: 1\r\n---\r\nb: 2",
            &[(2, "a: 1\r\n"), (4, "b: 2")],
        );
    }

    #[test]
    fn a_marker_stands_alone_at_the_start_of_its_line() {
        check(
            "a: |\n  ---\n  x\n----\n",
            &[(0, "a: |\n  ---\n  x\n----\n")],
        );
    }
}
