//! The circumstances of a build, to be varied: two builds that differ in all of them and not in their bytes are
//! reproducible. For `check`, which asks for no evidence; builds for a group have no conditions.
//!
//! What a request fixes stays as it is (toolchain, lock, features, SOURCE_DATE_EPOCH). Everything varied here is varied
//! by the job's command, environment and identity, inside whichever sandbox runs it: a short shell script ([`SCRIPT`]) arranges what
//! it may, says what came of it, and becomes cargo.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sandbox::{INNER_SOURCE, Job};

/// How a build is arranged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conditions {
    /// Where the source is inside. Elsewhere than where the recipe has it, it is a copy, in whose folders the files are
    /// listed in the opposite order.
    pub place: String,
    /// The host name, where it is to be another than the recipe's.
    pub host: Option<String>,
    /// Name and number of the user, where they are to be others than the recipe's.
    pub user: Option<(String, u32)>,
    /// `HOME`.
    pub home: String,
    /// `TMPDIR`.
    pub temporary: String,
    /// Number of jobs, at most the request's.
    pub jobs: Option<u16>,
    /// Whether the build sees one processor only.
    pub one_processor: bool,
    /// The umask, in octal digits.
    pub umask: String,
    /// The library that sets the clock ahead, as seen inside, where there is one.
    pub clock: Option<String>,
    /// Further variables.
    pub env: BTreeMap<String, String>,
}

/// What a build said of its own circumstances before cargo began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measured {
    /// The host name.
    pub host: String,
    /// The user's number.
    pub user: String,
    /// The number of processors.
    pub processors: u64,
    /// The folder of the source.
    pub place: String,
    /// The time, in seconds since 1970.
    pub time: u64,
    /// The umask, in octal digits.
    pub umask: String,
    /// The first folder that has several files, as it lists them.
    pub listing: String,
}

/// By how much the clock is set ahead.
const CLOCK_AHEAD: &str = "+400d";
/// Begins each line of the script's own.
const MARK: &str = "[conditions] ";
/// Folders of distributions, below which libfaketime is.
const LIBRARIES: [&str; 5] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];

/// What differs from what was asked for, because the sandbox or the machine does not give it, is in the lines that the script
/// prints: host name and user, for instance, are Docker's own there.
/// Rustc keeps the real clock: with libfaketime its allocator waits for itself.
const SCRIPT: &str = r#"set -eu
place=$1 umask=$2 cpu=$3 clock=$4
shift 4
umask "$umask"
mkdir -p "$HOME" "$TMPDIR"
if [ "$place" != "$PWD" ]; then
    mkdir -p "$place" /tmp/.turn
    : > /tmp/.turn/1
    : > /tmp/.turn/2
    turn=cat
    [ "$(ls -U /tmp/.turn | head -n 1)" = 2 ] || turn=tac
    rm -r /tmp/.turn
    find . -mindepth 1 | "$turn" | tar -c --no-recursion --no-unquote --verbatim-files-from -T - | tar -x -C "$place"
    cd "$place"
fi
set -- /bin/sh -c 'm="[conditions]"
echo "$m host $(uname -n)"; echo "$m user $(id -u)"; echo "$m processors $(nproc)"; echo "$m place $(pwd)"
echo "$m time $(date +%s)"; echo "$m umask $(umask)"
echo "$m listing $(for d in . */; do n=$(ls -U "$d" | wc -l); [ "$n" -gt 1 ] && ls -U "$d"; done | tr "\n" " " | head -c 2000)"
exec "$@"' sh "$@"
if [ -n "$clock" ]; then
    mkdir /tmp/.plain
    printf '#!/bin/sh\nunset LD_PRELOAD\nexec %s "$@"\n' "$(command -v rustc)" > /tmp/.plain/rustc
    chmod 755 /tmp/.plain /tmp/.plain/rustc
    set -- env LD_PRELOAD="$clock" FAKETIME="$AHEAD" FAKETIME_DISABLE_SHM=1 NO_FAKE_STAT=1 DONT_FAKE_MONOTONIC=1 \
        RUSTC=/tmp/.plain/rustc PATH="/tmp/.plain:$PATH" "$@"
fi
if [ "$cpu" = one ]; then
    cpu=$(sed -n 's/^Cpus_allowed_list:[^0-9]*\([0-9]*\).*/\1/p' /proc/self/status)
    ! taskset -c "$cpu" true 2>/dev/null || set -- taskset -c "$cpu" "$@"
fi
unset AHEAD
exec "$@"
"#;

impl Conditions {
    /// Those of the recipe, measured.
    pub fn of_the_recipe() -> Self {
        Self {
            place: INNER_SOURCE.into(),
            host: None,
            user: None,
            home: "/tmp".into(),
            temporary: "/tmp".into(),
            jobs: None,
            one_processor: false,
            umask: "022".into(),
            clock: None,
            env: BTreeMap::new(),
        }
    }

    /// All others. `package` is part of the path, `dice` are hexadecimal digits that stand in a variable and in names.
    pub fn varied(package: &str, dice: &str, clock: Option<String>) -> Self {
        let variables = [
            ("LANG", "en_GB.UTF-8"),
            ("LC_ALL", "C"),
            ("TZ", "CHECK-05:45"),
            ("EDITOR", "/usr/bin/check-editor"),
            ("SYNCHRONICITY_CHECK", dice),
        ];
        let short = &dice[..dice.len().min(6)];
        Self {
            place: format!("/tmp/elsewhere-{short}/{package}"),
            host: Some(format!("host-{short}")),
            user: Some((format!("maria-{short}"), 1234)),
            home: format!("/tmp/home/maria-{short}"),
            temporary: format!("/tmp/scratch-{short}"),
            jobs: Some(1),
            one_processor: true,
            umask: "027".into(),
            clock,
            env: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        }
    }

    /// `job` under these conditions.
    pub(crate) fn apply(&self, mut job: Job) -> Job {
        if let Some(jobs) = self.jobs {
            let words = job.command.iter_mut().filter(|word| word.starts_with("--jobs="));
            words.for_each(|word| *word = format!("--jobs={jobs}"));
        }
        // Rustc writes the folder of the source into what it makes. In both builds it is told to write the recipe's.
        let flags = job.env.entry("CARGO_ENCODED_RUSTFLAGS".into()).or_default();
        let separator = if flags.is_empty() { "" } else { "\x1f" };
        *flags = format!("{flags}{separator}--remap-path-prefix={}={INNER_SOURCE}", self.place);
        let own = [("HOME", &self.home), ("TMPDIR", &self.temporary), ("SOURCE_DIR", &self.place)];
        job.env.extend(own.map(|(name, value)| (name.to_owned(), value.clone())));
        if let Some((name, number)) = &self.user {
            job.env.extend(["USER", "LOGNAME"].map(|variable| (variable.to_owned(), name.clone())));
            job.identity.user = *number;
        }
        if let Some(host) = &self.host {
            job.identity.host.clone_from(host);
        }
        job.env.extend(self.env.clone());
        job.env.insert("AHEAD".into(), CLOCK_AHEAD.into());
        let mut command: Vec<String> = ["/bin/sh", "-c", SCRIPT, "conditions"].map(str::to_owned).to_vec();
        command.extend([&self.place, &self.umask].map(Clone::clone));
        command.push(if self.one_processor { "one".into() } else { String::new() });
        command.push(self.clock.clone().unwrap_or_default());
        command.append(&mut job.command);
        Job { command, ..job }
    }
}

impl Measured {
    /// What the first lines of a transcript say. What is missing there is empty or zero here.
    pub fn from_transcript(transcript: &str) -> Self {
        let mut measured = Self::default();
        for line in transcript.lines().map_while(|line| line.strip_prefix(MARK)) {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            match name {
                "host" => measured.host = value.into(),
                "user" => measured.user = value.into(),
                "processors" => measured.processors = value.parse().unwrap_or(0),
                "place" => measured.place = value.into(),
                "time" => measured.time = value.parse().unwrap_or(0),
                "umask" => measured.umask = value.into(),
                "listing" => measured.listing = value.trim().into(),
                _ => {}
            }
        }
        measured
    }
}

/// The library libfaketime, where this machine has it in a place that sandboxes show.
pub fn clock_library() -> Option<String> {
    let places = LIBRARIES.iter().map(|folder| Path::new(folder).join("faketime/libfaketimeMT.so.1"));
    places.filter(|path| path.is_file()).map(PathBuf::into_os_string).find_map(|path| path.into_string().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_itself_prints_is_not_taken_for_its_conditions() {
        let transcript = "[conditions] host a\n[conditions] processors 4\n   Compiling x\n[conditions] host forged\n";
        let measured = Measured::from_transcript(transcript);
        assert_eq!((measured.host.as_str(), measured.processors, measured.time), ("a", 4, 0));
    }

    #[test]
    fn every_condition_differs_from_the_recipes() {
        let (recipe, varied) = (Conditions::of_the_recipe(), Conditions::varied("x-1.0.0", "0123abcd", None));
        assert_ne!(recipe.place, varied.place);
        assert_ne!(recipe.home, varied.home);
        assert_ne!(recipe.temporary, varied.temporary);
        assert_ne!(recipe.umask, varied.umask);
        assert!(varied.host.is_some() && varied.user.is_some() && varied.one_processor);
        assert!(varied.env.len() > recipe.env.len());
    }
}
