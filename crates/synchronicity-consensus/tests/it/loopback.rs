//! Four engines in this process, with real sockets on the loopback interface and real files.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::{Duration, Instant};

use synchronicity_consensus::{
    BroadcastError, EngineConfig, FolderError, Handle, PARCEL_BYTES_MAX, Peer, StartError, Stopped, SubmitError, start,
};

use crate::cast::{HEARTBEAT, seeds};
use crate::company::Company;
use crate::ledger::{Ledger, assert_same_order};

/// Ports that nobody uses at this moment.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

fn config(company: &Company, place: usize, folder: &Path) -> EngineConfig {
    let peer = |member: &synchronicity_core::group::Member| Peer {
        key: member.consensus,
        address: member.address.parse().unwrap(),
    };
    let members: Vec<Peer> = company.group.members().iter().map(peer).collect();
    EngineConfig {
        namespace: company.group.id(),
        seed: seeds(company)[place],
        listen: members[place].address,
        members,
        storage: folder.join(format!("chain-{place}")),
        heartbeat: HEARTBEAT,
        max_clock_skew: Duration::from_secs(10),
        floor: None,
        vouched: false,
    }
}

async fn until(limit: Duration, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn stop(handles: &[Handle]) {
    for handle in handles {
        handle.shutdown();
        assert_eq!(handle.stopped().await, Stopped::Shutdown);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_engines_over_real_sockets_order_commands_survive_a_restart_and_hear_statements() {
    let folder = tempfile::tempdir().unwrap();
    let company = Company::listening_on(&free_ports(4));
    let ledgers: Vec<Ledger> = (0..4).map(|_| Ledger::new(&company.group)).collect();
    let begin = |place: usize| start(config(&company, place, folder.path()), ledgers[place].clone()).unwrap();
    let mut handles: Vec<Handle> = (0..4).map(begin).collect();
    until(Duration::from_secs(30), || ledgers.iter().all(|ledger| ledger.height() >= 1)).await;

    let mut latencies = Vec::new();
    for number in 0..20 {
        let command = company.submission(number % 4, number);
        let submitted = Instant::now();
        handles[number % 4].submit(command.clone()).unwrap();
        until(Duration::from_secs(20), || ledgers.iter().all(|ledger| ledger.has(&command))).await;
        latencies.push(submitted.elapsed());
    }
    latencies.sort();
    println!("submitted to executed everywhere: median {:?}, worst {:?}", latencies[10], latencies[19]);

    let mut statements = handles[1].statements().unwrap();
    assert!(handles[1].statements().is_none());
    handles[0].broadcast(b"a cosignature".to_vec()).unwrap();
    let heard = tokio::time::timeout(Duration::from_secs(5), statements.recv()).await.unwrap();
    assert_eq!(heard, Some((0, b"a cosignature".to_vec())));

    let (mut parcels, mut others) = (handles[2].parcels().unwrap(), handles[1].parcels().unwrap());
    assert!(handles[2].parcels().is_none());
    assert!(matches!(handles[0].send(2, vec![0; PARCEL_BYTES_MAX + 1]), Err(BroadcastError::TooLong(_))));
    handles[0].send(2, vec![7; PARCEL_BYTES_MAX]).unwrap();
    let received = tokio::time::timeout(Duration::from_secs(5), parcels.recv()).await.unwrap();
    assert_eq!(received, Some((0, vec![7; PARCEL_BYTES_MAX])));
    assert!(others.try_recv().is_err(), "a parcel is for one member");

    stop(&handles[3..]).await;
    assert!(matches!(handles[3].submit(company.submission(3, 100)), Err(SubmitError::Stopped(Stopped::Shutdown))));
    let missed = company.submission(0, 101);
    handles[0].submit(missed.clone()).unwrap();
    until(Duration::from_secs(30), || ledgers[..3].iter().all(|ledger| ledger.has(&missed))).await;
    handles[3] = begin(3);
    until(Duration::from_secs(30), || ledgers[3].has(&missed) && handles[3].status().caught_up).await;
    until(Duration::from_secs(30), || handles.iter().all(|handle| handle.status().connected.len() == 3)).await;
    let skew = handles[0].status().clock_skew_ms.unwrap();
    assert!(skew.abs() < 2_000, "one machine has one clock, yet it seems {skew} ms off");
    stop(&handles).await;
    assert_same_order(&ledgers.iter().collect::<Vec<_>>());
}

#[test]
fn a_port_in_use_is_named_and_nothing_is_started() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = taken.local_addr().unwrap();
    let company = Company::listening_on(&[address.port()]);
    let outcome = start(config(&company, 0, folder.path()), Ledger::new(&company.group));
    let Err(StartError::PortInUse { address: named }) = outcome else {
        panic!("it started on a port in use");
    };
    assert_eq!(named, address);
    assert!(!folder.path().join("chain-0").exists());
}

#[test]
fn a_key_that_is_not_in_the_group_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let company = Company::listening_on(&free_ports(4));
    let stranger = EngineConfig { seed: [7; 32], ..config(&company, 0, folder.path()) };
    assert!(matches!(start(stranger, Ledger::new(&company.group)), Err(StartError::NotAMember(_))));
    let mut fewer = config(&company, 0, folder.path());
    fewer.members.pop();
    assert!(matches!(start(fewer, Ledger::new(&company.group)), Err(StartError::OtherMembers)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_with_the_chain_of_another_group_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let company = Company::listening_on(&free_ports(1));
    let handle = start(config(&company, 0, folder.path()), Ledger::new(&company.group)).unwrap();
    handle.shutdown();
    assert_eq!(handle.stopped().await, Stopped::Shutdown);
    let others = Company::listening_on(&free_ports(2));
    let outcome = start(config(&others, 0, folder.path()), Ledger::new(&others.group));
    assert!(matches!(outcome, Err(StartError::Storage(FolderError::AnotherGroup { .. }))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_whose_node_cannot_execute_a_block_says_so_and_is_not_alive() {
    let folder = tempfile::tempdir().unwrap();
    let company = Company::listening_on(&free_ports(1));
    let ledger = Ledger::new(&company.group).breaking_at(2);
    let handle = start(config(&company, 0, folder.path()), ledger.clone()).unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(30), handle.stopped()).await.unwrap();
    let Stopped::Failed(reason) = stopped else {
        panic!("it ended as if it had been asked to");
    };
    assert!(reason.contains("block 2") && reason.contains("no space left on device"), "{reason}");
    assert_eq!(ledger.height(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_with_a_part_that_panics_says_so_and_is_not_alive() {
    let folder = tempfile::tempdir().unwrap();
    let company = Company::listening_on(&free_ports(1));
    let ledger = Ledger::new(&company.group).panicking_at(2);
    let handle = start(config(&company, 0, folder.path()), ledger).unwrap();
    let stopped = tokio::time::timeout(Duration::from_secs(30), handle.stopped()).await;
    let Ok(Stopped::Failed(reason)) = stopped else {
        panic!("it seems alive, or ended as if it had been asked to: {stopped:?}");
    };
    assert!(reason.contains("a defect of the node"), "{reason}");
    assert!(matches!(handle.submit(company.submission(0, 1)), Err(SubmitError::Stopped(Stopped::Failed(_)))));
}
