//! Quiet runs, layers of settings, trials that change nothing, manual pages, and help for every command.
#![allow(clippy::unwrap_used, reason = "a trial that panics is a failed trial, as in any test")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use libtest_mimic::{Failed, Trial};

use crate::audit::lock;
use crate::look_up::log;
use crate::policies::trust;
use crate::program::{command, run, run_with};
use crate::schema::Schemas;
use crate::store::{install, installed, on_root, program, store};

type Outcome = Result<(), Failed>;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("feel::a_quiet_run_says_nothing_but_errors_and_documents", quiet),
        Trial::test("feel::the_stronger_layer_of_settings_goes_before_the_weaker", layers),
        Trial::test("feel::a_users_settings_are_gone_by_and_one_that_is_misspelled_stops_everything", of_the_user),
        Trial::test("feel::a_dry_run_says_what_would_be_and_changes_nothing", dry_runs),
        Trial::test("feel::every_command_has_a_manual_page_and_help_with_examples_of_80_columns", help),
        Trial::test("feel::a_mistake_in_the_command_line_fits_and_is_a_document_for_programs", mistakes),
        Trial::test("feel::a_reader_who_went_away_is_no_error", no_reader),
    ]
}

fn quiet() -> Outcome {
    let log = log(3);
    let verify =
        |more: &[&str]| run(log.dir.path(), [&["verify", "--policy", "policy", "--node", "log"], more].concat());
    assert!(verify(&["crate-0"]).expect(0).out.contains("crate-0 0.17.0"));
    for flag in ["-q", "--quiet"] {
        let ran = verify(&["crate-0", flag]).expect(0);
        assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    }
    fs::write(log.dir.path().join("nobodys"), "\x7fELF\0")?;
    let ran = verify(&["nobodys", "-q"]).expect(41);
    assert!(ran.out.is_empty() && ran.err.contains("no group is known to have built it"), "{}{}", ran.out, ran.err);
    assert_eq!(verify(&["crate-0", "-q", "--json"]).expect(0).json()["exit"], 0);
    let tool = store(&[("tool@1.0.0", &[("tool", program("tool", 3000))])]);
    let ran = install(&tool, &["tool", "-q"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    assert_eq!(installed(&tool), ["tool"]);
    let ran = run(tool.dir.path(), ["-q", "trust", "add", "policy", "--yes"]).expect(0);
    assert_eq!((ran.out.as_str(), ran.err.as_str()), ("", ""));
    Ok(())
}

/// The user's settings, in the folder that stands for a user's configuration.
fn user_settings(dir: &Path, text: &str) {
    let folder = dir.join(".config/synchronicity");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("config.toml"), text).unwrap();
}

fn layers() -> Outcome {
    let log = log(1);
    let dir = log.dir.path();
    let shown = |more: &[&str], variables: &[(&str, &Path)], key: &str| {
        let words = [&["config", "show", "--json"], more].concat();
        let told = run_with(dir, words, variables).expect(0).json();
        let settings = told["settings"].as_array().unwrap().clone();
        let setting = settings.iter().find(|setting| setting["key"] == key).unwrap();
        let word = |name: &str| setting[name].as_str().unwrap_or_default().to_owned();
        (word("value"), word("layer"), word("place"))
    };
    let is = |found: (String, String, String), value: &str, layer: &str, place: &str| {
        assert_eq!((found.0.as_str(), found.1.as_str()), (value, layer));
        assert!(found.2.ends_with(place), "{found:?}");
    };
    is(shown(&[], &[], "max-age"), "none", "built-in", "");
    is(shown(&[], &[], "policy"), "none: no policy is trusted yet", "built-in", "");
    is(shown(&[], &[], "sandbox"), "auto", "built-in", "");
    user_settings(dir, "policy = \"../../policy\"\nmax-age = \"4w\"\nsandbox = \"embedded\"\nmirrors = [\"log\"]\n");
    let file = "/.config/synchronicity/config.toml";
    is(shown(&[], &[], "max-age"), "4 w", "user", file);
    is(shown(&[], &[], "policy"), "../../policy", "user", file);
    is(shown(&[], &[], "sandbox"), "embedded", "user", file);
    is(shown(&[], &[], "mirrors"), "log", "user", file);
    fs::write(dir.join("synchronicity.toml"), "policy = \"policy\"\nmax-age = \"3w\"\n[levels]\nabsent = \"deny\"\n")?;
    is(shown(&[], &[], "max-age"), "3w", "project", "synchronicity.toml");
    is(shown(&[], &[], "policy"), "policy", "project", "synchronicity.toml");
    is(shown(&[], &[], "levels.absent"), "deny", "project", "synchronicity.toml");
    is(shown(&[], &[], "levels.diverged"), "deny", "built-in", "");
    let variables = [("SYNCHRONICITY_POLICY", Path::new("elsewhere")), ("SYNCHRONICITY_SANDBOX", Path::new("docker"))];
    is(shown(&[], &variables, "policy"), "elsewhere", "environment", "SYNCHRONICITY_POLICY");
    is(shown(&[], &variables, "sandbox"), "docker", "environment", "SYNCHRONICITY_SANDBOX");
    let flags = ["--policy", "mine", "--sandbox", "auto", "--max-age", "1w"];
    is(shown(&flags, &variables, "policy"), "mine", "command-line", "--policy");
    is(shown(&flags, &variables, "sandbox"), "auto", "command-line", "--sandbox");
    is(shown(&flags, &variables, "max-age"), "1w", "command-line", "--max-age");
    let words = run(dir, ["config", "show", "--origin"]).expect(0).out;
    assert!(words.contains("max-age               3w  (the project's: synchronicity.toml)\n"), "{words}");
    assert!(!run(dir, ["config", "show"]).expect(0).out.contains("built in"));
    run(dir, ["config", "show", "--config", "absent.toml"]).expect(2);
    Ok(())
}

fn of_the_user() -> Outcome {
    let log = log(2);
    let dir = log.dir.path();
    let verify = |more: &[&str]| run(dir, [&["verify", "crate-0", "--node", "log"], more].concat());
    verify(&[]).expect(2);
    user_settings(dir, "policy = \"../../policy\"\n");
    verify(&[]).expect(0);
    verify(&["--policy", "absent.txt"]).expect(2);
    // The sample was signed longer ago.
    user_settings(dir, "policy = \"../../policy\"\nmax-age = \"1s\"\n");
    verify(&[]).expect(75);
    verify(&["--max-age", "9999w"]).expect(0);
    fs::write(dir.join("Cargo.lock"), lock(&[("crate-0", "the archive")]))?;
    run(dir, ["audit", "--node", "log"]).expect(75);
    fs::write(dir.join("synchronicity.toml"), "max-age = \"9999w\"\n")?;
    run(dir, ["audit", "--node", "log"]).expect(0);
    user_settings(dir, "policy = \"../../policy\"\ncache = \"kept\"\nmirrors = [\"log\"]\n");
    let mut command = command(dir);
    let ran = command.args(["verify", "crate-0", "--node", "log"]).env_remove("SYNCHRONICITY_CACHE").output()?;
    assert!(ran.status.success() && dir.join(".config/synchronicity/kept").is_dir(), "{ran:?}");
    for bad in ["polcy = \"x\"", "max-age = \"soon\"", "mirrors = \"log\"", "sandbox = \"none\"", "[policy]"] {
        user_settings(dir, bad);
        let ran = verify(&["--policy", "policy"]).expect(2);
        assert!(ran.err.contains("config.toml cannot be used") && ran.out.is_empty(), "{bad}: {}", ran.err);
        run(dir, ["verify", "--help"]).expect(0);
    }
    let named = dir.join("mine.toml");
    let with =
        |path: &Path| run_with(dir, ["verify", "crate-0", "--node", "log"], &[("SYNCHRONICITY_USER_CONFIG", path)]);
    with(&named).expect(2);
    fs::write(&named, "policy = \"./policy\"")?;
    with(&named).expect(0);
    Ok(())
}

fn dry_runs() -> Outcome {
    let log = store(&[("tool@1.0.0", &[("tool", program("tool", 3000))])]);
    let dir = log.dir.path();
    install(&log, &["tool"]).expect(0);
    let ran = on_root(&log, &["uninstall", "tool", "--dry-run"]).expect(0);
    assert_eq!(ran.out, "would be removed: tool 1.0.0 (tool)\n");
    let told = on_root(&log, &["uninstall", "tool", "--dry-run", "--json"]).expect(0).json();
    assert_eq!((&told["would_remove"][0]["name"], told.get("removed")), (&"tool".into(), None));
    on_root(&log, &["uninstall", "absent", "--dry-run"]).expect(2);
    assert_eq!(installed(&log), ["tool"]);

    let nothing = || trust(dir, &["list"]).expect(0).out.starts_with("no policy is trusted yet");
    let ran = trust(dir, &["add", "policy", "--dry-run"]).expect(0);
    assert!(ran.out.contains("would be trusted, once you say so, as "), "{}", ran.out);
    trust(dir, &["add", "policy", "--dry-run", "--pin", &"0".repeat(64)]).expect(40);
    assert!(nothing());
    trust(dir, &["add", "policy", "--yes", "--name", "mine"]).expect(0);
    assert!(trust(dir, &["add", "policy", "--dry-run"]).expect(0).out.contains("already trusted as mine"));
    let before = trust(dir, &["show", "mine"]).expect(0).out;
    fs::write(dir.join("weaker"), log.party.policy(2, 4).to_string())?;
    let told = trust(dir, &["add", "weaker", "--dry-run", "--name", "other"]).expect(2);
    assert!(told.err.contains("another one is offered for its log"), "{}", told.err);
    let weaker: synchronicity_verify::policy::Policy = log.party.policy(2, 4);
    let pin = weaker.sha256().to_string();
    let replace = |more: &[&str]| trust(dir, &[&["replace", "mine", "weaker", "--pin", &pin], more].concat());
    let ran = replace(&["--dry-run"]).expect(0);
    assert!(ran.out.starts_with("would change: mine: "), "{}", ran.out);
    assert_eq!(trust(dir, &["show", "mine"]).expect(0).out, before);
    assert!(replace(&[]).expect(0).out.starts_with("mine: "));
    assert_ne!(trust(dir, &["show", "mine"]).expect(0).out, before);
    Ok(())
}

/// Every command, and every command of a command, as `--help` lists them.
pub(crate) fn commands(dir: &Path, above: &[&str]) -> Vec<Vec<String>> {
    let help = run(dir, [above, &["--help"]].concat()).expect(0).out;
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Names stand two columns in; what is told of them, further.
    let lines = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<_> =
        lines.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect();
    let mut all = Vec::new();
    for name in names {
        let path = [above, &[name]].concat();
        all.push(path.iter().map(|name| (*name).to_owned()).collect());
        all.extend(commands(dir, &path));
    }
    all
}

fn help() -> Outcome {
    let dir = tempfile::tempdir()?;
    let all = commands(dir.path(), &[]);
    assert!(all.len() > 30, "{all:?}");
    let ran = run(dir.path(), ["man", "pages"]).expect(0);
    assert_eq!(ran.out, "written to pages\n");
    for path in &all {
        let words: Vec<_> = path.iter().map(String::as_str).collect();
        let long = run(dir.path(), [&words[..], &["--help"]].concat()).expect(0).out;
        let short = run(dir.path(), [&words[..], &["-h"]].concat()).expect(0).out;
        assert!(long.contains("Example"), "{path:?}: {long}");
        for line in long.lines().chain(short.lines()) {
            assert!(line.chars().count() <= 80, "{path:?}: {line}");
        }
        let page = fs::read_to_string(dir.path().join(format!("pages/synchronicity-{}.1", path.join("-"))))?;
        assert!(page.contains(".SH SYNOPSIS") && page.contains("Example"), "{path:?}: {page}");
    }
    let page = run(dir.path(), ["man"]).expect(0).out;
    assert_eq!(page.trim_end(), fs::read_to_string(dir.path().join("pages/synchronicity.1"))?.trim_end());
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(run(dir.path(), ["completions", shell]).expect(0).out.contains("install"), "{shell}");
    }
    Ok(())
}

fn mistakes() -> Outcome {
    let dir = tempfile::tempdir()?;
    let mistakes = [
        &["verify", "file", "--node", "ftp://somewhere.example/a/place/that/nobody/can/ask/for/anything"][..],
        &["verify", "file", "--max-age", "1"],
        &["gate", "file=no@crate@at-all"],
        &["instal", "hexyl"],
        &["install"],
    ];
    for words in mistakes {
        let output = command(dir.path()).args(words).output()?;
        let said = String::from_utf8(output.stderr)?;
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words:?}: {said}");
        assert!(said.starts_with("error: ") && said.lines().all(|line| line.chars().count() <= 80), "{said}");
        let told = run(dir.path(), [words, &["--json"]].concat()).expect(2).json();
        Schemas::new().check("failure", &told);
        let first = said.split_whitespace().nth(1).unwrap();
        assert!(told["error"].as_str().unwrap().starts_with(first), "{told}");
    }
    Ok(())
}

fn no_reader() -> Outcome {
    let dir = tempfile::tempdir()?;
    let mut child =
        command(dir.path()).args(["config", "show"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    drop(child.stdout.take());
    let output = child.wait_with_output()?;
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    // A disk that is full is one.
    let full = fs::File::options().write(true).open("/dev/full")?;
    let output = command(dir.path()).args(["config", "show"]).stdout(full).stderr(Stdio::piped()).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("could not be written"), "{said}");
    Ok(())
}
