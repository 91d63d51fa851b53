//! What pages and API can be asked, after the question mark: each question is one type, so that both refuse the same.

use axum::extract::Query;
use axum::http::Uri;
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer};
use synchronicity_verify::entry::Verdict;
use utoipa::IntoParams;

/// Items on a page of the API, unless another number is asked for.
pub(super) const LIMIT: usize = 50;

/// Items on a page at most.
const LIMIT_MAX: usize = 200;

/// The largest number that every reader of JSON keeps exactly (RFC 8259 §6).
const PLACE_MAX: u64 = 9_007_199_254_740_991;

/// Reads what stands after the question mark.
pub(super) fn asked<T: DeserializeOwned>(uri: &Uri) -> Result<T, String> {
    Query::try_from_uri(uri).map(|Query(asked)| asked).map_err(|error| error.body_text())
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Searched {
    /// A part of a crate's name; nothing is found for none.
    #[serde(default, alias = "q")]
    pub(super) query: String,
    /// Only crates that come after this one: `next_after` of the page before.
    #[serde(default)]
    pub(super) after: String,
    /// How many at most: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, deserialize_with = "limit")]
    pub(super) limit: Option<usize>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Below {
    /// Only entries below this index of the log: `next_before` of the page before.
    #[param(value_type = Option<u64>, maximum = 9007199254740991_i64)]
    #[serde(default = "end", deserialize_with = "place")]
    pub(super) before: u64,
    /// How many at most: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, deserialize_with = "limit")]
    pub(super) limit: Option<usize>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Only entries below this index: `next_before` of the page before.
    #[param(value_type = Option<u64>, maximum = 9007199254740991_i64)]
    #[serde(default = "end", deserialize_with = "place")]
    pub(super) before: u64,
    /// How many at most: 1 to 200, 50 if not given.
    #[param(minimum = 1, maximum = 200)]
    #[serde(default, deserialize_with = "limit")]
    pub(super) limit: Option<usize>,
    /// Only entries with this verdict: `reproduced`, `diverged`, `unbuildable` or `inconclusive`.
    #[param(value_type = Option<String>, pattern = "^(reproduced|diverged|unbuildable|inconclusive)?$")]
    #[serde(default, deserialize_with = "kind")]
    pub(super) verdict: Option<Verdict>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Attempt {
    /// Which attempt, counted from 0; the latest if not given.
    pub(super) round: Option<u32>,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Lines {
    /// Number of the first line, counted from 1.
    #[param(value_type = Option<u64>, maximum = 9007199254740991_i64)]
    #[serde(default, deserialize_with = "place")]
    from: u64,
    /// Only lines that contain this.
    #[serde(default)]
    pub(super) find: String,
}

impl Lines {
    /// Number of the first line.
    pub(super) fn from(&self) -> usize {
        usize::try_from(self.from).unwrap_or(usize::MAX)
    }
}

/// Behind every entry.
fn end() -> u64 {
    PLACE_MAX
}

/// A place in the log, or of a line.
fn place<'de, D: Deserializer<'de>>(text: D) -> Result<u64, D::Error> {
    match u64::deserialize(text)? {
        place @ ..=PLACE_MAX => Ok(place),
        _ => Err(D::Error::custom(format!("0 to {PLACE_MAX}"))),
    }
}

fn limit<'de, D: Deserializer<'de>>(text: D) -> Result<Option<usize>, D::Error> {
    match usize::deserialize(text)? {
        limit @ 1..=LIMIT_MAX => Ok(Some(limit)),
        _ => Err(D::Error::custom(format!("1 to {LIMIT_MAX}"))),
    }
}

/// A verdict by its name; an empty one stands for all.
fn kind<'de, D: Deserializer<'de>>(text: D) -> Result<Option<Verdict>, D::Error> {
    let name = String::deserialize(text)?;
    if name.is_empty() {
        return Ok(None);
    }
    let none = || D::Error::custom(format!("there is no verdict {name:?}"));
    Verdict::named(&name).map(Some).ok_or_else(none)
}
