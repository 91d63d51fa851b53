//! Why two builds are not the same bytes: which part of which artifact differs, why, and who can mend it.
//!
//! [`explain()`] pairs the files of two folders and has each pair read by what it is (`compare`): `elf` section by section,
//! `archive` member by member, everything else as bytes. Parts that belong together are aligned (`align`, `moved`), each
//! difference is seen in its surroundings (`spot`) and its cause guessed (`guess`): by what is known of the builds
//! ([`facts`], `known`), by order (`order`), by looks (`looks`), out of the catalogue in [`cause`]. The crate that it comes from
//! is told by the code that uses it (`users`, `symbols`, `lines`) or by a path (`guilty`). `rank` parts origins from
//! consequences, and [`words`] tells people. What many crates gave, counted, is a [`survey`].
//!
//! The files are hostile: they are read under [`Limits`], nothing in them is run, and all text that comes out is
//! printable ASCII.

mod align;
mod archive;
mod budget;
pub mod cause;
mod compare;
mod elf;
mod escape;
mod explain;
pub mod explanation;
pub mod facts;
mod found;
mod guess;
mod guilty;
mod known;
mod lines;
mod looks;
mod moved;
mod names;
mod order;
mod rank;
mod spot;
pub mod survey;
mod symbols;
mod users;
pub mod words;

pub use budget::Limits;
pub use explain::{ExplainError, explain};
