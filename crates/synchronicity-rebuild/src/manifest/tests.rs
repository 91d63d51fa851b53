//! Cargo of this machine reads manifests that are written here.

use std::fs;

use super::*;

fn read(manifest: &str, files: &[&str]) -> Result<Manifest, ManifestError> {
    let source = tempfile::tempdir().unwrap();
    fs::write(source.path().join("Cargo.toml"), manifest).unwrap();
    for file in files {
        let path = source.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "compile_error!(\"nobody compiles this\");").unwrap();
    }
    let home = tempfile::tempdir().unwrap();
    Manifest::read(&HostCargo::find().unwrap(), home.path(), source.path())
}

fn features(default: bool, named: &[&str]) -> Features {
    Features { default, all: false, named: named.iter().map(|name| name.to_string()).collect() }
}

fn expected(manifest: &Manifest, features: &Features, products: Products) -> Vec<String> {
    manifest.expected(features, products).unwrap().iter().map(ToString::to_string).collect()
}

const HEAD: &str =
    "[package]\nname = \"some-tool\"\nversion = \"1.2.3\"\nedition = \"2021\"\nrust-version = \"1.70\"\n";

#[test]
fn executables_are_found_by_their_files_and_named_after_their_targets() {
    let manifest = read(HEAD, &["src/main.rs", "src/bin/second.rs", "src/lib.rs", "examples/no.rs"]).unwrap();
    assert_eq!((manifest.version.as_str(), manifest.rust_version.as_deref()), ("1.2.3", Some("1.70")));
    let on = features(true, &[]);
    assert_eq!(manifest.default_products(&on), Products::Binaries);
    assert_eq!(expected(&manifest, &on, Products::Binaries), ["second", "some-tool"]);
    assert_eq!(expected(&manifest, &on, Products::Library), ["libsome_tool.rlib", "libsome_tool.rmeta"]);
}

#[test]
fn an_executable_behind_a_feature_is_expected_only_with_it() {
    let text = format!(
        "{HEAD}[[bin]]\nname = \"some-tool\"\npath = \"src/main.rs\"\nrequired-features = [\"cli\"]\n[features]\ncli = []\ndefault = [\"full\"]\nfull = [\"cli\"]\n"
    );
    let manifest = read(&text, &["src/main.rs", "src/lib.rs"]).unwrap();
    assert_eq!(expected(&manifest, &features(true, &[]), Products::Binaries), ["some-tool"]);
    assert_eq!(expected(&manifest, &features(false, &["full"]), Products::Binaries), ["some-tool"]);
    assert_eq!(manifest.default_products(&features(false, &[])), Products::Library);
    let error = manifest.expected(&features(false, &[]), Products::Binaries).unwrap_err().to_string();
    assert_eq!(error, "some-tool has no executable to build with these features; its executables need: cli");
}

#[test]
fn each_kind_of_library_has_its_own_files() {
    let on = features(true, &[]);
    for (lib, files) in [
        ("proc-macro = true", &["libsome_tool.so"][..]),
        ("crate-type = [\"cdylib\", \"rlib\"]", &["libsome_tool.rlib", "libsome_tool.rmeta", "libsome_tool.so"]),
        ("crate-type = [\"staticlib\"]", &["libsome_tool.a"]),
        ("crate-type = [\"dylib\"]", &["libsome_tool.so"]),
        ("name = \"renamed\"", &["librenamed.rlib", "librenamed.rmeta"]),
    ] {
        let manifest = read(&format!("{HEAD}[lib]\n{lib}\n"), &["src/lib.rs"]).unwrap();
        assert_eq!(manifest.default_products(&on), Products::Library);
        assert_eq!(expected(&manifest, &on, Products::Library), files, "{lib}");
    }
}

#[test]
fn an_unknown_feature_is_answered_with_the_known_ones() {
    let manifest = read(&format!("{HEAD}[features]\na = []\nb = []\n"), &["src/main.rs"]).unwrap();
    let error = manifest.expected(&features(true, &["c"]), Products::Binaries).unwrap_err().to_string();
    assert_eq!(error, "some-tool has no feature \"c\"; it has: a, b");
}

#[test]
fn dependencies_from_elsewhere_are_refused_before_cargo_looks_for_them() {
    for dependency in [
        "[dependencies]\na = { path = \"../a\" }",
        "[dev-dependencies]\na = { git = \"https://example.com/a\" }",
        "[build-dependencies.a]\nregistry-index = \"https://example.com/index\"",
        "[target.'cfg(unix)'.dependencies]\na = { path = \"a\", version = \"1\" }",
    ] {
        let error = read(&format!("{HEAD}{dependency}\n"), &["src/main.rs"]).unwrap_err();
        assert!(matches!(error, ManifestError::Foreign { .. }), "{error}");
    }
}

#[test]
fn a_crates_own_cargo_configuration_is_never_obeyed() {
    let source = tempfile::tempdir().unwrap();
    let proof = source.path().join("it-ran");
    fs::write(source.path().join("Cargo.toml"), HEAD).unwrap();
    fs::create_dir_all(source.path().join("src")).unwrap();
    fs::write(source.path().join("src/main.rs"), "").unwrap();
    fs::create_dir(source.path().join(".cargo")).unwrap();
    let wrapper = source.path().join("wrapper.sh");
    fs::write(&wrapper, format!("#!/bin/sh\ntouch {}\n", proof.display())).unwrap();
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::write(source.path().join(".cargo/config.toml"), format!("[build]\nrustc = \"{}\"\n", wrapper.display()))
        .unwrap();
    fs::write(source.path().join("rust-toolchain"), "no-such-toolchain").unwrap();
    let home = tempfile::tempdir().unwrap();
    Manifest::read(&HostCargo::find().unwrap(), home.path(), source.path()).unwrap();
    assert!(!proof.exists());
}

#[test]
fn a_crate_in_a_folder_below_a_workspace_is_read_for_itself() {
    let outer = tempfile::tempdir().unwrap();
    fs::write(outer.path().join("Cargo.toml"), "[workspace]\nmembers = []\n").unwrap();
    let source = outer.path().join("inner");
    fs::create_dir_all(source.join("src")).unwrap();
    fs::write(source.join("Cargo.toml"), HEAD).unwrap();
    fs::write(source.join("src/main.rs"), "").unwrap();
    let home = tempfile::tempdir().unwrap();
    assert_eq!(Manifest::read(&HostCargo::find().unwrap(), home.path(), &source).unwrap().name, "some-tool");
}

#[test]
fn a_manifest_that_is_none_is_an_error() {
    for text in ["", "not toml = =", "[package]\nname = \"a b\"\nversion = \"1\""] {
        read(text, &["src/main.rs"]).unwrap_err();
    }
}
