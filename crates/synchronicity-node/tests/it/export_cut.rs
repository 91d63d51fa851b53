//! Exports that are cut off, at every write and by a kill: the destination keeps the old checkpoint and everything it
//! needs, and the next export completes it.

use std::fmt;
use std::fs;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use object_store::memory::InMemory;
use object_store::path::Path as Location;
use object_store::{
    Attribute, CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use synchronicity_node::export::{Counts, ExportError, Manner, Source, Store, export};
use synchronicity_verify::tile::tiles_between;
use tokio::runtime;

use crate::export::{Growing, program, size_of, told};
use crate::publish::files;
use crate::world::World;

/// How the put that fails fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Lost,
    DoneAllTheSame,
}

/// A store whose puts fail from one of them on, as after a cut: all later ones never arrive.
#[derive(Debug)]
struct Frail {
    objects: Arc<InMemory>,
    puts: AtomicUsize,
    fails_at: Option<(usize, Fate)>,
    written: Mutex<Vec<String>>,
}

impl fmt::Display for Frail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a frail store")
    }
}

#[async_trait::async_trait]
impl ObjectStore for Frail {
    async fn put_opts(&self, at: &Location, content: PutPayload, options: PutOptions) -> Result<PutResult> {
        let put = self.puts.fetch_add(1, Ordering::SeqCst) + 1;
        let go_on = match self.fails_at {
            Some((fails_at, Fate::Lost)) if put >= fails_at => ControlFlow::Break(()),
            Some((fails_at, Fate::DoneAllTheSame)) if put > fails_at => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let done = match go_on {
            ControlFlow::Continue(()) => Some(self.objects.put_opts(at, content, options).await?),
            ControlFlow::Break(()) => None,
        };
        self.written.lock().unwrap().extend(done.as_ref().map(|_| at.to_string()));
        match done.filter(|_| self.fails_at.is_none_or(|(fails_at, _)| put < fails_at)) {
            Some(done) => Ok(done),
            None => Err(Error::Generic { store: "frail", source: "the network was cut".into() }),
        }
    }

    async fn put_multipart_opts(&self, at: &Location, o: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(at, o).await
    }

    async fn get_opts(&self, at: &Location, options: GetOptions) -> Result<GetResult> {
        self.objects.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        _: futures_util::stream::BoxStream<'static, Result<Location>>,
    ) -> futures_util::stream::BoxStream<'static, Result<Location>> {
        panic!("an export deletes nothing")
    }

    fn list(&self, prefix: Option<&Location>) -> futures_util::stream::BoxStream<'static, Result<ObjectMeta>> {
        self.objects.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, _: &Location, _: &Location, _: CopyOptions) -> Result<()> {
        panic!("an export copies nothing within the store")
    }
}

/// Exports into `objects`, sound or not; gives what came of it and what was written in which order.
fn into(
    objects: &Arc<InMemory>,
    from: &Path,
    fails_at: Option<(usize, Fate)>,
) -> (std::result::Result<Counts, ExportError>, Vec<String>) {
    let frail = Frail { objects: Arc::clone(objects), puts: AtomicUsize::new(0), fails_at, written: Mutex::default() };
    let frail = Arc::new(frail);
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let source = Arc::new(Source::open(from).unwrap());
    let manner = Manner { uploads: 3, recheck: false };
    let store = Store::over(Arc::clone(&frail) as Arc<dyn ObjectStore>);
    let done = runtime.block_on(export(source, &store, manner, |_| {}));
    let written = frail.written.lock().unwrap().clone();
    (done, written)
}

/// Copies the objects that a checkpoint's size needs, and the checkpoint, into a folder, and has all of it read.
fn size_in(objects: &InMemory) -> u64 {
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let get = |name: &str| runtime.block_on(async { objects.get(&name.into()).await.ok()?.bytes().await.ok() });
    let keep = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let Some(note) = get("checkpoint") else { return 0 };
    let size: u64 = std::str::from_utf8(&note).unwrap().lines().nth(1).unwrap().parse().unwrap();
    keep("checkpoint", &note);
    for path in tiles_between(0, size).map(|path| path.path()) {
        keep(&path, &get(&path).unwrap_or_else(|| panic!("{path} is missing under a checkpoint of {size}")));
    }
    size_of(dir.path())
}

#[test]
fn an_export_that_is_cut_at_any_write_leaves_the_old_log_whole_and_the_next_one_completes_it() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let logs = [258, 600].map(|size| {
        let log = Growing { world: &world, folder: dir.path().join(size.to_string()), salt: "entry" };
        log.to(size);
        log.folder
    });
    let sound = Arc::new(InMemory::new());
    into(&sound, &logs[0], None).0.unwrap();
    let (done, written) = into(&sound, &logs[1], None);
    let writes = written.len();
    assert_eq!(written.iter().position(|name| name == "checkpoint"), Some(writes - 1), "{written:?}");
    assert_eq!((done.unwrap().copied, size_in(&sound)), (writes as u64 - 1, 600));
    for at in 1..=writes {
        for fate in [Fate::Lost, Fate::DoneAllTheSame] {
            let objects = Arc::new(InMemory::new());
            into(&objects, &logs[0], None).0.unwrap();
            assert!(into(&objects, &logs[1], Some((at, fate))).0.is_err(), "write {at} was to fail");
            let size = if (at, fate) == (writes, Fate::DoneAllTheSame) { 600 } else { 258 };
            assert_eq!(size_in(&objects), size, "write {at}, {fate:?}");
            let (done, _) = into(&objects, &logs[1], None);
            let done = done.unwrap_or_else(|error| panic!("write {at}, {fate:?}: {error}"));
            assert_eq!(size_in(&objects), 600, "write {at}, {fate:?}");
            // What had arrived is not sent again.
            assert!(done.copied as usize <= writes - at, "write {at}, {fate:?}: {done:?}");
        }
    }
}

#[test]
fn objects_say_what_they_are_and_how_long_they_may_be_kept() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    log.to(300);
    let objects = Arc::new(InMemory::new());
    into(&objects, &log.folder, None).0.unwrap();
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let told = |name: &str, what: Attribute| {
        let object = runtime.block_on(objects.get(&name.into())).unwrap();
        object.attributes.get(&what).unwrap().to_string()
    };
    let forever = "public, max-age=31536000, immutable";
    for path in tiles_between(0, 300).map(|path| path.path()) {
        assert_eq!(told(&path, Attribute::ContentType), "application/octet-stream");
        assert_eq!(told(&path, Attribute::CacheControl), forever);
    }
    assert_eq!(told("checkpoint", Attribute::ContentType), "text/plain; charset=utf-8");
    assert_ne!(told("checkpoint", Attribute::CacheControl), forever);
}

#[test]
fn a_killed_export_leaves_the_old_log_whole_and_the_next_one_completes_it() {
    let (world, dir) = (World::of(1), tempfile::tempdir().unwrap());
    let log = Growing { world: &world, folder: dir.path().join("log"), salt: "entry" };
    let copy = dir.path().join("copy");
    let to = copy.display().to_string();
    log.to(258);
    told(&program(&log.folder, &to, &[]).output().unwrap());
    log.to(600);
    // The export stops where it reads this file, for as long as nobody writes into it.
    let (bundle, aside) = (log.folder.join("tile/entries/001"), dir.path().join("aside"));
    fs::rename(&bundle, &aside).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&bundle).status().unwrap().success());
    let mut cut = program(&log.folder, &to, &["--uploads", "2"]).spawn().unwrap();
    // Opens only when the export has opened it too.
    let mut pipe = fs::File::options().write(true).open(&bundle).unwrap();
    pipe.write_all(b"half a bund").unwrap();
    cut.kill().unwrap();
    assert!(!cut.wait().unwrap().success());
    drop(pipe);
    fs::rename(&aside, &bundle).unwrap();

    assert_eq!(size_of(&copy), 258);
    assert_eq!(told(&program(&log.folder, &to, &[]).output().unwrap())["published"], true);
    assert_eq!(size_of(&copy), 600);
    let ours = files(&log.folder);
    // A file that was being written when the kill came lies beside its place, under a name that nobody asks for.
    let is_rest = |path: &Path| path.to_string_lossy().contains('#');
    assert!(files(&copy).iter().all(|(path, bytes)| ours.get(path) == Some(bytes) || is_rest(path)));
}
