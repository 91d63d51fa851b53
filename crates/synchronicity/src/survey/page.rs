//! The report for people: one HTML page without scripts or anything that is fetched. All that it quotes is escaped.

use std::fmt::Write;

use synchronicity_explain::cause::Cause;
use synchronicity_explain::survey::{CauseRow, ConditionRow, Group, Rate, Run, Session, Totals};
use synchronicity_verify::printable::is_printable;

use super::details;
use super::plot;
use super::tally::Tally;
use super::words::seconds;
use crate::attest::summary::rfc3339;

const STYLE: &str = include_str!("page.css");

/// The whole page.
pub(super) fn page(tally: &Tally) -> String {
    let title = format!("Survey of {} crates, each built twice", tally.summary.totals.listed);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n"
    );
    for section in [summary, meaning, kinds, causes, conditions, chosen, made] {
        section(tally, &mut html);
    }
    details::crates(tally, &mut html);
    details::differences(tally, &mut html);
    details::others(tally, &mut html);
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

/// Text for any place of the page.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            letter if is_printable(letter) || letter == '\n' => safe.push(letter),
            // It would show the text as another, or not show.
            _ => safe.push('\u{fffd}'),
        }
    }
    safe
}

/// A table with a caption and a row of headings; cells are markup, the first of each row names it.
pub(super) fn table(html: &mut String, caption: &str, heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
    let _ = writeln!(
        html,
        "<div class=\"wide\" role=\"region\" aria-label=\"{0}\" tabindex=\"0\">\n<table>\n<caption>{0}</caption>\n<thead><tr>",
        escaped(caption)
    );
    for head in heads {
        let _ = writeln!(html, "<th scope=\"col\">{}</th>", escaped(head));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (index, cell) in row.iter().enumerate() {
            let class = if is_short(cell) { " class=\"short\"" } else { "" };
            let _ = if index == 0 {
                write!(html, "<th scope=\"row\"{class}>{cell}</th>")
            } else {
                write!(html, "<td{class}>{cell}</td>")
            };
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
}

/// A number with its unit, or a few words: on a narrow page it is not broken into lines, and the table is scrolled.
fn is_short(cell: &str) -> bool {
    let texts = cell.split('<').map(|piece| piece.rsplit('>').next().unwrap_or_default());
    (1..=20).contains(&texts.map(|text| text.chars().count()).sum::<usize>())
}

fn summary(tally: &Tally, html: &mut String) {
    let Totals { listed, recorded, refused, unbuildable, compared, reproducible, different, only_once } =
        tally.summary.totals;
    let rate = Rate::new(reproducible, compared);
    let _ = writeln!(
        html,
        "<p class=\"lead\"><strong>{reproducible} of {compared}</strong> crates that could be compared had the same bytes in \
         both builds: {} (95 % interval {}).</p>",
        rate.in_words(),
        rate.interval()
    );
    let rows = [
        ("on the list", listed),
        ("measured", recorded),
        ("compared", compared),
        ("the same bytes twice", reproducible),
        ("other bytes", different),
        ("built under the recipe’s circumstances only", only_once),
        ("not built", unbuildable),
        ("not pinned", refused),
    ];
    table(
        html,
        "How far the crates came",
        &["crates", "number"],
        rows.map(|(what, count)| vec![what.into(), count.to_string()]),
    );
}

fn meaning(tally: &Tally, html: &mut String) {
    let Run { setting, .. } = &tally.summary.run;
    let _ = writeln!(
        html,
        "<h2>What this says, and what not</h2>\n<ul>\n\
         <li>Each crate was built twice, one build after the other, on one machine, with one toolchain (rustc {}), for one target \
         ({}), with default features, from a pinned lockfile, in a sandbox without network. What differed between the two builds \
         is in the table of circumstances.</li>\n\
         <li>“The same bytes” means: every product of the crate (executables, or <code>.rlib</code> and <code>.rmeta</code>, or \
         <code>.so</code>) had the same SHA-256 twice. A crate that passes here can still differ between two machines, \
         processors, kernels, or at another time; hash seeds and process ids are drawn anew, so a rare \
         difference can be missed by two builds.</li>\n\
         <li>The recipe helps the crates: <code>SOURCE_DATE_EPOCH</code> and <code>CONST_RANDOM_SEED</code> are set, the \
         folder of the source is remapped for rustc, and there is no git repository, as in every published archive. A plain \
         <code>cargo build</code> in two folders would differ more often. On the other hand all builders of a group use one \
         folder, one user and one host name, so a crate that differs here for those alone agrees there.</li>\n\
         <li>Each crate is built as the root package, with its lints capped as they are when it is a dependency: one that forbids \
         warnings builds here, and may not in its own repository.</li>\n\
         <li>These crates are no random sample of crates.io. The intervals (Wilson, 95 %) say what chance alone would leave open \
         had they been drawn at random; about the bias of the choice they say nothing. Groups are small and overlap: a \
         difference between two groups whose intervals overlap shows nothing.</li>\n\
         <li>Rates are of crates that were compared. What could not be pinned or built is counted above, and in no rate.</li>\n\
         <li>Causes are found by a program: <em>known</em> means that each build’s own value stands in its own file, \
         <em>likely</em> that it has the looks of the cause, <em>possible</em> that others fit as well. A crate can have several.</li>\n\
         </ul>",
        escaped(&setting.rustc),
        escaped(&setting.target)
    );
}

fn kinds(tally: &Tally, html: &mut String) {
    html.push_str("<h2>By kind</h2>\n<figure>\n");
    html.push_str(&plot::of_groups(&tally.summary.groups));
    html.push_str("<figcaption>The dot is the share, the line its 95 % interval.</figcaption>\n</figure>\n");
    let row = |group: &Group| {
        let rate = group.reproducible;
        let sort = if group.exclusive { "" } else { "overlaps others" };
        vec![
            escaped(&group.name),
            rate.count.to_string(),
            rate.of.to_string(),
            rate.in_words(),
            rate.interval(),
            sort.into(),
        ]
    };
    let heads = ["crates", "same bytes", "compared", "share", "95 % interval", ""];
    table(html, "Reproducible crates by kind", &heads, tally.summary.groups.iter().map(row));
}

fn causes(tally: &Tally, html: &mut String) {
    html.push_str("<h2>By cause</h2>\n");
    let (seen, unseen): (Vec<_>, Vec<_>) = tally.summary.causes.iter().partition(|row| row.crates.count > 0);
    let list = |names: &std::collections::BTreeSet<String>| {
        names.iter().map(|name| escaped(name)).collect::<Vec<_>>().join(", ")
    };
    let row = |row: &&CauseRow| {
        let [possible, likely, known] = row.certainty;
        let sure = [(known, "known"), (likely, "likely"), (possible, "possible")];
        let sure: Vec<String> =
            sure.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let rate = row.crates;
        vec![
            row.in_words.clone(),
            rate.count.to_string(),
            rate.of.to_string(),
            rate.in_words(),
            rate.interval(),
            sure.join(", "),
            list(&row.names),
            list(&row.guilty),
        ]
    };
    let heads = ["cause", "crates", "compared", "share", "95 % interval", "certainty", "which", "comes from"];
    if seen.is_empty() {
        html.push_str("<p>No crate differed.</p>\n");
    } else {
        table(html, "Crates that differ, by cause", &heads, seen.iter().map(row));
    }
    if let Some(row) = unseen.first() {
        let names: Vec<&str> =
            unseen.iter().filter(|row| row.cause != Cause::Unknown).map(|row| row.in_words.as_str()).collect();
        let _ = writeln!(
            html,
            "<p>Of the catalogue not seen in any crate (0 of {}, interval {}): {}.</p>",
            row.crates.of,
            row.crates.interval(),
            names.join("; ")
        );
    }
}

fn conditions(tally: &Tally, html: &mut String) {
    html.push_str("<h2>Circumstances</h2>\n<p>Each build says itself how it found its surroundings.</p>\n");
    let row = |row: &ConditionRow| vec![escaped(&row.what), row.varied.to_string(), row.of.to_string()];
    let heads = ["circumstance", "really another in the second build", "of crates that were built twice"];
    table(html, "What was varied", &heads, tally.summary.conditions.iter().map(row));
}

fn chosen(tally: &Tally, html: &mut String) {
    html.push_str("<h2>How the list was chosen</h2>\n<p>In the words of the list itself:</p>\n<blockquote>\n");
    for paragraph in tally.summary.list.chosen.split(String::is_empty).filter(|lines| !lines.is_empty()) {
        let _ = writeln!(html, "<p>{}</p>", escaped(&paragraph.join(" ")));
    }
    html.push_str("</blockquote>\n");
    let kept = if tally.summary.list.changed {
        "<strong>The list was changed between sessions.</strong>"
    } else {
        "All sessions had this same list: nothing was added or left out once results were seen."
    };
    let _ = writeln!(html, "<p>{kept} SHA-256 of the list: <code>{}</code></p>", escaped(&tally.summary.list.sha256));
}

fn made(tally: &Tally, html: &mut String) {
    html.push_str("<h2>How it was made</h2>\n");
    let Run { setting, machine, sessions, .. } = &tally.summary.run;
    let rows = [
        ("program", setting.program.clone()),
        ("rustc", setting.rustc.clone()),
        ("target", setting.target.clone()),
        ("sandbox", setting.sandbox.clone()),
        ("environment", setting.environment.clone()),
        ("processors", format!("{} ({})", machine.processors, machine.processor)),
        ("memory", format!("{} MiB", machine.memory_mib)),
        ("system", machine.system.clone()),
    ];
    table(
        html,
        "Toolchain and machine",
        &["what", "value"],
        rows.map(|(what, value)| vec![what.into(), escaped(&value)]),
    );
    let row = |session: &Session| {
        let date = |time| rfc3339(time).unwrap_or_default();
        let (ended, took) = match session.ended {
            Some(ended) => (date(ended), format!("{} s", seconds(ended.saturating_sub(session.began) * 1000))),
            None => ("killed".into(), "unknown".into()),
        };
        let command = format!("<code>{}</code>", escaped(&session.command));
        vec![date(session.began), ended, took, session.jobs.to_string(), session.recorded.to_string(), command]
    };
    let heads = ["began", "ended", "took", "jobs", "crates recorded", "command"];
    table(html, "Sessions", &heads, sessions.iter().map(row));
    html.push_str(
        "<p>The report is a function of the list, <code>run.json</code> and <code>records/</code>: <code>synchronicity survey LIST \
         --out FOLDER --report-only</code> writes it again, byte for byte. Crates were built side by side, and \
         other work may have run on the machine, so times of single builds are no benchmark.</p>\n",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_becomes_markup_or_turns_the_writing_direction() {
        assert_eq!(escaped("<a href='x'>\"&\u{202e}\u{1b}"), "&lt;a href=&#39;x&#39;&gt;&quot;&amp;\u{fffd}\u{fffd}");
    }
}
