//! The survey that the operator shows: the head of a `survey.json`, read under limits at start, and again when the file is another.

use std::cmp::Reverse;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use synchronicity_explain::survey::{self as found, BYTES_MAX, CauseRow, Summary};
use synchronicity_web::model::{
    Moment, Rate, Survey, SurveyCause, SurveyCondition, SurveyGroup, SurveyPage, SurveyTotals,
};

/// Between two looks at the file.
const LOOK: Duration = Duration::from_secs(60);

/// Of the names of a row, of rows, and of paragraphs, so many are shown.
const NAMES_MAX: usize = 50;
const ROWS_MAX: usize = 32;

/// The file, and what it said last.
#[derive(Debug, Default)]
pub struct SurveyFile {
    path: Option<PathBuf>,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    looked: Instant,
    edition: Edition,
    page: SurveyPage,
}

/// What tells one content from another: a survey replaces its file, and never writes into it.
type Edition = Option<(SystemTime, u64)>;

impl SurveyFile {
    /// The survey in a folder, if there is one; read at once.
    pub fn open(folder: Option<&Path>) -> SurveyFile {
        let file = SurveyFile { path: folder.map(|folder| folder.join("survey.json")), kept: Mutex::default() };
        file.page();
        file
    }

    /// What it says. Reads the disk, though not each time.
    pub fn page(&self) -> SurveyPage {
        let Some(path) = &self.path else { return SurveyPage::default() };
        // What was read before is whole, whoever panicked.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref().filter(|kept| kept.looked.elapsed() < LOOK) {
            return kept.page.clone();
        }
        let (looked, edition) = (Instant::now(), edition(path));
        let page = match kept.take() {
            Some(kept) if kept.edition == edition => kept.page,
            _ => read(path),
        };
        kept.insert(Kept { looked, edition, page }).page.clone()
    }
}

fn edition(path: &Path) -> Edition {
    let about = fs::metadata(path).ok()?;
    Some((about.modified().ok()?, about.len()))
}

fn read(path: &Path) -> SurveyPage {
    match bytes(path).map_err(|error| error.to_string()).and_then(|bytes| {
        let summary = Summary::read(&bytes);
        summary.map_err(|error| error.to_string())
    }) {
        Ok(summary) => SurveyPage { survey: Some(shown(summary)), unreadable: false },
        Err(problem) => {
            // No page: a node builds and signs without one.
            tracing::warn!(path = %path.display(), "the survey cannot be shown: {problem}");
            SurveyPage { survey: None, unreadable: true }
        }
    }
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn shown(summary: Summary) -> Survey {
    let Summary { run, list, totals, groups, causes, conditions, .. } = summary;
    let seconds = |seconds: u64| Moment(seconds.saturating_mul(1000));
    let paragraphs = list.chosen.split(String::is_empty).filter(|lines| !lines.is_empty());
    let group = |group: found::Group| SurveyGroup {
        name: group.name,
        exclusive: group.exclusive,
        reproducible: rate(&group.reproducible),
    };
    let mut causes: Vec<CauseRow> = causes.into_iter().filter(|row| row.crates.count > 0).collect();
    causes.sort_by_key(|row| Reverse(row.crates.count));
    let condition =
        |row: found::ConditionRow| SurveyCondition { what: row.what, varied: count(row.varied), of: count(row.of) };
    Survey {
        began: run.sessions.first().map(|session| seconds(session.began)),
        ended: run.sessions.last().and_then(|session| session.ended).map(seconds),
        program: run.setting.program,
        rustc: run.setting.rustc,
        target: run.setting.target,
        sandbox: run.setting.sandbox,
        chosen: paragraphs.map(|lines| lines.join(" ")).take(ROWS_MAX).collect(),
        changed: list.changed,
        totals: counted(&totals),
        groups: groups.into_iter().take(ROWS_MAX).map(group).collect(),
        causes: causes.into_iter().take(ROWS_MAX).map(cause).collect(),
        conditions: conditions.into_iter().take(ROWS_MAX).map(condition).collect(),
    }
}

fn counted(totals: &found::Totals) -> SurveyTotals {
    SurveyTotals {
        listed: count(totals.listed),
        recorded: count(totals.recorded),
        refused: count(totals.refused),
        unbuildable: count(totals.unbuildable),
        compared: count(totals.compared),
        reproducible: count(totals.reproducible),
        different: count(totals.different),
        only_once: count(totals.only_once),
    }
}

fn cause(row: CauseRow) -> SurveyCause {
    let [possible, likely, known] = row.certainty.map(count);
    SurveyCause {
        cause: row.cause.as_str().to_owned(),
        in_words: row.in_words,
        crates: rate(&row.crates),
        possible,
        likely,
        known,
        names: row.names.into_iter().take(NAMES_MAX).collect(),
        guilty: row.guilty.into_iter().take(NAMES_MAX).collect(),
    }
}

fn rate(rate: &found::Rate) -> Rate {
    let found::Rate { count: cases, of, share, low, high } = *rate;
    Rate { count: count(cases), of: count(of), share, low, high }
}

fn count(count: usize) -> u64 {
    count as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_survey_of_this_repository_is_shown_as_it_counts() {
        let page = SurveyFile::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey"))).page();
        let survey = page.survey.unwrap();
        assert_eq!((survey.totals.compared, survey.totals.reproducible), (40, 38));
        assert_eq!(
            (survey.groups[0].name.as_str(), survey.groups[0].reproducible.interval()),
            ("all", "83.5 to 98.6 %".into())
        );
        assert!(
            survey.causes.iter().any(|row| row.cause == "build-time" && row.names.len() == 1),
            "{:?}",
            survey.causes
        );
        assert!(survey.began.unwrap() < survey.ended.unwrap() && survey.chosen.len() > 1);
    }

    #[test]
    fn a_file_that_is_none_or_too_much_is_unreadable_and_nothing_else_suffers() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(SurveyFile::open(None).page(), SurveyPage::default());
        let unreadable = SurveyPage { survey: None, unreadable: true };
        assert_eq!(SurveyFile::open(Some(dir.path())).page(), unreadable);
        for bytes in [&b"{}"[..], b"\xff", &[b'['; 200_000]] {
            fs::write(dir.path().join("survey.json"), bytes).unwrap();
            assert_eq!(SurveyFile::open(Some(dir.path())).page(), unreadable);
        }
        fs::remove_file(dir.path().join("survey.json")).unwrap();
        fs::create_dir(dir.path().join("survey.json")).unwrap();
        assert_eq!(SurveyFile::open(Some(dir.path())).page(), unreadable);
    }
}
