//! The page of a survey: what a file says, whatever it says.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::stage::{Stage, json as asked, page};

fn committed() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/survey/survey.json");
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Page and JSON over a folder with this survey.
async fn shown(survey: &Value) -> (String, Value) {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("survey.json"), survey.to_string()).unwrap();
    let mut stage = Stage::of(1);
    stage.survey = Some(dir.path().to_owned());
    let routes = stage.routes();
    (page(&routes, "/survey").await.1, asked(&routes, "/api/v1/survey").await.1)
}

#[tokio::test]
async fn rates_come_with_intervals_by_kind_and_by_cause_as_page_plot_and_json() {
    let (page, told) = shown(&committed()).await;
    let survey = &told["survey"];
    assert_eq!((&survey["totals"]["compared"], &survey["totals"]["reproducible"]), (&40.into(), &38.into()));
    let all = &survey["groups"][0]["reproducible"];
    assert_eq!(all, &json!({ "count": 38, "of": 40, "share": 0.95, "low": 0.835, "high": 0.9862 }));
    for words in ["95.0 %", "83.5 to 98.6 %", "38 of 40", "class=\"dot\"", "class=\"range\"", "commander", "1.95.0"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(page.len() < 100_000, "{} bytes", page.len());
    let words = page.split("<blockquote>").nth(1).unwrap().split("</blockquote>").next().unwrap();
    assert!(words.starts_with("<p>Chosen by hand") && words.ends_with("about crates.io.</p>"), "{words}");
    let causes: Vec<&str> =
        survey["causes"].as_array().unwrap().iter().map(|it| it["cause"].as_str().unwrap()).collect();
    assert!(causes.contains(&"build-time") && !causes.contains(&"random"), "only what was found: {causes:?}");
}

#[tokio::test]
async fn what_a_survey_quotes_is_text_and_one_that_does_not_add_up_is_not_shown() {
    let text = "<script>alert(1)</script>\u{202e}";
    let mut hostile = committed();
    hostile["list"]["chosen"] = json!([text]);
    hostile["run"]["setting"]["rustc"] = text.into();
    hostile["groups"][0]["name"] = text.into();
    hostile["causes"][0]["in_words"] = text.into();
    hostile["causes"][0]["names"] = json!([text]);
    hostile["conditions"][0]["what"] = text.into();
    let (page, told) = shown(&hostile).await;
    assert!(page.contains("&lt;script&gt;") && page.contains("\\u{202e}") && !page.contains("<script>alert"), "{page}");
    assert!(!page.contains('\u{202e}') && told["survey"]["rustc"] == text);
    let mut wrong = committed();
    wrong["totals"]["reproducible"] = 40.into();
    let (page, told) = shown(&wrong).await;
    assert!(page.contains("cannot be read") && !page.contains("survey.json"), "{page}");
    assert_eq!(told, json!({ "survey": null, "unreadable": true }));
}

#[tokio::test]
async fn a_node_without_a_survey_says_so_and_how_one_is_made() {
    let routes = Stage::of(1).routes();
    let (code, text) = page(&routes, "/survey").await;
    assert!(code == 200 && text.contains("class=\"empty\"") && text.contains("synchronicity survey LIST"), "{text}");
    assert_eq!(asked(&routes, "/api/v1/survey").await.1, json!({ "survey": null, "unreadable": false }));
    assert!(page(&routes, "/trends").await.1.contains("href=\"/survey\""));
}
