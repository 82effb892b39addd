//! A connection that can be cut, frozen, delayed and split.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Error;

const PAUSE: Duration = Duration::from_millis(5);

/// Passes TCP connections on to a server, until told otherwise.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// The port of this machine to which new connections go.
    target: AtomicU16,
    /// Nothing is read or passed on; connections stay open.
    frozen: AtomicBool,
    /// New connections are closed at once.
    refusing: AtomicBool,
    closed: AtomicBool,
    delay_ms: AtomicU64,
    /// How many bytes go on at a time; 0 for as many as there are.
    piece: AtomicUsize,
    /// After how many more bytes from the server connections are cut; the greatest number for
    /// never.
    budget: AtomicU64,
    passed: AtomicU64,
    accepted: AtomicU64,
    /// Connections accepted before this many were are stranded.
    stranded: AtomicU64,
    connections: Mutex<Vec<(TcpStream, TcpStream)>>,
}

impl Proxy {
    /// Listens at a free port of 127.0.0.1 and passes on to another.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub fn to(port: u16) -> Result<Proxy, Error> {
        let named = |error| Error::new("the proxy", error);
        let listener = TcpListener::bind("127.0.0.1:0").map_err(named)?;
        let address = listener.local_addr().map_err(named)?;
        let shared = Arc::new(Shared {
            target: AtomicU16::new(port),
            frozen: AtomicBool::new(false),
            refusing: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            piece: AtomicUsize::new(0),
            budget: AtomicU64::new(u64::MAX),
            passed: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            stranded: AtomicU64::new(0),
            connections: Mutex::new(Vec::new()),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || accepting.accept(&listener));
        Ok(Proxy { address, shared })
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Closes every connection; new ones are served.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Closes every connection, at once or as soon as `bytes` more have come from the server.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.budget.store(bytes, Ordering::SeqCst);
    }

    /// Connections stay open, and nothing passes any more, until [`Proxy::thaw`]: what a cable that
    /// was pulled looks like.
    pub fn freeze(&self) {
        self.shared.frozen.store(true, Ordering::SeqCst);
    }

    /// Passes on again, also what was held back.
    pub fn thaw(&self) {
        self.shared.frozen.store(false, Ordering::SeqCst);
    }

    /// The connections that there are stay open on both sides for ever, and nothing passes on them any
    /// more, not even their end; new ones are served: what a firewall that forgets them looks like.
    pub fn strand(&self) {
        self.shared.stranded.store(self.connections_made(), Ordering::SeqCst);
    }

    /// New connections go to another server at this port.
    pub fn point_to(&self, port: u16) {
        self.shared.target.store(port, Ordering::SeqCst);
    }

    /// Whether new connections are closed at once.
    pub fn refuse(&self, refuse: bool) {
        self.shared.refusing.store(refuse, Ordering::SeqCst);
    }

    /// Holds back every piece for so long.
    pub fn delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.shared.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Passes on at most so many bytes at a time, each piece in a packet of its own; 0 for as many as
    /// there are.
    pub fn split(&self, bytes: usize) {
        self.shared.piece.store(bytes, Ordering::SeqCst);
    }

    /// How many bytes have come from the server through all connections.
    pub fn bytes_passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }

    /// How many connections were made so far.
    pub fn connections_made(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.cut();
        // The accepting thread looks up.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn open(&self) -> MutexGuard<'_, Vec<(TcpStream, TcpStream)>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cut(&self) {
        for (client, server) in self.open().drain(..) {
            let _ = client.shutdown(Shutdown::Both);
            let _ = server.shutdown(Shutdown::Both);
        }
    }

    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.closed.load(Ordering::SeqCst) {
                return;
            }
            let Ok(client) = client else { continue };
            let number = self.accepted.fetch_add(1, Ordering::SeqCst);
            if self.refusing.load(Ordering::SeqCst) {
                continue;
            }
            let target = ("127.0.0.1", self.target.load(Ordering::SeqCst));
            let Ok(server) = TcpStream::connect(target) else { continue };
            let halves = || Ok::<_, std::io::Error>((client.try_clone()?, server.try_clone()?));
            let (Ok(kept), Ok(up), Ok(down)) = (halves(), halves(), halves()) else { continue };
            self.open().push(kept);
            let (upwards, downwards) = (Arc::clone(self), Arc::clone(self));
            std::thread::spawn(move || upwards.pass(number, up.0, up.1, false));
            std::thread::spawn(move || downwards.pass(number, down.1, down.0, true));
        }
    }

    fn holds_back(&self, number: u64) -> bool {
        let held = self.frozen.load(Ordering::SeqCst) || self.is_stranded(number);
        held && !self.closed.load(Ordering::SeqCst)
    }

    fn is_stranded(&self, number: u64) -> bool {
        number < self.stranded.load(Ordering::SeqCst)
    }

    fn pass(&self, number: u64, mut from: TcpStream, mut to: TcpStream, from_server: bool) {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let delay_ms = self.delay_ms.load(Ordering::SeqCst);
            if delay_ms > 0 {
                std::thread::sleep(Duration::from_millis(delay_ms));
            }
            while self.holds_back(number) {
                std::thread::sleep(PAUSE);
            }
            let piece = &buffer[..count];
            if from_server && self.spend(count as u64) {
                self.cut();
                break;
            }
            let size = match self.piece.load(Ordering::SeqCst) {
                0 => piece.len(),
                size => size,
            };
            let _ = to.set_nodelay(size < piece.len());
            if piece.chunks(size).any(|piece| to.write_all(piece).is_err()) {
                break;
            }
        }
        while self.is_stranded(number) && self.holds_back(number) {
            std::thread::sleep(PAUSE);
        }
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Whether the budget is used up; then it is taken off.
    fn spend(&self, count: u64) -> bool {
        self.passed.fetch_add(count, Ordering::SeqCst);
        let spent =
            self.budget.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| match left {
                u64::MAX => None,
                left if left <= count => Some(u64::MAX),
                left => Some(left - count),
            });
        spent.is_ok_and(|before| before <= count)
    }
}
