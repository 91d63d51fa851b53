//! What a request pins, and how to repeat it by hand.

use synchronicity_rebuild::by_hand;
use synchronicity_verify::request::{BuildRequest, Environment, Source};
use synchronicity_web::model::{Bytes, Document, Fact, Millis};

pub(super) fn facts(request: &BuildRequest) -> Vec<Fact> {
    let environment = match request.environment {
        Environment::Image { layer } => format!("a container image with the one layer sha256:{layer}"),
        Environment::Host { fingerprint } => format!("the builders' own systems, of the fingerprint {fingerprint}"),
    };
    let toolchain = &request.toolchain;
    let lock = &request.lock;
    let env: Vec<String> = request.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let limits = &request.limits;
    let limits = format!(
        "{} of memory, {}, {} of disk, {} processes, {} of transcript, {} jobs",
        Bytes(limits.memory_bytes),
        Millis(limits.time_seconds.saturating_mul(1000)),
        Bytes(limits.disk_bytes),
        limits.processes,
        Bytes(limits.transcript_bytes),
        limits.jobs
    );
    let facts = [
        ("Package", request.source.purl()),
        ("Archive", format!("sha256 {}", request.source.checksum())),
        ("Lock", format!("{}, sha256 {}", lock.grade.name(), lock.sha256)),
        ("Toolchain", format!("rustc {} ({}) for {}", toolchain.release, toolchain.commit, toolchain.host)),
        ("System", environment),
        ("Target", request.target.clone()),
        ("Products", request.products.name().to_owned()),
        ("Features", features(request)),
        ("Variables", env.join(" ")),
        ("Flags for rustc", request.rustflags.join(" ")),
        ("Limits", limits),
    ];
    facts.into_iter().map(|(name, value)| Fact { name: name.to_owned(), value }).collect()
}

fn features(request: &BuildRequest) -> String {
    let features = &request.features;
    let mut words = Vec::new();
    words.push(match (features.all, features.default) {
        (true, _) => "all",
        (false, true) => "the default ones",
        (false, false) => "not the default ones",
    });
    words.extend(features.named.iter().map(String::as_str));
    words.join(", ")
}

/// Nothing for a fixture, which nobody can download.
pub(super) fn documents(request: &BuildRequest) -> Vec<Document> {
    let Source::Registry { name, version, .. } = &request.source else { return Vec::new() };
    let folder = format!("{name}-{version}");
    let by_program = format!(
        "# A Dockerfile that repeats the build without this program, and what goes with it\n\
         synchronicity recipe {name}@{version} --out {folder}\n\
         docker build --tag rebuild {folder} && docker run --rm --network none --hostname builder rebuild\n\
         # The build itself, in a sandbox, compared with a file and with what the group built\n\
         synchronicity rebuild {name}@{version} --against FILE --policy policy.txt\n"
    );
    let by_cargo = by_hand::install_script(request).map(|script| Document {
        title: "The same bytes by cargo install, as a shell script".to_owned(),
        text: script,
    });
    let by_program = Document {
        title: "By the client: a folder for Docker, and a rebuild of your own".to_owned(),
        text: by_program,
    };
    // What a group agreed on beyond the image is not in the request; the client's folder has it, and what is copied here.
    let dockerfile = by_hand::dockerfile(request, &[]);
    let dockerfile = Document { title: "The Dockerfile of that folder".to_owned(), text: dockerfile };
    [by_program, dockerfile].into_iter().chain(by_cargo).collect()
}
