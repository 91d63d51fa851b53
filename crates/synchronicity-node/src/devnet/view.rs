//! Shows events: lines that update in place on a terminal, changes of phase as plain lines elsewhere, JSON for
//! programs. Results go to stdout, progress to stderr.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::event::{Event, Phase};
use super::words;

/// Where events go.
pub(super) struct View {
    medium: Medium,
    /// The last phase shown for each request and builder.
    shown: BTreeMap<(String, String), Phase>,
}

enum Medium {
    Json,
    Plain,
    Terminal { lines: MultiProgress, bars: BTreeMap<(String, String), ProgressBar> },
}

impl View {
    /// JSON when asked for, else by whether a person watches standard error.
    pub(super) fn open(json: bool) -> Self {
        let medium = if json {
            Medium::Json
        } else if std::io::stderr().is_terminal() {
            Medium::Terminal { lines: MultiProgress::new(), bars: BTreeMap::new() }
        } else {
            Medium::Plain
        };
        Self { medium, shown: BTreeMap::new() }
    }

    /// Takes moving lines off the terminal.
    pub(super) fn close(&self) {
        if let Medium::Terminal { lines, .. } = &self.medium {
            // A terminal that is gone needs no clearing.
            let _ = lines.clear();
        }
    }

    /// Shows one event. Output that nobody can take any more (a closed pipe) is no reason to stop the group badly,
    /// so it is ignored.
    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Phase { name_version, request, builder, phase } => {
                let key = (request.clone(), builder.clone());
                let before = self.shown.insert(key.clone(), phase.clone());
                match &mut self.medium {
                    Medium::Terminal { lines, bars } => {
                        let bar = bars.entry(key).or_insert_with(|| bar(lines, format!("{builder} {name_version}")));
                        bar.set_message(words::phase(phase));
                    }
                    Medium::Plain if before.as_ref().is_none_or(|before| phase.is_beyond(before)) => {
                        self.medium.say(event)
                    }
                    Medium::Json if before.as_ref().is_none_or(|before| phase.is_news_after(before)) => {
                        self.medium.say(event)
                    }
                    Medium::Plain | Medium::Json => {}
                }
            }
            Event::Concluded(conclusion) => {
                self.medium.clear(&conclusion.request);
                self.medium.say(event);
            }
            _ => self.medium.say(event),
        }
    }
}

impl Medium {
    fn clear(&mut self, concluded: &str) {
        if let Self::Terminal { lines, bars } = self {
            bars.retain(|(request, _), bar| {
                let over = request == concluded;
                if over {
                    bar.finish();
                    lines.remove(bar);
                }
                !over
            });
        }
    }

    fn say(&self, event: &Event) {
        let write = || {
            if let Self::Json = self {
                return match serde_json::to_string(event) {
                    Ok(line) => writeln!(std::io::stdout(), "{line}"),
                    Err(error) => writeln!(std::io::stderr(), "cannot write an event as JSON: {error}"),
                };
            }
            let text = words::event(event);
            match event {
                Event::Concluded(_)
                | Event::Written { .. }
                | Event::Explained { .. }
                | Event::Verified { .. }
                | Event::Next { .. } => {
                    writeln!(std::io::stdout(), "{text}")
                }
                _ => writeln!(std::io::stderr(), "{text}"),
            }
        };
        let _ = match self {
            Self::Terminal { lines, .. } => lines.suspend(write),
            Self::Json | Self::Plain => write(),
        };
    }
}

fn bar(lines: &MultiProgress, prefix: String) -> ProgressBar {
    let bar = lines.add(ProgressBar::new_spinner()).with_prefix(prefix);
    // The template is a constant; a wrong one would only look worse.
    let style = ProgressStyle::with_template("  {spinner} {prefix:28} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
