use proptest::prelude::*;

use super::*;

const SETTINGS: &str = r#"
policy = "policy.txt"
policy-sha256 = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f"
logs = ["http://127.0.0.1:8080", "log"]
max-age = "7d"

[levels]
absent = "deny"
unbuildable = "allow"

[[exception]]
crate = "a"
version = "1.0.0"
verdict = "diverged"
reason = "embeds the time"
expires = 2027-01-31

[[file]]
path = "target/release/app"
crate = "app@1.2.3"
"#;

fn parse(text: &str) -> Result<Settings, String> {
    Settings::parse(text, Path::new("/here"))
}

#[test]
fn a_file_says_all_that_can_be_asked() {
    let settings = parse(SETTINGS).unwrap();
    assert_eq!(settings.policy, Some(Wish::One("policy.txt".into())));
    assert_eq!((settings.policy_sha256, settings.folder.as_path()), (Some(Digest([0x5f; 32])), Path::new("/here")));
    assert_eq!(settings.logs[1].to_string(), "/here/log");
    assert_eq!(settings.levels.of(Verdict::Absent), Level::Deny);
    assert_eq!(settings.levels.of(Verdict::Unbuildable), Level::Allow);
    assert_eq!(settings.levels.of(Verdict::OtherSource), Level::Deny, "as without a file");
    let exception = &settings.exceptions[0];
    assert!(exception.covers("a", "1.0.0", Verdict::Diverged));
    assert!(!exception.covers("a", "1.0.1", Verdict::Diverged) && !exception.covers("b", "1.0.0", Verdict::Diverged));
    assert!(!exception.covers("a", "1.0.0", Verdict::Absent));
    assert_eq!(settings.files().next().unwrap().path, Path::new("/here/target/release/app"));
    assert!(parse("").is_ok());
}

#[test]
fn what_is_not_known_is_refused_wherever_it_stands() {
    for (good, bad) in [
        ("policy =", "polcy ="),
        ("policy-sha256 = \"5f", "policy-sha256 = \"5F"),
        ("\"policy.txt\"", "{ any = 2, of = [\"a\", \"b\\u001b[2J\"] }"),
        ("\"policy.txt\"", "{ any = 2, off = [\"a\", \"b\"] }"),
        ("absent =", "absnt ="),
        ("absent =", "reproduced ="),
        ("\"deny\"", "\"forbid\""),
        ("crate = \"a\"", "crate = \"a\"\nuntil = 1"),
        ("verdict = \"diverged\"", "verdict = \"broken\""),
        ("verdict = \"diverged\"", "verdict = \"reproduced\""),
        ("reason = \"embeds the time\"", "reason = \" \""),
        ("reason = \"embeds the time\"", ""),
        ("expires = 2027-01-31", ""),
        ("expires = 2027-01-31", "expires = \"2027-01-31\""),
        ("expires = 2027-01-31", "expires = 2027-02-30"),
        ("expires = 2027-01-31", "expires = 2027-01-31T10:00:00Z"),
        ("path = \"target/release/app\"", "path = \"target/release/app\"\noptional = true"),
        ("app@1.2.3", "app@1.2"),
        ("max-age = \"7d\"", "max-age = \"7 days\""),
        ("http://127.0.0.1:8080", "ftp://127.0.0.1"),
        ("policy.txt", "policy\\u001b[2J.txt"),
        ("\"log\"", "\"log\\u009b2J\""),
        ("target/release/app", "target/\\u202eppa"),
    ] {
        let changed = SETTINGS.replace(good, bad);
        assert_ne!(changed, SETTINGS, "{good}");
        assert!(parse(&changed).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}") {
        let _ = parse(&text);
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(at in 0..SETTINGS.len(), c in any::<char>()) {
        let changed: String = SETTINGS.chars().enumerate().map(|(i, old)| if i == at { c } else { old }).collect();
        let _ = parse(&changed);
    }
}
