//! A node that has nothing to show says so.

use crate::samples::empty;

#[test]
fn every_page_has_words_for_nothing() {
    for (name, page) in empty() {
        let told = page.contains("class=\"empty\"") || ["crate", "request", "api", "builder"].contains(&name);
        assert!(told, "{name} is silent");
        assert!(
            !page.contains("<tbody>\n</tbody>") && !page.contains("<tbody></tbody>"),
            "{name} has a table of nothing"
        );
        assert!(page.ends_with("</html>\n") || page.ends_with("</html>"), "{name} is cut off");
    }
}

#[test]
fn no_evidence_is_never_called_not_reproducible() {
    let (_, page) = empty().into_iter().find(|(name, _)| *name == "search without hits").unwrap();
    assert!(page.contains("never “not reproducible”"), "{page}");
}
