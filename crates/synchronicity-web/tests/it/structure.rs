//! What every page has, for a reader with or without eyes, and what none may have.

use std::collections::BTreeSet;

use synchronicity_web::model::{
    BuilderColumn, BuilderRecord, Document, Fact, Happening, MatrixRow, RequestPage, Verdict,
};
use synchronicity_web::{badge, page};

use crate::samples::{builder, empty, frame, pages, request, row};

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
    let apart = RequestPage { verdict: Some(Verdict::Diverged), attested: false, ..request("plain") };
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

/// A text of so many letters, each of which takes the most room that markup has for one.
fn worst(letters: usize) -> String {
    "\u{e0001}".repeat(letters)
}

/// A request's page with as much of everything as a group of 31 can have, all of it hostile.
fn largest(builders: usize, verdict: Verdict) -> RequestPage {
    let it = request("plain");
    let wicked = RequestPage { explanation: request(&worst(16_384)).explanation, ..it.clone() };
    let mut explanation = wicked.explanation.unwrap();
    explanation.findings = vec![explanation.findings[0].clone(); 40];
    // This node's own words, and names of members.
    let name = "m".repeat(64);
    explanation.state = "explained".into();
    explanation.advice = "advice ".repeat(20);
    // It names artifacts.
    explanation.reason = Some(worst(16_384));
    explanation.compared = Some((name.clone(), vec![name.clone(); builders].join(", ")));
    let cell = it.matrix[0].cells[0].clone();
    let row = MatrixRow { name: worst(32), cells: vec![cell; builders] };
    let column = BuilderColumn { name: name.clone(), ..it.builders[0].clone() };
    let happening = Happening { builder: Some(name), what: "revealed ".repeat(6), ..it.timeline[0].clone() };
    RequestPage {
        verdict: Some(verdict),
        explanation: Some(explanation),
        matrix: vec![row; 128 * builders],
        builders: vec![column; builders],
        timeline: vec![happening; 3 + 3 * builders],
        attempts: vec![it.attempts[0]; 2_000],
        recipe: vec![Fact { name: "Variables".into(), value: worst(4_096) }; 11],
        documents: vec![Document { title: "A file".into(), text: worst(8_192) }; 3],
        ..it
    }
}

#[test]
fn a_request_with_as_much_of_everything_as_there_can_be_has_a_small_page_that_leads_to_the_rest() {
    for builders in [1, 4, 7, 31] {
        for verdict in [Verdict::Diverged, Verdict::Reproduced] {
            let it = largest(builders, verdict);
            for shown in [page::request(&frame("plain"), &it), page::round(&it)] {
                assert!(shown.len() <= 100_000, "{builders} builders: {} bytes", shown.len());
                assert!(shown.contains("bytes)") && shown.contains("more: <a href=\"/api/v1/requests/"), "{shown}");
                assert!(shown.contains(&format!("<a href=\"/explanations/{}\">all of it", it.request)), "{shown}");
            }
        }
    }
    let plain = page::request(&frame("plain"), &request("plain"));
    assert!(!plain.contains("all of it as JSON") && !plain.contains("too long for a page"), "{plain}");
}

#[test]
fn a_page_says_what_this_builder_does_not_know_and_what_it_has_cut() {
    let it = request("plain");
    let shown = page::request(&frame("plain"), &it);
    assert!(!shown.contains("is not at hand here"), "{shown}");
    let mut forgotten = it.clone();
    forgotten.builders[1].result = None;
    assert!(page::request(&frame("plain"), &forgotten).contains("is not at hand here"));
    // Who revealed nothing has nothing that could be forgotten, and in an open round it can come yet.
    forgotten.builders[1].revealed = false;
    assert!(!page::request(&frame("plain"), &forgotten).contains("is not at hand here"));
    let open = RequestPage { verdict: None, ..forgotten };
    assert!(!page::request(&frame("plain"), &open).contains("is not at hand here"));
    let (_, transcript) = pages("plain").into_iter().find(|(name, _)| *name == "transcript").unwrap();
    assert!(transcript.contains("are shown and searched here") && transcript.contains("/transcripts/"), "{transcript}");
}

#[test]
fn statements_are_offered_where_this_builder_signs_them() {
    let it = request("plain");
    for kind in ["provenance", "summary", "link"] {
        assert!(page::request(&frame("plain"), &it).contains(&format!("/attestation/index/7/{kind}\"")));
    }
    let none = RequestPage { attested: false, ..it };
    assert!(!page::request(&frame("plain"), &none).contains("/attestation/"));
}

#[test]
fn a_failure_that_builders_agree_on_is_never_called_the_same_bytes() {
    // The rows of the samples are unbuildable.
    for (name, page) in pages("plain").into_iter().filter(|(name, _)| !["request", "survey"].contains(name)) {
        assert!(!page.to_lowercase().contains("same bytes"), "{name}: {page}");
        let is_listed = ["home", "crate", "log", "builder"].contains(&name);
        assert_eq!(page.contains("<th scope=\"col\">Same result</th>"), is_listed, "{name}");
    }
    assert!(badge::badge(Some(&row("plain"))).contains("rebuilt: no evidence"));
}
