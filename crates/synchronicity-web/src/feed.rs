//! Atom feeds (RFC 4287) of entries.

use askama::Template;

use crate::model::{EntryRow, Frame, Moment};

#[derive(Template)]
#[template(path = "feed.atom")]
struct Feed<'a> {
    frame: &'a Frame,
    title: &'a str,
    url: &'a str,
    path: &'a str,
    updated: Moment,
    rows: &'a [EntryRow],
}

/// A feed of these entries, the newest first. `url` is where the node is reached, without a slash at the end; `path` is the
/// feed's own. The ids name the log and the index, so that every node of the group gives an entry the same one.
pub fn feed(frame: &Frame, title: &str, (url, path): (&str, &str), rows: &[EntryRow]) -> String {
    let updated = rows.first().map_or(Moment(0), |row| row.time);
    let feed = Feed { frame, title, url, path, updated, rows };
    feed.render().expect("writing into a String has no failure")
}
