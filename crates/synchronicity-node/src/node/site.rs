//! What a node shows of its parts to everybody.

use std::sync::Arc;

use synchronicity_core::group::Group;

use super::RunError;
use super::recovery::Past;
use crate::artifact_store::ArtifactStore;
use crate::attestations::Attester;
use crate::chronicle;
use crate::config::Config;
use crate::exit::{Stop, StopWith};
use crate::explaining::Explanations;
use crate::folder::Folder;
use crate::http::Site;
use crate::http::log::LogSite;
use crate::http::web::WebSite;
use crate::log_reader::LogReader;
use crate::offences::Offences;
use crate::pages::{Pages, Sources, SurveyFile};
use crate::publisher::Published;
use crate::view::View;

/// What a site shows beside the log.
pub(super) struct Shown {
    pub(super) store: ArtifactStore,
    pub(super) explanations: Explanations,
    pub(super) offences: Offences,
    pub(super) attester: Attester,
    pub(super) past: Past,
    pub(super) chronicle: chronicle::Shown,
}

pub(super) fn site(view: &View, about: (&Group, &Config, &Folder), log: LogSite, shown: Shown) -> Result<Site, Stop> {
    let (group, config, folder) = about;
    let Shown { store, explanations, offences, attester, past, chronicle } = shown;
    let Past { groups, succession } = past;
    let policy = group.policy_text(Some(&config.log_url())).map_err(RunError::from).or_usage()?;
    let (policy, group) = (Arc::<str>::from(policy), group.to_text().into());
    let name = config.name.as_str().into();
    let survey = SurveyFile::open(config.survey.as_deref().map(|survey| folder.root().join(survey)).as_deref());
    let pages = pages(view, config, (policy.clone(), survey), (chronicle, explanations.clone()));
    let web = WebSite::new(pages, store.clone());
    let (snapshots, view) = (view.snapshots(), view.clone());
    Ok(Site {
        name,
        store,
        explanations,
        offences,
        view,
        log,
        policy,
        group,
        groups,
        succession,
        attester,
        snapshots,
        web,
    })
}

/// Pages over the parts of this node.
fn pages(
    view: &View,
    config: &Config,
    (policy, survey): (Arc<str>, SurveyFile),
    (chronicle, explanations): (chronicle::Shown, Explanations),
) -> Pages {
    let (now, copies) = (view.clone(), view.clone());
    Pages::new(Sources {
        name: config.name.clone(),
        url: config.log_url().trim_end_matches('/').to_owned(),
        group: view.state().group().clone(),
        policy,
        chronicle,
        published: view.follow_published(),
        present: Arc::new(move || now.present()),
        round: Arc::new(move |request| copies.round_copy(request)),
        explained: Arc::new(move |request| explanations.of(request).ok()),
        survey,
    })
}

pub(super) fn log_site(reader: LogReader, published: Published, view: &View) -> LogSite {
    let view = view.clone();
    let state = view.state().clone();
    let map_at = move |size| state.lock().map_at(size);
    let find = move |name: &str, version: &str, size| view.find(name, version, size);
    LogSite::new(reader, published, Arc::new(find), Arc::new(map_at))
}
