//! An explanation for people: at most 80 columns.

use crate::cause::Cause;
use crate::explanation::{Artifact, Difference, Explanation};

const COLUMNS: usize = 80;

/// Several lines; the origin first, what follows from it last.
pub fn in_words(explanation: &Explanation) -> String {
    let mut text = String::new();
    if explanation.is_same() {
        return format!("the same, byte for byte: {}\n", counted(explanation.same, "file"));
    }
    for artifact in &explanation.artifacts {
        tell(artifact, &mut text);
    }
    for (names, which) in [(&explanation.only_first, "first"), (&explanation.only_second, "second")] {
        for name in names {
            wrap(&mut text, "", "", &format!("{name}: only the {which} has it"));
        }
    }
    for skipped in &explanation.skipped {
        wrap(&mut text, "", "", &format!("not compared: {skipped}"));
    }
    if explanation.same > 0 {
        wrap(&mut text, "", "", &format!("the same, byte for byte: {}", counted(explanation.same, "other file")));
    }
    text
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn tell(artifact: &Artifact, text: &mut String) {
    let [first, second] = artifact.size;
    let sizes = if first == second { format!("{first} bytes each") } else { format!("{first} and {second} bytes") };
    wrap(text, "", "", &format!("{} differs ({}, {sizes})", artifact.name, artifact.kind));
    for (number, difference) in artifact.differences.iter().enumerate() {
        one(number + 1, difference, text);
    }
    if artifact.more > 0 {
        wrap(text, "  ", "", &format!("and {} more of the kind", counted(artifact.more, "difference")));
    }
    if !artifact.consequences.is_empty() {
        let names: Vec<_> = artifact.consequences.iter().take(12).map(String::as_str).collect();
        let more = artifact.consequences.len() - names.len();
        let more = if more > 0 { format!(" and {}", counted(more, "other part")) } else { String::new() };
        let line = format!("only a consequence of that: {}{more}", names.join(", "));
        wrap(text, "  ", "  ", &line);
        if names.contains(&".note.gnu.build-id") {
            wrap(text, "  ", "  ", "(the build id is a hash over all the rest)");
        }
    }
    if artifact.cut_short {
        wrap(text, "  ", "  ", "not all of it was seen: a limit ended the search, or a part could not be read");
    }
}

fn one(number: usize, difference: &Difference, text: &mut String) {
    let sure = match difference.cause {
        Cause::Unknown => "cause unknown".to_owned(),
        cause => format!("{}: {}", difference.certainty.as_str(), cause.in_words()),
    };
    wrap(text, "  ", "     ", &format!("{number}. {sure}"));
    let place = match &difference.member {
        Some(member) => format!("{} of {member}", difference.section),
        None => difference.section.clone(),
    };
    let line = difference.line.iter().map(|line| format!(" ({line})"));
    let user = difference.symbol.iter().map(|symbol| format!(", in or for {symbol}"));
    let user: String = user.chain(line).collect();
    field(text, "why", &difference.why);
    field(text, "where", &format!("{place} at {:#x}{user}", difference.offset[0]));
    field(text, "first", &difference.first);
    field(text, "second", &difference.second);
    if let Some(guilty) = &difference.guilty {
        field(text, "crate", guilty);
    }
    field(text, "mend", difference.suggestion);
}

fn field(text: &mut String, label: &str, value: &str) {
    wrap(text, &format!("     {label:<8}"), "             ", value);
}

/// Appends `line` behind `head`, broken at spaces where that is possible and in words where it is not.
fn wrap(text: &mut String, head: &str, indent: &str, line: &str) {
    let mut current = head.to_owned();
    let mut width = current.chars().count();
    let mut is_empty = true;
    let mut feed = |current: &mut String, width: &mut usize| {
        text.push_str(current.trim_end());
        text.push('\n');
        *current = indent.to_owned();
        *width = indent.len();
    };
    for word in line.split(' ') {
        let length = word.chars().count();
        if !is_empty && width + 1 + length > COLUMNS {
            feed(&mut current, &mut width);
            is_empty = true;
        }
        if !is_empty {
            current.push(' ');
            width += 1;
        }
        for letter in word.chars() {
            if width == COLUMNS {
                feed(&mut current, &mut width);
            }
            current.push(letter);
            width += 1;
        }
        is_empty = false;
    }
    feed(&mut current, &mut width);
}
