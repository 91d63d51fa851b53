//! What every page has, for a reader with or without eyes, and what none may have.

use std::collections::BTreeSet;

use synchronicity_web::model::{BuilderRecord, RequestPage, Verdict};
use synchronicity_web::page;

use crate::samples::{builder, empty, frame, pages, request};

fn values<'a>(page: &'a str, attribute: &str) -> Vec<&'a str> {
    let begin = format!(" {attribute}=\"");
    page.match_indices(&begin).map(|(at, _)| page[at + begin.len()..].split('"').next().unwrap()).collect()
}

#[test]
fn every_page_has_one_heading_its_landmarks_and_a_way_past_them() {
    for (name, page) in pages("plain").into_iter().chain(empty()) {
        for once in
            ["<h1>", "<main ", "<header>", "<footer>", "<title>", "lang=\"en\"", "href=\"#main\"", "name=\"viewport\""]
        {
            assert_eq!(page.matches(once).count(), 1, "{name}: {once}");
        }
        assert!(page.contains("<nav aria-label=\"Pages\">"), "{name}");
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, page) in pages("plain").into_iter().chain(empty()) {
        for banned in [" style=", "<style", "javascript:", " onclick", " onload", "<iframe", "http://"] {
            assert!(!page.contains(banned), "{name}: {banned}");
        }
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" src=\"/static/"), "{name}: a script of its own");
            assert!(script.contains("></script>"), "{name}");
        }
        for address in values(&page, "src").into_iter().chain(values(&page, "href")) {
            let own = address.starts_with('/') || address.starts_with('#');
            assert!(own && !address.starts_with("//"), "{name}: {address}");
        }
    }
}

#[test]
fn every_id_is_given_once_and_every_name_that_is_used_is_given() {
    for (page_name, page) in pages("plain").into_iter().chain(empty()) {
        let ids = values(&page, "id");
        let unique: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(unique.len(), ids.len(), "{page_name}: {ids:?}");
        let used = values(&page, "aria-labelledby").into_iter().chain(values(&page, "for"));
        for name in used.chain(values(&page, "list")) {
            assert!(unique.contains(name), "{page_name}: nothing is called {name}");
        }
    }
}

#[test]
fn every_table_has_a_caption_and_named_columns_and_can_be_reached_by_keyboard() {
    for (name, page) in pages("plain") {
        for table in page.split("<table").skip(1) {
            let table = table.split("</table>").next().unwrap();
            assert!(table.contains("<caption>"), "{name}");
            assert!(table.contains("scope=\"col\"") || table.contains("scope=\"row\""), "{name}");
        }
        let regions = page.matches("class=\"wide\" role=\"region\"").count();
        assert_eq!(regions, page.matches("<table").count(), "{name}: a table that cannot be scrolled by keyboard");
    }
}

#[test]
fn the_page_of_a_place_is_marked_in_the_list_of_places() {
    for (name, page) in pages("plain") {
        let marked = page.split("<nav aria-label=\"Pages\">").nth(1).unwrap().split("</nav>").next().unwrap();
        // What is in no list of places is not the first page either.
        let expected = usize::from(!["missing", "search", "crate", "request", "transcript"].contains(&name));
        assert_eq!(marked.matches("aria-current=\"page\"").count(), expected, "{name}");
    }
}

#[test]
fn a_time_line_marks_what_never_came() {
    let (_, page) = pages("plain").into_iter().find(|(name, _)| *name == "request").unwrap();
    assert!(page.contains("<li class=\"bad\"><span class=\"when\">never</span>"), "{page}");
    assert!(page.contains("<td class=\"camp bad\"><b>B</b>"), "{page}");
}

#[test]
fn where_no_threshold_agrees_nobody_is_apart_and_nothing_is_attested() {
    let apart = RequestPage { verdict: Some(Verdict::Diverged), ..request("plain") };
    let page = page::request(&frame("plain"), &apart);
    assert!(page.contains("at most 2 of 3 builders revealed the same; 3 are needed"), "{page}");
    assert!(!page.contains("camp bad") && !page.contains("/attestation/") && page.contains("/proof/index/7"), "{page}");
}

#[test]
fn a_page_of_very_many_rows_stays_small_and_says_where_the_rest_is() {
    let it = request("plain");
    let row = &it.matrix[0];
    let many = RequestPage { matrix: vec![row.clone(); 256], ..it.clone() };
    let shown = page::request(&frame("plain"), &many);
    assert!(shown.len() < 100_000 && shown.contains("And 208 more: <a href=\"/api/v1/requests/"), "{}", shown.len());
    let owed = BuilderRecord { owes: vec!["hexyl 0.17.0".into(); 250], ..builder("plain") };
    let shown = page::builder(&frame("plain"), &owed);
    assert!(shown.contains("And 202 more: <a href=\"/api/v1/builders/plain\">"), "{shown}");
    let again = RequestPage { attempts: vec![it.attempts[0]; 2_000], ..it };
    let shown = page::request(&frame("plain"), &again);
    assert!(
        shown.len() < 100_000 && shown.contains("and 1952 earlier: <a href=\"/api/v1/requests/"),
        "{}",
        shown.len()
    );
}

#[test]
fn a_live_transcript_can_be_searched_as_soon_as_it_may_be_shown() {
    for (transcript, disabled) in [(false, 2), (true, 0)] {
        let page = page::request(&frame("plain"), &RequestPage { transcript, ..request("plain") });
        let form = page.split("<form id=\"transcript-search\"").nth(1).unwrap().split("</form>").next().unwrap();
        assert!(form.contains(&format!("action=\"/requests/{}/transcript\"", "ab".repeat(32))), "{form}");
        assert_eq!(form.matches(" disabled").count(), disabled, "{form}");
    }
}
