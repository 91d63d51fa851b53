//! The pages. Each takes what is around it and what it shows, and gives a whole HTML document that needs no script.

use askama::Template;

use crate::asset;
use crate::chart;
use crate::detail::{Detail, fitting};
use crate::model::{
    ApiPage, BuilderRecord, Builders, CratePage, Frame, GroupPage, Home, LogPage, Missing, Queue, RequestPage, Search,
    SurveyPage, TranscriptPage, TrendsPage, Verdict, verdict,
};

macro_rules! pages {
    ($($(#[$about:meta])* $function:ident: $page:ident($model:ty) = $title:expr, $active:expr;)*) => {$(
        $(#[$about])*
        pub fn $function(frame: &Frame, it: &$model) -> String {
            let title: String = $title(it).into();
            whole(&$page { frame, it, title, active: $active })
        }
    )*};
}

pages! {
    /// The first page.
    home: HomePage(Home) = |_: &_| "Rebuilt crates", "home";
    /// What a search found.
    search: SearchPage(Search) = |it: &Search| match it.query.as_str() {
        "" => "Search".to_owned(),
        query => format!("Search for {query}"),
    }, "";
    /// One crate.
    of_crate: CrateHtml(CratePage) = |it: &CratePage| it.name.clone(), "";
    /// A part of a transcript.
    transcript: TranscriptHtml(TranscriptPage) = |it: &TranscriptPage| format!("Transcript of {}", it.title), "";
    /// All builders.
    builders: BuildersHtml(Builders) = |_: &_| "Builders", "builders";
    /// One builder.
    builder: BuilderHtml(BuilderRecord) = |it: &BuilderRecord| it.name.clone(), "builders";
    /// Rounds without a verdict.
    queue: QueueHtml(Queue) = |_: &_| "Queue", "queue";
    /// The log.
    log: LogHtml(LogPage) = |_: &_| "Log", "log";
    /// Rates over time.
    trends: TrendsHtml(TrendsPage) = |_: &_| "Trends", "trends";
    /// What a survey found.
    survey: SurveyHtml(SurveyPage) = |_: &_| "Survey", "trends";
    /// The group and its policy.
    group: GroupHtml(GroupPage) = |_: &_| "Group and policy", "group";
    /// The API, for people.
    api: ApiHtml(ApiPage) = |_: &_| "API", "api";
    /// Checks a proof in the browser.
    verify: VerifyHtml(GroupPage) = |_: &_| "Verify", "verify";
    /// Nothing is here.
    missing: MissingHtml(Missing) = |it: &Missing| it.title.clone(), "";
}

/// One attempt at a request.
pub fn request(frame: &Frame, it: &RequestPage) -> String {
    let title = format!("{} {}", it.name, it.version);
    fitting(|detail| whole(&RequestHtml { frame, it, title: title.clone(), active: "", detail }))
}

#[derive(Template)]
#[template(path = "request.html")]
struct RequestHtml<'a> {
    frame: &'a Frame,
    it: &'a RequestPage,
    title: String,
    active: &'static str,
    detail: Detail,
}

#[derive(Template)]
#[template(path = "round.html")]
struct RoundPart<'a> {
    it: &'a RequestPage,
    detail: Detail,
}

/// The part of a request's page that changes while its round is open.
pub fn round(it: &RequestPage) -> String {
    fitting(|detail| whole(&RoundPart { it, detail }))
}

fn whole(page: &impl Template) -> String {
    page.render().expect("writing into a String has no failure")
}

macro_rules! templates {
    ($($page:ident($model:ty) = $path:literal;)*) => {$(
        #[derive(Template)]
        #[template(path = $path)]
        struct $page<'a> {
            frame: &'a Frame,
            it: &'a $model,
            title: String,
            active: &'static str,
        }
    )*};
}

templates! {
    HomePage(Home) = "home.html";
    SearchPage(Search) = "search.html";
    CrateHtml(CratePage) = "crate.html";
    TranscriptHtml(TranscriptPage) = "transcript.html";
    BuildersHtml(Builders) = "builders.html";
    BuilderHtml(BuilderRecord) = "builder.html";
    QueueHtml(Queue) = "queue.html";
    LogHtml(LogPage) = "log.html";
    TrendsHtml(TrendsPage) = "trends.html";
    SurveyHtml(SurveyPage) = "survey.html";
    GroupHtml(GroupPage) = "group.html";
    ApiHtml(ApiPage) = "api.html";
    VerifyHtml(GroupPage) = "verify.html";
    MissingHtml(Missing) = "missing.html";
}

/// Rows of a table whose length others decide: the page stays below 100 kB. The API has all.
const ROWS_MAX: usize = 48;

/// The pages that stand in every page's head: path, name, word in `active`.
const PLACES: [(&str, &str, &str); 8] = [
    ("/", "Home", "home"),
    ("/builders", "Builders", "builders"),
    ("/queue", "Queue", "queue"),
    ("/log", "Log", "log"),
    ("/trends", "Trends", "trends"),
    ("/about", "Group", "group"),
    ("/verify", "Verify", "verify"),
    ("/api", "API", "api"),
];
