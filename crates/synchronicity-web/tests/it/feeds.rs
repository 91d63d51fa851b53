//! Feeds as a reader of feeds gets them: parsed by somebody else's parser of XML.

use std::collections::BTreeSet;

use chrono::DateTime;
use serde::Deserialize;
use synchronicity_web::feed;
use synchronicity_web::model::{EntryRow, Moment, Verdict};
use synchronicity_web::visible::spelled_out;

use crate::samples::{frame, row};

/// RFC 4287, as far as these feeds have it: an element or an attribute that is not named here is refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feed {
    #[serde(rename = "@xmlns")]
    namespace: String,
    id: String,
    title: String,
    updated: String,
    author: Author,
    #[serde(rename = "link")]
    links: Vec<Link>,
    #[serde(rename = "entry", default)]
    entries: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Author {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    #[serde(rename = "@rel")]
    rel: String,
    #[serde(rename = "@type")]
    kind: String,
    #[serde(rename = "@href")]
    href: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    title: String,
    updated: String,
    link: Link,
    category: Category,
    summary: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Category {
    #[serde(rename = "@term")]
    term: String,
}

const WICKED: [&str; 6] = [
    "plain",
    "<script>alert(1)</script>",
    "]]>--><!-- &amp; &#0; &bomb;",
    "\"' onload=x",
    "a\u{202e}b\u{1b}[2J\u{200b}\u{0}\u{fffe}c",
    "Zoë 中 \u{1f980}",
];

/// As many rows as there are verdicts, the newest first.
fn rows(text: &str) -> Vec<EntryRow> {
    let row = |(place, verdict): (usize, Verdict)| {
        let index = 9 - place as u64;
        EntryRow { index, verdict, time: Moment(1_796_011_329_500 + 86_400_000 * index), ..row(text) }
    };
    Verdict::ALL.into_iter().enumerate().map(row).collect()
}

fn parsed(text: &str, rows: &[EntryRow]) -> Feed {
    let xml = feed::feed(&frame(text), text, ("https://node.example", "/feeds/all.atom"), rows);
    quick_xml::de::from_str(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"))
}

#[test]
fn a_feed_is_xml_and_says_what_its_entries_say_whatever_anything_is_called() {
    for text in WICKED {
        let (rows, shown) = (rows(text), spelled_out(text));
        let feed = parsed(text, &rows);
        assert_eq!(feed.namespace, "http://www.w3.org/2005/Atom");
        assert_eq!((feed.title, feed.author.name), (format!("{shown} – {shown}"), format!("builders of {shown}")));
        let links: Vec<_> = feed.links.iter().map(|it| (it.rel.as_str(), it.kind.as_str(), it.href.as_str())).collect();
        let own = ("self", "application/atom+xml", "https://node.example/feeds/all.atom");
        assert_eq!(links, [own, ("alternate", "text/html", "https://node.example/log")]);
        assert_eq!(feed.entries.len(), rows.len());
        for (entry, row) in feed.entries.iter().zip(&rows) {
            let verdict = row.verdict.as_str();
            assert_eq!(entry.title, format!("{shown} {shown}: {verdict} (3 of 4)"));
            assert_eq!((&entry.summary, entry.category.term.as_str()), (&format!("{shown}; {shown}"), verdict));
            let page = format!("https://node.example/requests/{}?round=1", row.request);
            assert_eq!((entry.link.rel.as_str(), &entry.link.href), ("alternate", &page));
        }
    }
}

#[test]
fn ids_are_unique_addresses_that_no_node_changes_and_times_are_of_rfc_3339() {
    for text in WICKED {
        let feed = parsed(text, &rows(text));
        let ids: BTreeSet<&str> = feed.entries.iter().map(|it| it.id.as_str()).chain([feed.id.as_str()]).collect();
        assert_eq!(ids.len(), feed.entries.len() + 1, "{ids:?}");
        // RFC 3986 has no other letters.
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(letter);
        assert!(ids.iter().all(|id| id.chars().all(allowed)), "{ids:?}");
        assert!(
            feed.entries.iter().all(|it| it.id.starts_with("urn:synchronicity:") && !it.id.contains("node.example"))
        );
        for (entry, row) in feed.entries.iter().zip(rows(text)) {
            let time = DateTime::parse_from_rfc3339(&entry.updated).unwrap();
            assert_eq!(time.timestamp(), i64::try_from(row.time.0 / 1000).unwrap());
        }
        assert_eq!(feed.updated, feed.entries[0].updated, "the newest is the first");
    }
    let empty = parsed("plain", &[]);
    assert!(empty.entries.is_empty() && DateTime::parse_from_rfc3339(&empty.updated).is_ok(), "{empty:?}");
}
