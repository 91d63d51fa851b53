//! `recipe`: all that a build depends on, and how to repeat it without this program.

use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde_json::json;
use synchronicity_rebuild::by_hand;
use synchronicity_rebuild::recipe::Pinned;
use synchronicity_verify::request::BuildRequest;

use crate::cli::Recipe;
use crate::exit::{self, Stop};
use crate::workshop::{Workshop, WorkshopError};
use crate::{report, request_json};

#[derive(Debug, thiserror::Error, Diagnostic)]
enum RecipeError {
    #[error("a fixture of this project is in no registry, so no Dockerfile can download it")]
    #[diagnostic(help("leave --out away, or name a crate of crates.io"))]
    Fixture,
    #[error("{} is there already", .0.display())]
    #[diagnostic(help("name a folder that is not there"))]
    Exists(PathBuf),
}

/// The name and version of the document, which change together with `docs/schemas/recipe.schema.json`.
const SCHEMA: &str = "synchronicity/recipe@v1";

/// Pins and prints; builds nothing.
pub(crate) fn recipe(args: &Recipe) -> Result<u8, Stop> {
    let workshop = Workshop::open_for(&args.wanted)?;
    let pinned = workshop.pin(&args.wanted)?;
    workshop.progress.end();
    if let Some(out) = &args.out {
        let packages = workshop.agreed(&pinned).map_or(&[][..], |agreed| &agreed.packages);
        write_container(&pinned, packages, out)?;
    }
    let script = by_hand::install_script(&pinned.request);
    if args.json {
        let products: Vec<_> = pinned.products.iter().map(ToString::to_string).collect();
        let told = json!({
            "schema": SCHEMA,
            "exit": exit::OK,
            "request": request_json::of(&pinned.request),
            "artifacts": products,
            "install_script": script,
            "agreed": workshop.agreed(&pinned),
            "folder": args.out.as_ref().map(|out| out.display().to_string()),
        });
        verbatim!("{told}");
        return Ok(exit::OK);
    }
    tell(&pinned);
    if let Some(agreed) = workshop.agreed(&pinned) {
        outln!("  {:<12}{agreed}", "agreed");
        outln!("  {:<12}because {}", "", agreed.reason);
    }
    if let Some(script) = script {
        outln!("\nWith the same rustc and linker, a shell gets the same bytes by");
        script.lines().for_each(|line| verbatim!("    {line}"));
    }
    if let Some(out) = &args.out {
        outln!("\nA folder for `docker build`, which repeats the build: {}", out.display());
    }
    Ok(exit::OK)
}

fn tell(pinned: &Pinned) {
    let Pinned { request, products, .. } = pinned;
    let BuildRequest { source, lock, toolchain, limits, .. } = request;
    outln!("recipe of {} {}", source.name(), source.version());
    let line = |name: &str, value: &str| outln!("  {name:<12}{value}");
    line("request", &request.id().to_string());
    line("source", &report::source_in_words(source));
    line("lock", &format!("{}, sha256 {}", lock.grade.name(), lock.sha256));
    line("rustc", &format!("{} ({})", toolchain.release, toolchain.commit));
    line("target", &request.target);
    line("system", &report::environment(&request.environment));
    line("features", &report::features(&request.features));
    line("products", request.products.name());
    for product in products {
        line("", product.as_str());
    }
    for (name, value) in &request.env {
        line("variable", &format!("{name}={value}"));
    }
    for flag in &request.rustflags {
        line("rustc flag", flag);
    }
    let mib = |bytes: u64| bytes >> 20;
    line("limits", &format!("{} MiB of memory, {} MiB of disk", mib(limits.memory_bytes), mib(limits.disk_bytes)));
    line("", &format!("{} s, {} processes, {} jobs", limits.time_seconds, limits.processes, limits.jobs));
    line("", &format!("{} MiB of transcript", mib(limits.transcript_bytes)));
}

fn write_container(pinned: &Pinned, packages: &[String], out: &Path) -> Result<(), Stop> {
    let files = by_hand::container(pinned, packages).ok_or_else(|| Stop::new(exit::USAGE, RecipeError::Fixture))?;
    if out.exists() {
        return Err(Stop::new(exit::USAGE, RecipeError::Exists(out.to_owned())));
    }
    for (name, content) in files {
        let path = out.join(name);
        let parent = path.parent().unwrap_or(out);
        fs::create_dir_all(parent).map_err(WorkshopError::file(parent))?;
        fs::write(&path, content).map_err(WorkshopError::file(&path))?;
    }
    Ok(())
}
