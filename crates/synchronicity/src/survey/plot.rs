//! Rates and their intervals, drawn: a dot for the share, a line for what chance alone leaves open. Everything in it
//! stands in the table beside it too.

use std::fmt::Write;

use synchronicity_explain::survey::Group;

use super::page::escaped;

/// So that half of a tick's label, and of a dot, fits beside the axis.
const LEFT: usize = 16;
const WIDTH: usize = 380;
/// For the counts, on the right.
const COUNTS: usize = 90;
/// A label, and below it the line: side by side they would be too small to read on a telephone.
const ROW: usize = 44;
const TOP: usize = 8;
const BOTTOM: usize = 34;

/// An inline picture of the share of reproducible crates in each group that has any.
pub(super) fn of_groups(groups: &[Group]) -> String {
    let groups: Vec<&Group> = groups.iter().filter(|group| group.reproducible.of > 0).collect();
    let (across, down) = (LEFT + WIDTH + COUNTS, TOP + groups.len() * ROW + BOTTOM);
    let mut svg = format!(
        "<svg viewBox=\"0 0 {across} {down}\" role=\"img\" aria-labelledby=\"plot-title\">\n\
         <title id=\"plot-title\">Share of reproducible crates in each group, with 95 % intervals; the table has the numbers</title>\n"
    );
    let floor = TOP + groups.len() * ROW;
    for tick in [0, 25, 50, 75, 100] {
        let x = LEFT + WIDTH * tick / 100;
        let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x}\" y1=\"{TOP}\" x2=\"{x}\" y2=\"{floor}\"/>");
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{tick} %</text>", floor + 20);
    }
    for (index, group) in groups.iter().enumerate() {
        let rate = group.reproducible;
        let y = TOP + index * ROW + 30;
        let at = |share: Option<f64>| format!("{:.1}", LEFT as f64 + WIDTH as f64 * share.unwrap_or(0.0));
        let _ = writeln!(
            svg,
            "<text x=\"{LEFT}\" y=\"{}\">{}</text>\n\
             <text x=\"{}\" y=\"{}\">{} of {}</text>\n\
             <line class=\"range\" x1=\"{}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\"/>\n\
             <circle class=\"dot\" cx=\"{}\" cy=\"{y}\" r=\"5\"/>",
            y - 12,
            escaped(&group.name),
            LEFT + WIDTH + 14,
            y + 5,
            rate.count,
            rate.of,
            at(rate.low),
            at(rate.high),
            at(rate.share),
        );
    }
    svg.push_str("</svg>\n");
    svg
}
