//! What people see of a group: pages, badges and feeds, as functions of what they show.
//!
//! Nothing here reads a clock, a file or a socket, and nothing knows of a server: a model goes in, a text comes out. The same
//! models are the JSON of the API, so that a page and its JSON cannot say different things.
//!
//! | module | holds |
//! | --- | --- |
//! | [`model`] | what is shown, as types; also the schemas of the API |
//! | [`visible`] | the one place where text becomes markup: no name, hash or line of a transcript reaches a page by another way |
//! | [`page`] | the pages |
//! | `detail` | how much of a long part a page shows |
//! | [`chart`] | plots as SVG, each beside a table with the same numbers |
//! | [`badge`] | badges for somebody else's README |
//! | [`feed`] | Atom feeds |
//! | [`asset`] | style sheet and scripts, under names that change with their content |
//!
//! Everything that a crate, a build or another member wrote is hostile: names, versions, artifact names, transcripts, reasons.
#![forbid(unsafe_code)]

pub mod asset;
pub mod badge;
pub mod chart;
mod detail;
pub mod feed;
pub mod model;
pub mod page;
pub mod visible;
