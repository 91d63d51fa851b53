//! `init`: the folder and keys of a new member.

use synchronicity_core::group::Member;

use super::say;
use crate::artifact_store::retention::Keeping;
use crate::cli::Init;
use crate::config::{self, Config, Sandbox};
use crate::durable::{Disk, Synced};
use crate::exit::{self, Stop, StopWith};
use crate::folder::Folder;
use crate::group_file;
use crate::keys::Keys;
use crate::recosign::RECOSIGN_SECONDS;
use crate::witness;

pub(super) fn init(args: &Init) -> Result<u8, Stop> {
    let folder = Folder::at(&args.dir.path);
    let config = Config {
        name: args.name.clone(),
        listen: args.listen.clone(),
        http: args.http.clone(),
        sandbox: Sandbox::default(),
        public_url: None,
        clock_skew_ms_max: config::CLOCK_SKEW_MS_MAX,
        recosign_seconds: RECOSIGN_SECONDS,
        witness_name: None,
        survey: None,
        artifacts: Keeping::default(),
        witnessed_log: Vec::new(),
        outside_witness: Vec::new(),
        webhook: Vec::new(),
    };
    // Everything is checked before the first file is written.
    if folder.config().exists() {
        let message = format!("{} is a node's folder already", folder.root().display());
        let help = "its keys are not replaced; name another folder with --dir";
        return Err(Stop::new(exit::USAGE, miette::miette!(help = help, "{message}")));
    }
    config::check_address("listen", &args.listen).or_usage()?;
    config::check_address("http", &args.http).or_usage()?;
    group_file::check_name(&args.name).or_usage()?;

    let keys = Keys::create(&folder.keys()).or_usage()?;
    witness::choices::seed(&folder.keys()).or_usage()?;
    let member: Member = keys.member(&args.name, &args.listen).or_usage()?;
    let text = group_file::member_text(&member);
    let path = folder.member();
    let written = Synced.write(&path, text.as_bytes());
    written.map_err(|error| group_file::GroupFileError::File { path, error }).or_internal()?;
    // Last: with it, this is a node's folder.
    config.write(&folder.config()).or_internal()?;
    say(&text);
    eprintln!(
        "\nThis is {}. Hand it to the group's founder, who answers with group.toml (put it at {}) and log.key (put it \
         at {}, mode 600). Then: synchronicity-node run --dir {}",
        folder.member().display(),
        folder.group().display(),
        folder.keys().join("log.key").display(),
        folder.root().display()
    );
    Ok(exit::OK)
}
