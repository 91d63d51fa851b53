use super::*;

fn parsed(text: &str) -> Spec {
    text.parse().unwrap()
}

#[test]
fn a_name_a_name_with_a_version_and_a_folder_are_told_apart() {
    let name: CrateName = "hexyl".parse().unwrap();
    assert_eq!(parsed("hexyl"), Spec::Crate { name: name.clone(), version: None });
    assert_eq!(parsed("hexyl@0.17.0"), Spec::Crate { name, version: Some("0.17.0".parse().unwrap()) });
    for folder in ["./hexyl", "..", "a/b", "/a@1.0.0"] {
        assert_eq!(parsed(folder), Spec::Folder(folder.into()));
    }
}

#[test]
fn a_spec_prints_as_it_is_written() {
    for text in ["hexyl", "hexyl@0.17.0", "./folder"] {
        assert_eq!(parsed(text).to_string(), text);
    }
}

#[test]
fn a_malformed_version_says_how_to_write_one() {
    for version in ["", "1", "1.2", "v1.2.3", "=1.2.3", "^1.2", "1.2.3.4", "latest", "1.2.3@4"] {
        let error = format!("hexyl@{version}").parse::<Spec>().unwrap_err();
        assert!(matches!(&error, SpecError::Version { .. }), "{version:?}");
        assert!(error.to_string().contains("hexyl@1.0.0"), "{error}");
    }
}

#[test]
fn a_malformed_name_is_an_error() {
    for name in ["", "@1.0.0", "1abc", "a b", "ä", &"a".repeat(65)] {
        assert!(matches!(name.parse::<Spec>(), Err(SpecError::Name(_))), "{name:?}");
    }
}
