//! Canonical JSON as in-toto and TUF sign it (OLPC): keys in the order of their bytes, no spaces, no fractions, and in
//! strings only the quote and the backslash escaped.
//!
//! ```text
//! {"b":[1,true],"a":"x\"y"}   is   {"a":"x\"y","b":[1,true]}
//! ```
//!
//! A string with a control character becomes a text that is no JSON. No name, variable or flag that an entry can hold
//! has one, so that every statement of ours reads back.

use serde_json::Value;

/// A number that canonical JSON does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("canonical JSON has no number like {0}: only integers")]
pub struct Fraction(String);

/// The canonical text of `value`.
///
/// # Errors
/// [`Fraction`].
pub fn canonical(value: &Value) -> Result<String, Fraction> {
    let mut text = String::new();
    write(value, &mut text)?;
    Ok(text)
}

fn write(value: &Value, out: &mut String) -> Result<(), Fraction> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => out.push_str(&number.to_string()),
        Value::Number(number) => return Err(Fraction(number.to_string())),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(fields) => {
            // Sorted here: whether serde_json sorts is a feature that any crate of the tree can switch off.
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by(|a, b| a.0.cmp(b.0));
            out.push('{');
            for (index, (name, field)) in fields.into_iter().enumerate() {
                separate(index, out);
                write_string(name, out);
                out.push(':');
                write(field, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn separate(index: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}
