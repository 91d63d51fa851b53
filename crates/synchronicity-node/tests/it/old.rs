//! Folders that earlier commits wrote, as `scripts/old-folder.sh` packed them: what is brought to the present form keeps all that
//! it held, and what cannot be is refused and left alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use flate2::read::GzDecoder;
use redb::{Database, ReadOnlyDatabase, ReadableDatabase, ReadableTable, TableDefinition};
use serde::Deserialize;
use synchronicity_core::block::OrderedBlock;
use synchronicity_core::group::Group;
use synchronicity_core::machine::{Executed, Machine};
use synchronicity_core::round::Phase;
use synchronicity_node::config::Config;
use synchronicity_node::exit;
use synchronicity_node::folder::Folder;
use synchronicity_node::group_file;
use synchronicity_node::keys::{Keys, Seed};
use synchronicity_node::store::{Every, OpenError, Position, Progress, Snapshot, Store};
use synchronicity_verify::commitment::commitment;
use synchronicity_verify::entry::Verdict;
use synchronicity_verify::policy::Policy;
use synchronicity_verify::verify::verify;
use tempfile::TempDir;

use crate::damaged::{refused, words};
use crate::nodes::Nodes;
use crate::world::{World, free_port};

/// The last commit before blocks and `state.redb` had their second schema.
const FIRST_SCHEMAS: &str = "5a1424e";

/// The oldest commit whose program can be in one group with this one: blocks and `state.redb` have the second schema.
const SECOND_SCHEMAS: &str = "7fb21b7";

/// What was written down beside a packed folder.
#[derive(Deserialize)]
struct About {
    commit: String,
    /// After the verdict.
    group: String,
    height: u64,
    /// Of the checkpoint that it had published at the end.
    size: u64,
    root: String,
}

/// Where an earlier commit's folder is unpacked.
struct Old {
    _dir: TempDir,
    folder: Folder,
    about: About,
}

impl Old {
    fn unpacked(commit: &str, shape: &str) -> Old {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path().join("node"));
        let about = unpack(commit, shape, &folder);
        Old { _dir: dir, folder, about }
    }

    fn group(&self) -> Group {
        group_file::read(&self.folder.group()).unwrap()
    }

    fn is_at(&self, executed: &Executed) {
        assert!(executed.height >= self.about.height, "{executed:?}");
        assert_eq!((executed.log_size, executed.log_root.to_string()), (self.about.size, self.about.root.clone()));
    }
}

/// Unpacks a folder, and has its node listen where nobody else does.
fn unpack(commit: &str, shape: &str, into: &Folder) -> About {
    let name = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/old/{commit}-{shape}"));
    let mut archive = tar::Archive::new(GzDecoder::new(File::open(name.with_extension("tar.gz")).unwrap()));
    // Keys that others can read are refused.
    archive.set_preserve_permissions(true);
    archive.unpack(into.root()).unwrap();
    let mut config = Config::read(&into.config()).unwrap();
    let (listen, group) = (config.listen.clone(), fs::read_to_string(into.group()).unwrap());
    [config.listen, config.http] = [free_port(), free_port()].map(|port| format!("127.0.0.1:{port}"));
    // Addresses are no part of the group's identity.
    fs::write(into.group(), group.replace(&listen, &config.listen)).unwrap();
    config.write(&into.config()).unwrap();
    let about: About = toml::from_str(&fs::read_to_string(name.with_extension("toml")).unwrap()).unwrap();
    assert!(about.commit.starts_with(commit), "{}", about.commit);
    about
}

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");

/// What a database holds, as bytes: the rows of `meta` by name, and those of blocks and seals.
fn rows(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let (blocks, sealed) =
        (TableDefinition::<u64, &[u8]>::new("blocks"), TableDefinition::<&[u8], &[u8]>::new("sealed"));
    let database = ReadOnlyDatabase::open(path).unwrap();
    let transaction = database.begin_read().unwrap();
    let mut rows = BTreeMap::new();
    for row in transaction.open_table(META).unwrap().iter().unwrap().map(Result::unwrap) {
        rows.insert(row.0.value().into(), row.1.value().into());
    }
    for row in transaction.open_table(blocks).unwrap().iter().unwrap().map(Result::unwrap) {
        rows.insert([b"block ".as_slice(), &row.0.value().to_be_bytes()].concat(), row.1.value().into());
    }
    for row in transaction.open_table(sealed).unwrap().iter().unwrap().map(Result::unwrap) {
        rows.insert([b"seal ", row.0.value()].concat(), row.1.value().into());
    }
    rows
}

fn has_schema(path: &Path, schema: u8) {
    assert_eq!(rows(path)[b"schema".as_slice()], [schema]);
}

/// Makes a database one of another schema, as its number says.
fn give_schema(path: &Path, schema: &[u8]) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(META).unwrap().insert("schema", schema).unwrap();
    transaction.commit().unwrap();
}

#[test]
fn a_database_of_the_first_schema_is_brought_to_the_present_one_and_keeps_journal_verdicts_and_root() {
    let old = Old::unpacked(FIRST_SCHEMAS, "open");
    let (path, group) = (old.folder.state(), old.group());
    has_schema(&path, 1);
    let mut before = rows(&path);
    let store = Store::open(&path, &group).unwrap();
    let (journal, mut machine) = (store.journal().unwrap(), store.machine(&group).unwrap());
    old.is_at(&machine.executed());
    assert_eq!(
        (group.id().to_string(), journal.cosigned()),
        (old.about.group.clone(), Some((1, machine.log().root())))
    );
    let over = machine.rounds().filter(|(_, round)| !round.is_open());
    let verdicts: Vec<Phase> = over.map(|(_, round)| round.phase()).collect();
    assert_eq!(verdicts, [Phase::Concluded { index: 0, verdict: Verdict::Reproduced }]);
    // The sealed result opens the commitment that is on the chain, so it can still be revealed.
    let (request, round) = machine.open_rounds().next().unwrap();
    let me = group.members().iter().find(|member| member.name == "builder-1").unwrap().command;
    let sealed = journal.sealed(request, round.number()).unwrap();
    let opened = commitment(request, &me, &sealed.result.digest(), &sealed.nonce);
    assert_eq!(round.member(&me).unwrap().commitment(), Some(&opened));
    drop(store);
    before.insert(b"schema".to_vec(), vec![2]);
    assert_eq!(rows(&path), before, "more was changed than the schema's number");

    // It goes on: the other round ends too, and a snapshot is written, which the first schema did not have.
    let store = Store::open(&path, &group).unwrap().with_snapshots(Every { blocks: 1, bytes: u64::MAX });
    let due = |machine: &Machine| machine.open_rounds().find_map(|(_, round)| round.deadline_ms());
    while let Some(time_ms) = due(&machine) {
        let block = OrderedBlock { height: machine.executed().height + 1, time_ms, commands: Vec::new() };
        assert!(machine.apply(&block).unwrap().changed);
        let (position, effective) = (Position { height: block.height, time_ms }, [&block]);
        store.record(&Progress::to(position, &effective), || Snapshot::of(&machine), || 0).unwrap();
    }
    assert_eq!(machine.log().size(), 2);
    drop(store);
    let store = Store::open(&path, &group).unwrap();
    assert_eq!((store.machine(&group).unwrap(), store.journal().unwrap()), (machine, journal));
}

#[test]
fn whoever_takes_up_another_state_over_a_database_of_the_first_schema_keeps_the_journal() {
    let old = Old::unpacked(FIRST_SCHEMAS, "open");
    let (path, group) = (old.folder.state(), old.group());
    let begun = Executed { height: 1 << 20, ..Executed::NOTHING };
    Store::check_beginning(&path, &begun).unwrap();
    has_schema(&path, 1);
    let before = rows(&path);
    drop(Store::begin_with(&path, &group, &begun).unwrap());
    has_schema(&path, 2);
    let is_journal = |name: &[u8]| name.starts_with(b"seal ") || name == b"cosigned";
    let journal =
        |rows: BTreeMap<Vec<u8>, Vec<u8>>| rows.into_iter().filter(|row| is_journal(&row.0)).collect::<Vec<_>>();
    let before = journal(before);
    assert_eq!((before.len(), journal(rows(&path))), (2, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_the_first_schema_is_refused_with_advice_and_nothing_in_the_folder_changes() {
    let old = Old::unpacked(FIRST_SCHEMAS, "open");
    let (code, message) = refused(&old.folder).await;
    assert_eq!(code, exit::USAGE);
    let message = words(&message);
    assert!(message.contains("blocks of schema 1, and this program knows schema 2"), "{message}");
    assert!(message.contains("next epoch") && message.contains("docs/operating.md"), "{message}");
    has_schema(&old.folder.state(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_another_schema_is_refused_with_advice_and_nothing_in_the_folder_changes() {
    let begun = Executed { height: 1 << 20, ..Executed::NOTHING };
    for (schema, advice) in [(&[3][..], "a newer version wrote it"), (&[0], "a version in between"), (&[], "damaged")] {
        let old = Old::unpacked(SECOND_SCHEMAS, "alone");
        let (path, group) = (old.folder.state(), old.group());
        give_schema(&path, schema);
        let before = fs::read(&path).unwrap();
        let refusals = [
            Store::open(&path, &group).map(drop).unwrap_err(),
            Store::check_beginning(&path, &begun).unwrap_err(),
            Store::begin_with(&path, &group, &begun).map(drop).unwrap_err(),
        ];
        for refusal in refusals {
            match schema {
                [] => assert!(matches!(refusal, OpenError::Damaged { .. })),
                [3] => assert!(matches!(refusal, OpenError::TooNew { found: 3, present: 2, .. })),
                _ => assert!(matches!(refusal, OpenError::TooOld { found: 0, oldest: 1, .. })),
            }
        }
        let (code, message) = refused(&old.folder).await;
        assert_eq!(code, exit::USAGE);
        let message = words(&message);
        assert!(message.contains(advice), "{message}");
        assert_eq!(fs::read(&path).unwrap(), before, "a refusal changed the database");
    }
}

/// A group of one, whose node has the folder that an earlier commit wrote.
fn alone(commit: &str, shape: &str) -> (Nodes, About) {
    let old = Old::unpacked(commit, shape);
    let key = |name: &str| Seed::read(&old.folder.keys().join(name).with_extension("key")).unwrap();
    let keys = Keys {
        consensus: key("consensus"),
        command: key("command"),
        cosigner: key("cosigner"),
        attestation: key("attestation"),
    };
    let mut nodes = Nodes::without_folders(World { group: old.group(), keys: vec![keys], log_key: key("log") });
    let about = unpack(commit, shape, &nodes.folder(0));
    let config = Config::read(&nodes.folder(0).config()).unwrap();
    nodes.http = vec![config.http.rsplit(':').next().unwrap().parse().unwrap()];
    (nodes, about)
}

/// The node starts with the log that was written down, orders blocks, and has something else rebuilt. Gives the group's id.
async fn goes_on(mut nodes: Nodes, about: &About, policy: &Policy) -> String {
    // Without signatures, which are made anew every hour.
    let published = |nodes: &Nodes| {
        let note = fs::read_to_string(nodes.folder(0).log().join("checkpoint")).unwrap();
        note.split("\n\n").next().unwrap().to_owned()
    };
    let checkpoint = published(&nodes);
    nodes.start(0, None);
    let status = nodes.status(0).await;
    assert_eq!((status.log.published_size, &status.log.root), (about.size, &about.root));
    nodes.until(0, "blocks of this program", |status| status.height > about.height + 2).await;
    assert_eq!(published(&nodes), checkpoint);
    assert_eq!(nodes.submit(0).await.state, "ordered");
    let status = nodes.published(0, about.size + 1).await;
    assert_eq!((status.log.size, status.health.as_str()), (about.size + 1, "ok"));
    // The entry of before, under a signature of now.
    let (code, _, proof) = nodes.get(0, "/proof/index/0").await;
    let verified = verify(&proof, policy, None).unwrap();
    assert_eq!((code, verified.entry.verdict, verified.entry.epoch), (200, Verdict::Reproduced, 0));
    assert!(status.offences.is_empty(), "{status:#?}");
    nodes.stop_all().await;
    status.group
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_folder_of_an_earlier_commit_goes_on_with_the_same_root_under_the_same_identity() {
    let (nodes, about) = alone(SECOND_SCHEMAS, "alone");
    has_schema(&nodes.folder(0).state(), 2);
    let policy = nodes.world.group.policy(None).unwrap();
    assert_eq!((goes_on(nodes, &about, &policy).await, about.size), (about.group, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_chain_has_the_first_schema_goes_on_where_the_next_epoch_begins() {
    let (nodes, about) = alone(FIRST_SCHEMAS, "over");
    let (folder, next) = (nodes.folder(0), nodes.world.group.clone());
    has_schema(&folder.state(), 1);
    // The epoch ended for new keys, which come into force only now.
    assert!(folder.next_keys().exists() && next.epoch() == 1 && about.size == 2);
    let policy = next.policy(None).unwrap();
    assert_eq!(goes_on(nodes, &about, &policy).await, next.id().to_string());
}
