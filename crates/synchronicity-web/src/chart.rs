//! Plots as SVG. Each stands beside a table with the same numbers; colours come from the style sheet.

use std::fmt::Write;

use crate::model::{Month, Rate, Share, Verdict};
use crate::visible::visible;

/// Months that fit beside each other; of more, the latest are drawn.
const MONTHS: usize = 24;

/// Bars that fit below each other.
const BARS: usize = 16;

const WIDTH: usize = 720;
const LEFT: usize = 48;
const FLOOR: usize = 180;
const TOP: usize = 10;

/// A stacked bar for each month.
pub fn months(months: &[Month]) -> String {
    let shown = &months[months.len().saturating_sub(MONTHS)..];
    // Even, so that the line in the middle stands for a whole number.
    let most = shown.iter().map(|month| month.counts.total()).max().unwrap_or(0).max(1).next_multiple_of(2);
    let mut svg = head(FLOOR + 50, "Entries of each month by verdict; the table has the numbers");
    for part in 0..=2 {
        let (y, value) = (FLOOR - (FLOOR - TOP) * part / 2, most * part as u64 / 2);
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y}\" x2=\"{WIDTH}\" y2=\"{y}\"/>");
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{value}</text>", LEFT - 8, y + 4);
    }
    let step = (WIDTH - LEFT) / shown.len().max(6);
    for (place, month) in shown.iter().enumerate() {
        let x = LEFT + place * step + step / 8;
        let mut y = FLOOR as f64;
        for verdict in Verdict::ALL {
            let height = (FLOOR - TOP) as f64 * month.counts.of(&verdict) as f64 / most as f64;
            y -= height;
            if height > 0.0 {
                let _ = writeln!(
                    svg,
                    "<rect class=\"{}\" x=\"{x}\" y=\"{y:.1}\" width=\"{}\" height=\"{height:.1}\"/>",
                    verdict.as_str(),
                    step * 3 / 4
                );
            }
        }
        // Every label where there is room, otherwise every third.
        if shown.len() <= 8 || place.is_multiple_of(3) {
            let middle = x + step * 3 / 8;
            let _ = writeln!(
                svg,
                "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                FLOOR + 18,
                visible(&month.month)
            );
        }
    }
    for (place, verdict) in Verdict::ALL.into_iter().enumerate() {
        let x = LEFT + place * 150;
        let (box_y, text_y) = (FLOOR + 30, FLOOR + 41);
        let _ =
            writeln!(svg, "<rect class=\"{}\" x=\"{x}\" y=\"{box_y}\" width=\"12\" height=\"12\"/>", verdict.as_str());
        let _ = writeln!(svg, "<text x=\"{}\" y=\"{text_y}\">{}</text>", x + 18, verdict.as_str());
    }
    svg + "</svg>"
}

/// A bar for each, the longest first.
pub fn shares(what: &str, shares: &[Share]) -> String {
    const ROW: usize = 26;
    const LABELS: usize = 230;
    const LETTERS: usize = 32;
    let shown = &shares[..shares.len().min(BARS)];
    let most = shown.iter().map(|share| share.count).max().unwrap_or(0).max(1);
    let mut svg = head(TOP + shown.len() * ROW, &format!("{what}; the table has the numbers"));
    for (place, share) in shown.iter().enumerate() {
        let y = TOP + place * ROW;
        let width = ((WIDTH - LABELS - 60) as f64 * share.count as f64 / most as f64).max(1.0);
        let label = shortened(&share.name, LETTERS);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            LABELS - 10,
            y + 15,
            visible(&label)
        );
        let _ =
            writeln!(svg, "<rect class=\"bar\" x=\"{LABELS}\" y=\"{}\" width=\"{width:.1}\" height=\"18\"/>", y + 2);
        let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{}\">{}</text>", LABELS as f64 + width + 8.0, y + 15, share.count);
    }
    svg + "</svg>"
}

/// For each group a dot at its share and a line for its interval, on an axis from none to all.
pub fn rates<'a>(what: &str, rows: impl IntoIterator<Item = (&'a str, Rate)>) -> String {
    const ROW: usize = 44;
    const RIGHT: usize = 110;
    const LETTERS: usize = 80;
    let rows: Vec<(&str, Rate)> = rows.into_iter().filter(|(_, rate)| rate.of > 0).take(BARS).collect();
    let (axis, floor) = (WIDTH - LEFT - RIGHT, TOP + rows.len() * ROW);
    let mut svg = head(floor + 30, &format!("{what}; the table has the numbers"));
    for tick in [0, 25, 50, 75, 100] {
        let x = LEFT + axis * tick / 100;
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{floor}\"/>");
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{tick} %</text>", floor + 20);
    }
    // Whatever a number says, it stays on the axis.
    let at = |share: Option<f64>| LEFT as f64 + axis as f64 * share.unwrap_or(0.0).clamp(0.0, 1.0);
    for (place, (name, rate)) in rows.into_iter().enumerate() {
        let y = TOP + place * ROW + 30;
        let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{}</text>", y - 12, visible(&shortened(name, LETTERS)));
        let _ = writeln!(
            svg,
            "<line class=\"range\" x1=\"{:.1}\" y1=\"{y}\" x2=\"{:.1}\" y2=\"{y}\"/>\n\
             <circle class=\"dot\" cx=\"{:.1}\" cy=\"{y}\" r=\"5\"/>",
            at(rate.low),
            at(rate.high),
            at(rate.share),
        );
        let _ =
            writeln!(svg, "<text x=\"{}\" y=\"{}\">{} of {}</text>", WIDTH - RIGHT + 14, y + 5, rate.count, rate.of);
    }
    svg + "</svg>"
}

fn head(height: usize, title: &str) -> String {
    // The name is an attribute and no <title>, whose id would have to be another for each plot of a page.
    format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">\n", visible(title))
}

/// What fits into the place of a label.
fn shortened(label: &str, letters: usize) -> String {
    if label.chars().count() <= letters {
        return label.to_owned();
    }
    label.chars().take(letters - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Counts;

    fn month(month: &str, reproduced: u64, diverged: u64) -> Month {
        Month { month: month.into(), counts: Counts { reproduced, diverged, ..Counts::default() } }
    }

    #[test]
    fn bars_are_as_high_as_their_numbers_and_stand_on_each_other() {
        let svg = months(&[month("2026-10", 3, 1), month("2026-11", 2, 0)]);
        assert!(
            svg.contains("<rect class=\"reproduced\" x=\"62\" y=\"52.5\" width=\"84\" height=\"127.5\"/>"),
            "{svg}"
        );
        assert!(svg.contains("<rect class=\"diverged\" x=\"62\" y=\"10.0\" width=\"84\" height=\"42.5\"/>"), "{svg}");
        assert!(svg.contains("y=\"95.0\" width=\"84\" height=\"85.0\""), "{svg}");
    }

    #[test]
    fn each_line_stands_for_the_number_beside_it() {
        let svg = months(&[month("2026-11", 3, 0)]);
        for (y, value) in [(FLOOR + 4, 0), ((FLOOR + TOP) / 2 + 4, 2), (TOP + 4, 4)] {
            assert!(svg.contains(&format!("y=\"{y}\" text-anchor=\"end\">{value}</text>")), "{svg}");
        }
    }

    #[test]
    fn no_number_of_months_breaks_the_plot() {
        for count in [0, 1, 7, 24, 500] {
            let all: Vec<Month> = (0..count).map(|_| month("2026-11", u64::MAX / 8, 0)).collect();
            let svg = months(&all);
            assert!(svg.ends_with("</svg>") && !svg.contains("NaN") && !svg.contains("\"-"), "{svg}");
        }
    }

    #[test]
    fn a_share_is_a_dot_within_its_interval_and_nothing_leaves_the_axis() {
        let rate = |share, low, high| Rate { count: 1, of: 4, share: Some(share), low: Some(low), high: Some(high) };
        let empty = ("nothing", Rate::default());
        let svg =
            rates("Shares", [("some <b>", rate(0.25, 0.0, 1.0)), empty, ("wild", rate(f64::INFINITY, -9.0, 2.0))]);
        // From 48 to 610: a quarter of that is at 188.5.
        assert!(svg.contains("<line class=\"range\" x1=\"48.0\" y1=\"40\" x2=\"610.0\" y2=\"40\"/>"), "{svg}");
        assert!(svg.contains("<circle class=\"dot\" cx=\"188.5\" cy=\"40\" r=\"5\"/>"), "{svg}");
        assert!(svg.contains("some &lt;b&gt;") && svg.contains(">1 of 4</text>") && !svg.contains("nothing"), "{svg}");
        assert!(svg.contains("cx=\"610.0\" cy=\"84\"") && !svg.contains("\"-") && !svg.contains("inf"), "{svg}");
        assert_eq!(svg.matches("class=\"dot\"").count(), 2);
    }

    #[test]
    fn a_label_is_text_and_no_longer_than_its_place() {
        let svg = shares("Causes", &[Share { name: "<script>".repeat(9), count: 2 }]);
        assert!(svg.contains("&lt;script&gt;") && svg.contains('…') && !svg.contains("<script"), "{svg}");
    }
}
