use super::*;

fn limits() -> Limits {
    Limits {
        memory_bytes: 64 << 20,
        time_seconds: 60,
        disk_bytes: 1 << 20,
        processes: 10,
        transcript_bytes: 1000,
        jobs: 2,
    }
}

fn written(version: Version) -> Vec<(&'static str, String)> {
    let place = Place { folder: PathBuf::new(), version };
    place.settings(&limits()).into_iter().map(|setting| (setting.file, setting.value)).collect()
}

#[test]
fn both_versions_get_the_same_limits_in_their_own_words() {
    let one = |controller: &str| written(Version::One { controller: controller.into() });
    let memory = (64_u64 << 20).to_string();
    let two = written(Version::Two);
    assert_eq!(two[0], ("memory.max", memory.clone()));
    assert_eq!(one("memory")[0], ("memory.limit_in_bytes", memory));
    assert_eq!(two[3], ("pids.max", "12".into()));
    assert_eq!(one("pids"), [("pids.max", "12".into())]);
    assert_eq!(two[4], ("cpu.max", "200000 100000".into()));
    assert_eq!(one("cpu")[1], ("cpu.cfs_quota_us", "200000".into()));
}

#[test]
fn groups_of_workers_that_are_gone_are_removed_and_others_are_not() {
    let parent = tempfile::tempdir().unwrap();
    let make = |name: &str| fs::create_dir(parent.path().join(name)).unwrap();
    // No process has a number this large.
    make("synchronicity-build-99999999-0");
    make(&format!("{PREFIX}{}-0", std::process::id()));
    make("somebody-elses");
    remove_abandoned(parent.path());
    let mut left: Vec<_> =
        fs::read_dir(parent.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["somebody-elses".to_owned(), format!("{PREFIX}{}-0", std::process::id())]);
}
