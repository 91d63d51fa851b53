//! The network that the engine asks for: a connection from each replica to each other over loopback, with frames that are
//! length-prefixed, and a first byte that says who speaks. Nobody here lies, so nothing is authenticated.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use hotstuff_rs::networking::messages::Message;
use hotstuff_rs::networking::network::Network;
use hotstuff_rs::types::crypto_primitives::VerifyingKey;
use hotstuff_rs::types::update_sets::ValidatorSetUpdates;
use hotstuff_rs::types::validator_set::ValidatorSet;

use crate::pool::Pool;

/// Frames that wait for a connection; what finds no room is dropped.
const WAITING_MAX: usize = 4096;

const FRAME_BYTES_MAX: usize = 64 << 20;

/// What travels between two replicas.
#[derive(BorshSerialize, BorshDeserialize)]
enum Frame {
    Engine(Message),
    Commands(Vec<Vec<u8>>),
}

type Inbox = (VerifyingKey, Message);

#[derive(Clone)]
pub(crate) struct Wire {
    place: usize,
    keys: Arc<Vec<VerifyingKey>>,
    /// To each of the others, by place; to itself nothing.
    out: Vec<Option<SyncSender<Arc<[u8]>>>>,
    own: Sender<Inbox>,
    inbox: Arc<Mutex<Receiver<Inbox>>>,
    /// A replica that is dead hears nothing and says nothing; its connections stay.
    alive: Arc<AtomicBool>,
}

impl Wire {
    pub(crate) fn new(
        place: usize,
        listener: TcpListener,
        addresses: &[SocketAddr],
        keys: Arc<Vec<VerifyingKey>>,
        pool: Arc<Pool>,
    ) -> Self {
        let (own, inbox) = channel();
        let connect = |(to, address): (usize, &SocketAddr)| {
            (to != place).then(|| {
                let (out, frames) = sync_channel(WAITING_MAX);
                let address = *address;
                thread::spawn(move || speak(place, address, &frames));
                out
            })
        };
        let out = addresses.iter().enumerate().map(connect).collect();
        let alive = Arc::new(AtomicBool::new(false));
        let wire = Self { place, keys, out, own, inbox: Arc::new(Mutex::new(inbox)), alive };
        let listening = wire.clone();
        // Whoever checks signatures keeps no vote waiting that comes over the same connection.
        let (commands, to_check) = sync_channel::<Vec<Vec<u8>>>(WAITING_MAX);
        thread::spawn(move || to_check.into_iter().flatten().for_each(|command| pool.hear(command)));
        thread::spawn(move || {
            for stream in listener.incoming().filter_map(Result::ok) {
                let (wire, commands) = (listening.clone(), commands.clone());
                thread::spawn(move || wire.hear(stream, &commands));
            }
        });
        wire
    }

    /// Lets the replica hear and speak, or no longer.
    pub(crate) fn set_alive(&self, alive: bool) {
        let inbox = self.inbox.lock().unwrap();
        while inbox.try_recv().is_ok() {}
        self.alive.store(alive, Ordering::Relaxed);
    }

    /// Hands commands on to all others.
    pub(crate) fn tell(&self, commands: Vec<Vec<u8>>) {
        self.send_to(|_| true, &Frame::Commands(commands));
    }

    fn send_to(&self, to: impl Fn(usize) -> bool, frame: &Frame) {
        if self.alive.load(Ordering::Relaxed) {
            let bytes: Arc<[u8]> = frame.try_to_vec().unwrap().into();
            for (_, out) in self.out.iter().enumerate().filter(|(place, _)| to(*place)) {
                // Without room it is lost, as on any network.
                out.iter().for_each(|out| drop(out.try_send(bytes.clone())));
            }
        }
    }

    fn hear(&self, mut stream: TcpStream, to_check: &SyncSender<Vec<Vec<u8>>>) {
        let mut from = [0];
        stream.read_exact(&mut from).unwrap();
        let key = self.keys[usize::from(from[0])];
        let mut length = [0; 4];
        while stream.read_exact(&mut length).is_ok() {
            let length = u32::from_be_bytes(length) as usize;
            assert!(length <= FRAME_BYTES_MAX, "nobody sends that much");
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).unwrap();
            if !self.alive.load(Ordering::Relaxed) {
                continue;
            }
            match Frame::try_from_slice(&bytes).unwrap() {
                Frame::Engine(message) => drop(self.own.send((key, message))),
                // Without room they are lost, as on any network.
                Frame::Commands(commands) => drop(to_check.try_send(commands)),
            }
        }
    }
}

/// Writes frames to one other replica, in order.
fn speak(place: usize, address: SocketAddr, frames: &Receiver<Arc<[u8]>>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(&[u8::try_from(place).unwrap()]).unwrap();
    for frame in frames {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        stream.write_all(&[&length[..], &frame].concat()).unwrap();
    }
}

impl Network for Wire {
    fn init_validator_set(&mut self, _: ValidatorSet) {}

    fn update_validator_set(&mut self, _: ValidatorSetUpdates) {}

    fn broadcast(&mut self, message: Message) {
        // A replica votes on its own proposal when it hears it.
        let _ = self.own.send((self.keys[self.place], message.clone()));
        self.send_to(|_| true, &Frame::Engine(message));
    }

    fn send(&mut self, peer: VerifyingKey, message: Message) {
        match self.keys.iter().position(|key| *key == peer) {
            Some(to) if to == self.place => drop(self.own.send((peer, message))),
            Some(to) => self.send_to(|place| place == to, &Frame::Engine(message)),
            None => {}
        }
    }

    /// Waits a little, for the engine asks again at once: four of its threads would keep the processors busy.
    fn recv(&mut self) -> Option<Inbox> {
        self.inbox.lock().unwrap().recv_timeout(Duration::from_millis(1)).ok()
    }
}
