//! Events in words.

use std::fmt::Write;

use super::args::{Conduct, CrashAt};
use super::event::{Conclusion, Event, Phase, Product, StartedNode, Suggestion};
use crate::explaining::words::in_words as explained;

/// One event as text: one line, or a block of them without a final line break.
pub(super) fn event(event: &Event) -> String {
    match event {
        Event::Resolved { asked, name_version } if asked.ends_with(name_version) => format!("{name_version}: found"),
        Event::Resolved { asked, name_version } => format!("{asked}: {name_version}"),
        Event::Preparing { folder } => format!("Making the sandbox ready; everything is kept in {}", folder.display()),
        Event::Ready { sandbox, rustc } => format!("Builds run in the sandbox `{sandbox}` with rustc {rustc}"),
        Event::Started { origin, threshold, folder, nodes } => {
            let count = nodes.len();
            let nodes: String = nodes.iter().map(started).collect();
            format!("Group {origin}: {count} builders, threshold {threshold}, in {}{nodes}", folder.display())
        }
        Event::Submitted { name_version, request } => format!("{name_version}: submitted as request {request}"),
        Event::Phase { name_version, builder, phase: reached, .. } => {
            format!("  {builder} {name_version}: {}", phase(reached))
        }
        Event::Killed { builder, at } => format!("  {builder}: killed with SIGKILL {}", moment(*at)),
        Event::Halted { running, needed, height, stood_still: true } => {
            format!("  {running} nodes run and {needed} are needed: the group stands still at height {height}")
        }
        Event::Halted { running, needed, height, stood_still: false } => {
            format!("  {running} nodes run and {needed} are needed, YET height {height} was passed: this is a fault")
        }
        Event::Restarted { builder, pid } => format!("  {builder}: started again as process {pid}"),
        Event::WentOn { height } => format!("  the group goes on from height {height}"),
        Event::Concluded(conclusion) => concluded(conclusion),
        Event::Written { folder, files, .. } => format!("  written to {}: {}", folder.display(), files.join(", ")),
        Event::Explained { name_version, told } => format!("\n{name_version}: {}", explained(told)),
        Event::Verified { command, exit, output } => {
            let exit = exit.map_or_else(|| "killed".to_owned(), |code| code.to_string());
            format!("\n$ {command}\n{}\n[exit code {exit}]", output.trim_end())
        }
        Event::Next { commands, kept } => next(commands, *kept),
        Event::Stopping => "Stopping the group".to_owned(),
        Event::Stopped => "The group is stopped.".to_owned(),
    }
}

/// The phase of a builder, in one line.
pub(super) fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Down => "node down".to_owned(),
        Phase::Waiting => "waiting".to_owned(),
        Phase::Fetching => "fetching sources".to_owned(),
        Phase::Building { elapsed_ms, compiled } if compiled.is_empty() => {
            format!("building {:>4} s", elapsed_ms / 1000)
        }
        Phase::Building { elapsed_ms, compiled } => format!("building {:>4} s  {compiled}", elapsed_ms / 1000),
        Phase::Built => "built".to_owned(),
        Phase::Broken { reason } => format!("cannot build here: {reason}"),
        Phase::Committed => "committed".to_owned(),
        Phase::Revealed => "revealed".to_owned(),
    }
}

fn started(node: &StartedNode) -> String {
    let conduct = match node.conduct {
        Conduct::Honest => "",
        Conduct::Liar => ", reports false hashes",
        Conduct::Silent => ", never reveals",
    };
    format!("\n  {}: process {}, {}{conduct}", node.name, node.pid, node.http)
}

fn moment(at: CrashAt) -> &'static str {
    match at {
        CrashAt::Building => "while it builds",
        CrashAt::Committed => "after its commitment",
        CrashAt::Revealed => "after its reveal",
    }
}

fn concluded(conclusion: &Conclusion) -> String {
    let Conclusion { name_version, threshold, agreeing, dissenting, silent, .. } = conclusion;
    let members = agreeing.len() + dissenting.len() + silent.len();
    let agreed = agreeing.len();
    let mut text = match conclusion.verdict.as_str() {
        "reproduced" => format!(
            "\n{name_version}: REPRODUCED. {agreed} of {members} builders got the same bytes (threshold {threshold})"
        ),
        "diverged" => {
            format!("\n{name_version}: DIVERGED. No {threshold} of {members} builders got the same result")
        }
        "unbuildable" => format!(
            "\n{name_version}: UNBUILDABLE. {agreed} of {members} builders failed the same way (threshold {threshold})"
        ),
        verdict => format!(
            "\n{name_version}: {}. Too few of {members} builders revealed (threshold {threshold})",
            verdict.to_uppercase()
        ),
    };
    conclusion.artifacts.iter().for_each(|artifact| text.push_str(&product("    ", artifact)));
    if let Some(reason) = &conclusion.failure {
        field(&mut text, "reason", &reason.failure);
        field(&mut text, "advice", &reason.advice);
    }
    if !agreeing.is_empty() {
        field(&mut text, "agree", &agreeing.join(", "));
    }
    for dissent in dissenting {
        let failure = dissent.failure.as_ref().map_or("", |reason| &reason.failure);
        field(&mut text, if agreeing.is_empty() { "result of" } else { "dissents" }, &dissent.builder);
        if !failure.is_empty() {
            let _ = write!(text, ": {failure}");
        }
        dissent.artifacts.iter().for_each(|artifact| text.push_str(&product("      ", artifact)));
    }
    if !silent.is_empty() {
        field(&mut text, "silent", &silent.join(", "));
    }
    let Conclusion { index, log_size, cosigners, .. } = conclusion;
    let place = format!("entry {index} of a log of size {log_size}, signed by {}", cosigners.join(", "));
    field(&mut text, "log", &place);
    if let Some(ms) = conclusion.proof_ms {
        field(&mut text, "proof", &format!("after {ms} ms (last reveal to proof on disk, median of the nodes)"));
    }
    text
}

/// Appends `\n  name       value`. Writing to a string cannot fail.
fn field(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, "\n  {name:10} {value}");
}

fn product(indent: &str, product: &Product) -> String {
    format!("\n{indent}{}  {} bytes\n{indent}  sha256 {}", product.name, grouped(product.size), product.sha256)
}

/// 1234567 as "1 234 567".
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn next(commands: &[Suggestion], kept: bool) -> String {
    let mut text = String::new();
    if kept {
        text.push_str("\nThe group keeps running until Ctrl-C.");
    }
    text.push_str("\nTry next:");
    for suggestion in commands {
        let _ = write!(text, "\n  # {}\n  {}", suggestion.why, suggestion.command);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::event::Dissent;
    use super::*;

    #[test]
    fn a_conclusion_names_whoever_did_not_agree() {
        let product = |sha256: &str| Product { name: "tool".into(), size: 1234, sha256: sha256.into() };
        let dissent = Dissent { builder: "cedar".into(), artifacts: vec![product("bb")], failure: None };
        let conclusion = Conclusion {
            name_version: "tool-1.0.0".into(),
            purl: "pkg:cargo/tool@1.0.0".into(),
            request: "00".into(),
            verdict: "reproduced".into(),
            threshold: 3,
            agreeing: ["alder", "birch", "elm"].map(String::from).to_vec(),
            dissenting: vec![dissent],
            silent: vec!["fir".into()],
            artifacts: vec![product("aa")],
            failure: None,
            index: 0,
            log_size: 1,
            cosigners: vec!["alder".into()],
            proof_ms: Some(80),
        };
        let expected = "
tool-1.0.0: REPRODUCED. 3 of 5 builders got the same bytes (threshold 3)
    tool  1 234 bytes
      sha256 aa
  agree      alder, birch, elm
  dissents   cedar
      tool  1 234 bytes
        sha256 bb
  silent     fir
  log        entry 0 of a log of size 1, signed by alder
  proof      after 80 ms (last reveal to proof on disk, median of the nodes)";
        assert_eq!(concluded(&conclusion), expected);
    }

    #[test]
    fn numbers_are_grouped_by_three_from_the_right() {
        let all: Vec<String> = [0, 999, 1000, 1_234_567].into_iter().map(grouped).collect();
        assert_eq!(all, ["0", "999", "1 000", "1 234 567"]);
    }
}
