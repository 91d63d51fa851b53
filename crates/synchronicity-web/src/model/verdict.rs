//! Verdicts as pages and JSON show them: the word that the whole project uses, and a sign beside it.

use serde::Serializer;
use synchronicity_verify::entry::Verdict;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// A sign beside the word, so that no meaning hangs on a colour.
pub fn sign(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Reproduced => "✓",
        Verdict::Diverged => "≠",
        Verdict::Unbuildable => "✕",
        Verdict::Inconclusive => "?",
    }
}

pub(super) fn word<S: Serializer>(verdict: &Verdict, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(verdict.as_str())
}

pub(super) fn word_if_any<S: Serializer>(verdict: &Option<Verdict>, to: S) -> Result<S::Ok, S::Error> {
    match verdict {
        Some(verdict) => word(verdict, to),
        None => to.serialize_none(),
    }
}

pub(super) fn schema() -> Object {
    words(SchemaType::Type(Type::String), Verdict::ALL.map(|verdict| Some(verdict.as_str())).to_vec())
}

pub(super) fn schema_if_any() -> Object {
    let words_or_none = Verdict::ALL.map(|verdict| Some(verdict.as_str())).into_iter().chain([None]).collect();
    words(SchemaType::from_iter([Type::String, Type::Null]), words_or_none)
}

fn words(kind: SchemaType, words: Vec<Option<&'static str>>) -> Object {
    let object = ObjectBuilder::new().schema_type(kind).enum_values(Some(words));
    object.description(Some("What the group found out.")).build()
}
