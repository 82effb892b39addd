//! What befalls the connections, the server and the database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use penstock_postgres_harness::Proxy;
use penstock_postgres_harness::server::Stop;

use super::base::Base;
use crate::random::Random;

/// A fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// Connections are closed.
    Cut,
    /// They are closed in the middle of what the server sends.
    CutAfter,
    /// They stay open on both sides, and nothing passes any more.
    Strand,
    /// Nothing passes for a while.
    Freeze,
    /// What passes takes its time.
    Slow,
    /// It comes in small pieces.
    Split,
    /// Nobody gets in for a while.
    Refuse,
    /// The server is stopped in order and started again.
    Stop,
    /// It is killed.
    Kill,
    /// It is killed and what it keeps of clients deleted.
    LoseState,
    /// The same with its copy of the database.
    LoseReplica,
    /// The database is stopped, in some way.
    Database,
}

pub(crate) const ALL: [Trouble; 12] = [
    Trouble::Cut,
    Trouble::CutAfter,
    Trouble::Strand,
    Trouble::Freeze,
    Trouble::Slow,
    Trouble::Split,
    Trouble::Refuse,
    Trouble::Stop,
    Trouble::Kill,
    Trouble::LoseState,
    Trouble::LoseReplica,
    Trouble::Database,
];

/// A database, a server, and the ways to it.
pub(crate) struct World {
    pub(crate) base: Base,
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) random: Random,
    pub(crate) befell: BTreeMap<Trouble, u32>,
    /// Ways on which something has been stranded.
    stranded: BTreeSet<usize>,
    /// What is still to come before all is shuffled anew.
    deck: Vec<Trouble>,
}

impl World {
    pub(crate) fn new(base: Base, proxies: usize, random: Random) -> Self {
        let port = base.server.port();
        let proxies = (0..proxies).map(|_| Proxy::to(port).expect("a proxy")).collect();
        Self {
            base,
            proxies,
            random,
            befell: BTreeMap::new(),
            stranded: BTreeSet::new(),
            deck: Vec::new(),
        }
    }

    /// Something befalls, and is over when this returns, or by [`World::heal`].
    pub(crate) fn befall(&mut self) {
        if self.deck.is_empty() {
            self.deck = ALL.to_vec();
            for at in (1..self.deck.len()).rev() {
                self.deck.swap(at, self.random.below(at + 1));
            }
        }
        let Some(trouble) = self.deck.pop() else { return };
        let happened = match trouble {
            Trouble::Stop | Trouble::Kill | Trouble::LoseState | Trouble::LoseReplica => {
                self.restart(trouble)
            }
            Trouble::Database => {
                let how = [Stop::Fast, Stop::Immediate, Stop::Kill][self.random.below(3)];
                self.base.restart_database(how)
            }
            _ => {
                self.disturb(trouble);
                true
            }
        };
        *self.befell.entry(trouble).or_default() += u32::from(happened);
    }

    fn disturb(&mut self, trouble: Trouble) {
        let at = self.random.below(self.proxies.len());
        let all = self.random.one_in(4);
        let n = self.random.next();
        let of = |number: usize| all || number == at;
        let some = self.proxies.iter().enumerate().filter(|(number, _)| of(*number));
        for (number, proxy) in some {
            match trouble {
                Trouble::Cut => proxy.cut(),
                Trouble::CutAfter => proxy.cut_after(1 + n % 3000),
                Trouble::Strand => {
                    proxy.strand();
                    self.stranded.insert(number);
                }
                Trouble::Freeze => proxy.freeze(),
                Trouble::Slow => proxy.delay(Duration::from_millis(1 + n % 40)),
                Trouble::Split => proxy.split(1 + (n % 7) as usize),
                _ => proxy.refuse(true),
            }
        }
        if matches!(trouble, Trouble::Freeze | Trouble::Refuse) {
            std::thread::sleep(Duration::from_millis(200 + n % 1000));
            for proxy in &self.proxies {
                proxy.thaw();
                proxy.refuse(false);
            }
        }
    }

    fn restart(&mut self, trouble: Trouble) -> bool {
        let base = &mut self.base;
        match trouble {
            Trouble::Stop => base.server.stop(),
            _ => base.server.kill(),
        }
        if matches!(trouble, Trouble::LoseState | Trouble::LoseReplica) {
            base.lose("state.db");
        }
        let happened = trouble != Trouble::LoseReplica || base.lose_replica();
        base.server.start();
        for proxy in &self.proxies {
            proxy.point_to(base.server.port());
        }
        happened
    }

    /// All is well from now on.
    pub(crate) fn heal(&mut self) {
        for proxy in &self.proxies {
            proxy.thaw();
            proxy.refuse(false);
            proxy.delay(Duration::ZERO);
            proxy.split(0);
            proxy.cut_after(u64::MAX);
        }
        // It would take clients a while to notice.
        for number in std::mem::take(&mut self.stranded) {
            self.proxies[number].cut();
        }
    }
}
