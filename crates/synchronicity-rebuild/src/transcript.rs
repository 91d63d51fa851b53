//! The transcript: what a build printed, kept on disk up to a limit.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use synchronicity_verify::result::Failure;

/// Longer lines are cut: one endless line must not fill the memory of whoever reads transcripts by line.
const LINE_BYTES_MAX: usize = 16 * 1024;
/// How much of the end is kept for the diagnosis.
const TAIL_LINES_MAX: usize = 400;

/// A transcript that is being written.
pub(crate) struct Transcript {
    file: BufWriter<File>,
    limit_bytes: u64,
    written_bytes: u64,
    tail: std::collections::VecDeque<String>,
    began: bool,
    broken: Option<io::Error>,
}

/// A finished transcript.
pub(crate) struct Written {
    /// The last lines, oldest first.
    pub(crate) tail: Vec<String>,
    /// Whether anything was compiled: before that, no line of the crate's own code has run.
    pub(crate) began: bool,
}

impl Transcript {
    /// Opens the file, and goes on behind what is in it; `limit_bytes` is the request's limit, for what comes.
    pub(crate) fn create(path: &Path, limit_bytes: u64) -> io::Result<Self> {
        let file = BufWriter::new(File::options().create(true).append(true).open(path)?);
        Ok(Self { file, limit_bytes, written_bytes: 0, tail: Default::default(), began: false, broken: None })
    }

    /// Keeps one line; breaks when the limit is exceeded, and says so in the file.
    pub(crate) fn line(&mut self, line: &str) -> ControlFlow<Failure> {
        let line = cut(line);
        let size = line.len() as u64 + 1;
        if self.written_bytes + size > self.limit_bytes {
            self.note(&format!("[the transcript exceeds its limit of {} bytes and ends here]", self.limit_bytes));
            return ControlFlow::Break(Failure::Transcript);
        }
        self.written_bytes += size;
        self.began |= line.trim_start().starts_with("Compiling ");
        self.note(line);
        if self.tail.len() == TAIL_LINES_MAX {
            self.tail.pop_front();
        }
        self.tail.push_back(line.to_owned());
        ControlFlow::Continue(())
    }

    /// Adds a line of ours, outside the limit.
    pub(crate) fn note(&mut self, line: &str) {
        if let Err(error) = writeln!(self.file, "{line}") {
            self.broken.get_or_insert(error);
        }
    }

    /// Flushes; an error at any earlier line is reported here.
    pub(crate) fn finish(mut self) -> io::Result<Written> {
        self.file.flush()?;
        match self.broken {
            Some(error) => Err(error),
            None => Ok(Written { tail: self.tail.into(), began: self.began }),
        }
    }
}

/// The crate that a line of cargo's output says is being compiled, as in `serde v1.0.228`.
pub fn compiled_crate(line: &str) -> Option<&str> {
    let named = line.trim_start().strip_prefix("Compiling ")?;
    // The root package is followed by its path.
    let named = named.split(" (").next().unwrap_or(named).trim_end();
    let (name, version) = named.split_once(' ')?;
    let plausible = named.len() <= 200 && !name.is_empty() && version.starts_with('v') && !version.contains(' ');
    plausible.then_some(named)
}

fn cut(line: &str) -> &str {
    &line[..line.floor_char_boundary(LINE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transcript_within_its_limit_is_kept_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("transcript.txt");
        let mut transcript = Transcript::create(&path, 100).unwrap();
        assert!(transcript.line("   Compiling a v1.0.0").is_continue());
        assert!(transcript.line("error: no").is_continue());
        let written = transcript.finish().unwrap();
        assert_eq!((written.tail, written.began), (vec!["   Compiling a v1.0.0".into(), "error: no".into()], true));
        assert_eq!(std::fs::read_to_string(path).unwrap(), "   Compiling a v1.0.0\nerror: no\n");
    }

    #[test]
    fn the_line_that_exceeds_the_limit_stops_the_build_and_the_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("transcript.txt");
        let mut transcript = Transcript::create(&path, 10).unwrap();
        assert!(transcript.line("123456789").is_continue());
        assert_eq!(transcript.line(""), ControlFlow::Break(Failure::Transcript));
        assert!(!transcript.finish().unwrap().began);
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text, "123456789\n[the transcript exceeds its limit of 10 bytes and ends here]\n");
    }

    #[test]
    fn what_was_compiled_is_remembered_longer_than_the_tail() {
        let folder = tempfile::tempdir().unwrap();
        let mut transcript = Transcript::create(&folder.path().join("transcript.txt"), 1 << 20).unwrap();
        assert!(transcript.line("   Compiling a v1.0.0").is_continue());
        for _ in 0..TAIL_LINES_MAX {
            assert!(transcript.line("using offline mode").is_continue());
        }
        let written = transcript.finish().unwrap();
        assert!(written.began && !written.tail.contains(&"   Compiling a v1.0.0".to_owned()));
    }

    #[test]
    fn an_endless_line_is_cut_at_a_character() {
        let line = "é".repeat(LINE_BYTES_MAX);
        let kept = cut(&line);
        assert!(kept.len() <= LINE_BYTES_MAX && kept.len() > LINE_BYTES_MAX - 4);
    }

    #[test]
    fn the_crate_being_compiled_is_read_from_cargo_lines_only() {
        assert_eq!(compiled_crate("   Compiling serde v1.0.228"), Some("serde v1.0.228"));
        assert_eq!(compiled_crate("   Compiling hexyl v0.17.0 (/opt/rustwide/workdir)"), Some("hexyl v0.17.0"));
        assert_eq!(compiled_crate("   Compiling everything now please"), None);
        assert_eq!(compiled_crate("    Finished `release` profile [optimized] target(s) in 17.2s"), None);
    }
}
