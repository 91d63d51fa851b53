//! An audit as JUnit XML, for test reports: a test for each dependency, which fails if it is denied.

use super::verdict::Level;
use super::{Audited, Row};
use crate::printable::printable;

pub(super) fn as_junit(audited: &Audited) -> String {
    let (tests, failures) = (audited.rows.len(), audited.count(Level::Deny));
    let name = escaped(&format!("synchronicity audit {}", audited.file.display()));
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text += &format!("<testsuites name=\"synchronicity\" tests=\"{tests}\" failures=\"{failures}\">\n");
    text += &format!("  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\">\n");
    audited.rows.iter().for_each(|row| text += &case(row));
    text + "  </testsuite>\n</testsuites>\n"
}

fn case(row: &Row) -> String {
    let (verdict, of) = (row.verdict.as_str(), &row.dependency);
    let case = format!(
        "<testcase classname=\"{}\" name=\"{}\"",
        escaped(&of.name),
        escaped(&format!("{} {}", of.name, of.version))
    );
    let told = escaped(&match &row.exception {
        Some(exception) => format!("{verdict}, allowed to {}: {}", exception.expires, exception.reason),
        None => format!("{verdict}: {}", row.verdict.explained()),
    });
    match row.level {
        Level::Deny => {
            format!("    {case}>\n      <failure type=\"{verdict}\" message=\"{told}\"/>\n    </testcase>\n")
        }
        Level::Warn => format!("    {case}>\n      <system-out>warning: {told}</system-out>\n    </testcase>\n"),
        Level::Allow if row.exception.is_some() => {
            format!("    {case}>\n      <system-out>{told}</system-out>\n    </testcase>\n")
        }
        Level::Allow => format!("    {case}/>\n"),
    }
}

/// Safe as text and in an attribute: XML has no spelling at all for most control characters.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in printable(text).chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&apos;",
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_leaves_its_attribute(text in ".{0,40}") {
            let safe = escaped(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            prop_assert!(safe.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            let ends = safe.split('&').skip(1).all(|rest| ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|name| rest.starts_with(name)));
            prop_assert!(ends, "{}", safe);
        }
    }
}
