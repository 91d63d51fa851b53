//! What the operator chose in `node.toml` about webhooks, checked.
//!
//! ```toml
//! [[webhook]]
//! name = "chat"                       # of this hook alone: it names the file that says how far it is
//! url = "https://hooks.example/in"
//! secret-file = "keys/webhook-chat"   # of this folder, or absolute; only its owner may be able to read it
//! # allow-http = true                 # without TLS to another machine: whoever is in between reads along
//! ```

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use ureq::http::Uri;

use super::secret::Secret;
use crate::keys::{self, KeysError};

/// Webhooks at most: each has a task, and while it posts a thread.
pub const HOOKS_MAX: usize = 16;

const NAME_BYTES_MAX: usize = 32;

/// A `[[webhook]]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WebhookChoice {
    /// What it is called in the trace and in the status.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// The file with the secret.
    pub secret_file: PathBuf,
    /// Whether the way to another machine may be without TLS.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_http: bool,
}

/// A webhook, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What it is called.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
    /// What they are signed with.
    pub secret: Secret,
}

/// What is wrong with the choices.
#[derive(Debug, Error, Diagnostic)]
pub enum HookError {
    /// A name that can be no file's.
    #[error("[[webhook]]: {0:?} is no name for a webhook")]
    #[diagnostic(help("1 to {NAME_BYTES_MAX} of a-z, 0-9 and -"))]
    Name(String),
    /// One name twice.
    #[error("[[webhook]]: {0} is there twice")]
    #[diagnostic(help("each needs a name of its own: how far it is is kept under it"))]
    Twice(String),
    /// More than a node takes.
    #[error("[[webhook]] is there {0} times; at most {HOOKS_MAX} are taken")]
    TooMany(usize),
    /// Not an address that events may go to.
    #[error("[[webhook]] {name}: its url is no https:// address")]
    #[diagnostic(help(
        "http:// is taken to this machine's own addresses (127.0.0.1, [::1], localhost), and to others with `allow-http = true`"
    ))]
    Url {
        /// Of the webhook. Its address may be a secret.
        name: String,
    },
    /// The file of the secret cannot be used.
    #[error("[[webhook]] {name}: {error}")]
    #[diagnostic(help(
        "write whsec_ and 24 to 64 random bytes in base64 into the file, and chmod 600 it: see docs/web.md"
    ))]
    File {
        /// Of the webhook.
        name: String,
        /// What is wrong.
        error: KeysError,
    },
    /// The file holds something else.
    #[error("[[webhook]] {name}: {} holds no secret", path.display())]
    #[diagnostic(help("it is whsec_ and 24 to 64 random bytes in base64: see docs/web.md"))]
    NoSecret {
        /// Of the webhook.
        name: String,
        /// The file.
        path: PathBuf,
    },
}

/// The webhooks of a node whose folder is `root`.
///
/// # Errors
/// [`HookError`].
pub fn hooks(choices: &[WebhookChoice], root: &Path) -> Result<Vec<Hook>, HookError> {
    if choices.len() > HOOKS_MAX {
        return Err(HookError::TooMany(choices.len()));
    }
    let mut names = BTreeSet::new();
    let mut hook = |choice: &WebhookChoice| {
        let name = choice.name.clone();
        let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.bytes().all(good) {
            return Err(HookError::Name(name));
        }
        if !names.insert(name.clone()) {
            return Err(HookError::Twice(name));
        }
        if !may_go_to(&choice.url, choice.allow_http) {
            return Err(HookError::Url { name });
        }
        let path = root.join(&choice.secret_file);
        let text = keys::read_secret(&path).map_err(|error| HookError::File { name: name.clone(), error })?;
        let Some(secret) = Secret::parse(&text) else { return Err(HookError::NoSecret { name, path }) };
        Ok(Hook { name, url: choice.url.clone(), secret })
    };
    choices.iter().map(&mut hook).collect()
}

fn may_go_to(url: &str, allow_http: bool) -> bool {
    let Ok(url) = url.parse::<Uri>() else { return false };
    match (url.scheme_str(), url.host()) {
        (_, None | Some("")) => false,
        (Some("https"), _) => true,
        (Some("http"), Some(host)) => allow_http || is_loopback(host),
        _ => false,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn events_go_by_https_or_to_this_machine_unless_the_operator_says_otherwise() {
        let fine = ["https://hooks.example/in?a=b", "http://127.0.0.1:9/", "http://[::1]:9/x", "http://localhost/"];
        fine.iter().for_each(|url| assert!(may_go_to(url, false), "{url}"));
        let foreign = [
            "http://hooks.example/",
            "http://127.0.0.1@hooks.example/",
            "http://10.0.0.1/",
            "http://127.0.0.1.example/",
        ];
        foreign.iter().for_each(|url| assert!(!may_go_to(url, false) && may_go_to(url, true), "{url}"));
        let never =
            ["", "/in", "hooks.example", "ftp://hooks.example/", "file:///etc/passwd", "https://", "https:///x"];
        never.iter().for_each(|url| assert!(!may_go_to(url, true), "{url}"));
    }

    #[test]
    fn a_secret_that_others_can_read_a_wrong_one_and_none_at_all_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let choice = |name: &str| WebhookChoice {
            name: name.into(),
            url: "https://hooks.example/".into(),
            secret_file: "secret".into(),
            allow_http: false,
        };
        assert!(matches!(hooks(&[choice("a")], dir.path()), Err(HookError::File { .. })));
        fs::write(&path, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let exposed = hooks(&[choice("a")], dir.path());
        assert!(matches!(exposed, Err(HookError::File { error: KeysError::Exposed { mode: 0o640, .. }, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(hooks(&[choice("a"), choice("b-2")], dir.path()).unwrap().len(), 2);
        assert!(matches!(hooks(&[choice("a"), choice("a")], dir.path()), Err(HookError::Twice(_))));
        for name in ["", "../a", "A", &"a".repeat(33)] {
            assert!(matches!(hooks(&[choice(name)], dir.path()), Err(HookError::Name(_))), "{name}");
        }
        let many: Vec<WebhookChoice> = (0..17).map(|number| choice(&format!("a{number}"))).collect();
        assert!(matches!(hooks(&many, dir.path()), Err(HookError::TooMany(17))));
        fs::write(&path, "no secret").unwrap();
        assert!(matches!(hooks(&[choice("a")], dir.path()), Err(HookError::NoSecret { .. })));
    }
}
