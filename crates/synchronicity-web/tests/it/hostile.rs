//! Whatever a crate, a build or another member wrote is text, and is seen.

use synchronicity_web::badge;
use synchronicity_web::page;

use crate::samples::{atom, frame, pages, row};

#[test]
fn markup_in_any_field_of_any_page_is_text() {
    for text in
        ["<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "' onload='x", "</textarea><b>", "]]>--><!--"]
    {
        let plain = pages("plain");
        for ((name, hostile), (_, plain)) in pages(text)
            .into_iter()
            .chain([("feed", atom(text))])
            .zip(plain.into_iter().chain([("feed", atom("plain"))]))
        {
            // As many tags and quotes as with harmless words: nothing of the text became one.
            for letter in ['<', '>', '"'] {
                let count = |page: &str| page.matches(letter).count();
                assert_eq!(count(&hostile), count(&plain), "{name}: {letter} of {text}");
            }
            assert!(!hostile.contains("<script>alert") && !hostile.contains("<img src=x"), "{name}");
        }
    }
}

#[test]
fn what_controls_a_terminal_or_turns_a_line_around_is_spelled_out() {
    let text = "a\u{202e}b\u{1b}[2J\u{200b}\u{0}c";
    for (name, page) in pages(text).into_iter().chain([("feed", atom(text))]) {
        let unseen = page
            .chars()
            .find(|letter| !(synchronicity_verify::printable::is_printable(*letter) || matches!(letter, '\n' | '\t')));
        assert_eq!(unseen, None, "{name}");
        assert!(page.contains("\\u{202e}"), "{name} does not show it at all");
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_makes_no_large_page() {
    let line = "x".repeat(100 << 20);
    let mut it = synchronicity_web::model::Home::default();
    it.recent.push(row(&line));
    let page = page::home(&frame("plain"), &it);
    assert!(page.len() < 64 * 1024, "{} bytes", page.len());
    assert!(page.contains("… (104853504 more bytes)"));
}

#[test]
fn a_badge_is_a_picture_whatever_the_crate_is_called() {
    let picture = badge::badge(Some(&row("<script>")));
    assert!(!picture.contains("script"), "a badge shows no name: {picture}");
}
