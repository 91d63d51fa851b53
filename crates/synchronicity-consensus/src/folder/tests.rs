use super::*;

#[test]
fn a_folder_is_of_one_group_and_of_one_form_of_blocks() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Digest::of(b"ours"), Digest::of(b"theirs"));
    let path = dir.path().join("chain");
    check_folder(&path, &ours).unwrap();
    assert!(!path.exists(), "a look makes no folder");
    let engine = open(&path, &ours).unwrap();
    assert_eq!(open(&path, &ours).unwrap(), engine);
    assert!(matches!(open(&path, &theirs), Err(FolderError::AnotherGroup { .. })));
    // As the first version of this program wrote it, and as a later one may.
    for (marker, wanted) in [(format!("{ours}\n"), "1"), (format!("{ours}\n3\n"), "3")] {
        fs::write(path.join(MARKER), marker).unwrap();
        let refused = open(&path, &ours);
        assert!(matches!(&refused, Err(FolderError::Schema { found, .. }) if found == wanted), "{refused:?}");
        assert_eq!(check_folder(&path, &ours).unwrap_err().to_string(), refused.unwrap_err().to_string());
    }
}
