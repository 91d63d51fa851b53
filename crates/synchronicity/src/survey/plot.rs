//! Rates and their intervals, drawn: a dot for the share, a line for what chance alone leaves open. Everything in it
//! stands in the table beside it too.

use std::fmt::Write;

use super::page::escaped;
use super::tally::Group;

const LABELS: usize = 300;
const WIDTH: usize = 340;
const ROW: usize = 26;
const TOP: usize = 8;
const BOTTOM: usize = 34;

/// An inline picture of the share of reproducible crates in each group that has any.
pub(super) fn of_groups(groups: &[Group]) -> String {
    let groups: Vec<&Group> = groups.iter().filter(|group| group.reproducible.of > 0).collect();
    let (across, down) = (LABELS + WIDTH + 30, TOP + groups.len() * ROW + BOTTOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {across} {down}\" role=\"img\" aria-labelledby=\"plot-title\">\n\
         <title id=\"plot-title\">Share of reproducible crates in each group, with 95 % intervals; the table has the numbers</title>\n"
    );
    let floor = TOP + groups.len() * ROW;
    for tick in [0, 25, 50, 75, 100] {
        let x = LABELS + WIDTH * tick / 100;
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{floor}\"/>");
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{tick} %</text>", floor + 20);
    }
    for (index, group) in groups.iter().enumerate() {
        let rate = group.reproducible;
        let y = TOP + index * ROW + ROW / 2;
        let at = |share: Option<f64>| format!("{:.1}", LABELS as f64 + WIDTH as f64 * share.unwrap_or(0.0));
        let label = format!("{} ({} of {})", group.name, rate.count, rate.of);
        let _ = writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n\
             <line class=\"range\" x1=\"{}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\n\
             <circle class=\"dot\" cx=\"{}\" cy=\"{y}\" r=\"5\"/>",
            LABELS - 12,
            y + 4,
            escaped(&label),
            at(rate.low),
            at(rate.high),
            at(rate.share),
        );
    }
    svg.push_str("</svg>\n");
    svg
}
