//! What is told of an explanation, for people: the same in `requests` and in `devnet`.

use std::fmt::Write;

use serde_json::Value;

/// Several lines, or one where there is no explanation.
pub fn in_words(told: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match told["state"].as_str() {
        Some("explained") => {
            let others: Vec<String> = told["second"]["builders"].as_array().into_iter().flatten().map(text).collect();
            let mut all = String::new();
            let first = text(&told["first"]["builder"]);
            let _ = writeln!(all, "why they differ (first: {first}, second: {}):", others.join(", "));
            for line in told["words"].as_str().unwrap_or_default().lines() {
                let _ = writeln!(all, "  {line}");
            }
            let _ = write!(all, "{}", text(&told["advice"]));
            all
        }
        Some("unexplained") => format!("not explained, and not tried any more: {}", text(&told["reason"])),
        Some("pending") => format!("not explained yet: {}", text(&told["reason"])),
        _ => "no node can say why they differ".to_owned(),
    }
}
