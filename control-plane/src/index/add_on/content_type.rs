//! The content type of a text of which nobody says it: by the end of its name, else by how it begins. So that a page
//! is shown and not downloaded, as with the add-on.

use std::path::Path;

/// By the end of a name.
pub(super) fn of_name(name: &str) -> Option<&'static str> {
    let end = Path::new(name).extension()?.to_str()?.to_ascii_lowercase();
    Some(match end.as_str() {
        "html" | "htm" => HTML,
        "css" => "text/css; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "txt" => PLAIN,
        "xml" => XML,
        _ => return None,
    })
}

/// By how a text begins, as far as <https://mimesniff.spec.whatwg.org> tells texts apart; none for an empty one.
pub(super) fn of_text(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', '\u{c}']);
    if text.is_empty() {
        return None;
    }
    let begins = |tag: &&str| {
        let head = text.get(..tag.len());
        let is_there = head.is_some_and(|head| head.eq_ignore_ascii_case(tag));
        let next = text.as_bytes().get(tag.len());
        is_there && (*tag == COMMENT || next.is_some_and(|next| matches!(next, b' ' | b'>')))
    };
    Some(if HTML_TAGS.iter().any(begins) {
        HTML
    } else if text.starts_with("<?xml") {
        XML
    } else {
        PLAIN
    })
}

const HTML: &str = "text/html; charset=utf-8";
const PLAIN: &str = "text/plain; charset=utf-8";
const XML: &str = "text/xml; charset=utf-8";

const COMMENT: &str = "<!--";
const HTML_TAGS: [&str; 17] = [
    "<!doctype html",
    "<html",
    "<head",
    "<script",
    "<iframe",
    "<h1",
    "<div",
    "<font",
    "<table",
    "<a",
    "<style",
    "<title",
    "<b",
    "<body",
    "<br",
    "<p",
    COMMENT,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_that_of_the_name_or_of_the_beginning() {
        assert_eq!(of_name("a/Page.HTML"), Some(HTML));
        assert_eq!(of_name("page"), None);
        for (text, kind) in [
            ("\n <!DOCTYPE html>", Some(HTML)),
            ("<!--x-->", Some(HTML)),
            ("<bold>", Some(PLAIN)),
            ("<?xml version=\"1.0\"?>", Some(XML)),
            ("we start", Some(PLAIN)),
            (" \n", None),
        ] {
            assert_eq!(of_text(text), kind, "{text:?}");
        }
    }
}
