//! One run: everybody lives and writes, trouble comes, and then there is rest.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::base::{Base, Writer};
use super::canary::Canary;
use super::data::{self, Dialect};
use super::life::{Board, Held, Life, Phase, Said};
use super::published::Published;
use super::rest;
use super::trouble::{Trouble, World};
use crate::random::Random;
use crate::support::raw::Who;
use crate::support::server::LONG;

/// What a run is to be.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) dialect: Dialect,
    /// How many raw clients there are; of three, two share a group.
    pub(crate) clients: usize,
    pub(crate) published: usize,
    pub(crate) rounds: usize,
    /// How much befalls in each round.
    pub(crate) troubles: usize,
    pub(crate) canary: Option<Canary>,
}

/// What a run was.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "some is only printed")]
pub(crate) struct Tally {
    pub(crate) befell: BTreeMap<Trouble, u32>,
    pub(crate) mutations: u64,
    pub(crate) connections: u64,
    /// Rows held by raw clients, and results shown by published ones, that were compared.
    pub(crate) rows: usize,
    pub(crate) results: usize,
}

/// Writes transactions until it is told to end, and pauses while it may not.
fn write(mut writer: Writer, mut random: Random, may_write: &RwLock<bool>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::SeqCst) {
        let may = may_write.read().expect("no holder panics");
        if *may {
            // What a database that is down, or busy with another, does not take is not written.
            let _ = writer.write(&data::transaction(&mut random));
        }
        drop(may);
        std::thread::sleep(Duration::from_millis(random.next() % 60));
    }
}

/// What clients are told, and say.
struct Talk {
    phase: watch::Sender<Phase>,
    said: UnboundedReceiver<Said>,
    clients: usize,
}

impl Talk {
    /// Has all clients come to a phase; what they hold then.
    fn come_to(&mut self, runtime: &Runtime, phase: Phase) -> Result<Vec<Held>, String> {
        // Who would not listen any more has said why.
        let _ = self.phase.send(phase);
        let (mut done, mut all) = (0, Vec::new());
        while done < self.clients {
            let next =
                runtime.block_on(async { tokio::time::timeout(LONG, self.said.recv()).await });
            match next {
                Ok(Some(Said::Drained)) => done += 1,
                Ok(Some(Said::Holds(held))) => {
                    done += 1;
                    all.push(*held);
                }
                Ok(Some(Said::Failed(problem))) => return Err(problem),
                Ok(None) | Err(_) => {
                    let clients = self.clients;
                    return Err(format!("{done} of {clients} clients came to {phase:?}"));
                }
            }
        }
        Ok(all)
    }

    /// Fails if a client has.
    fn check(&mut self) -> Result<(), String> {
        match self.said.try_recv() {
            Ok(Said::Failed(problem)) => Err(problem),
            _ => Ok(()),
        }
    }
}

/// Runs a plan.
///
/// # Errors
/// What is wrong with the server.
pub(crate) fn run(plan: &Plan) -> Result<Tally, String> {
    let mut random = Random::new(plan.seed);
    let name = format!("{:?}-{}-{:?}", plan.dialect, plan.seed, plan.canary);
    let base = Base::new(plan.dialect, &name);
    let relay = plan.canary.map(|canary| canary.relay(base.server.port()));
    let mut world = World::new(base, 4, Random::new(random.next()));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let board = Arc::new(Board::default());
    let (phase, phases) = watch::channel(Phase::Busy);
    let (says, said) = unbounded_channel();
    let ports: Vec<u16> = match &relay {
        Some(relay) => vec![relay.port()],
        None => world.proxies.iter().map(penstock_postgres_harness::Proxy::port).collect(),
    };
    for at in 0..plan.clients {
        let mut life = raw(at, &ports, &mut random, &phases, &says, &board);
        if plan.canary.is_some_and(|canary| canary != Canary::None) {
            life.patience = Duration::from_secs(5);
        }
        runtime.spawn(life.run());
    }
    let mut talk = Talk { phase, said, clients: plan.clients + plan.published };
    let (may_write, is_over) = (RwLock::new(true), AtomicBool::new(false));
    // Whoever writes has written when this returns.
    let let_write = |may: bool| *may_write.write().expect("no holder panics") = may;
    let outcome = std::thread::scope(|scope| {
        for _ in 0..2 {
            let (writer, random) = (world.base.writer(), Random::new(random.next()));
            let (may_write, is_over) = (&may_write, &is_over);
            scope.spawn(move || write(writer, random, may_write, is_over));
        }
        for at in 0..plan.published {
            let published = Published {
                url: format!("http://127.0.0.1:{}", ports[at % ports.len()]),
                random: Random::new(random.next()),
                phase: phases.clone(),
                says: says.clone(),
                board: &board,
            };
            scope.spawn(move || published.run());
        }
        let mut tally = Tally::default();
        let mut all = || -> Result<(), String> {
            for round in 1..=plan.rounds {
                let_write(true);
                let _ = talk.phase.send(Phase::Busy);
                be_busy(plan, &mut world, &mut talk)?;
                let_write(false);
                world.heal();
                rest(round as u64, &world.base, &board, &mut talk, &runtime, &mut tally)?;
            }
            Ok(())
        };
        // Whatever happens, everybody is told that it is over.
        let outcome = catch_unwind(AssertUnwindSafe(&mut all));
        let outcome = outcome.unwrap_or_else(|_| Err("a panic, see above".to_owned()));
        is_over.store(true, Ordering::SeqCst);
        let _ = talk.phase.send(Phase::End);
        outcome.map(|()| tally)
    });
    // A published client says at its end what it was told.
    let mut tally = outcome?;
    talk.check()?;
    tally.connections = world.proxies.iter().map(|proxy| proxy.connections_made()).sum();
    tally.befell = world.befell;
    Ok(tally)
}

fn raw(
    at: usize,
    ports: &[u16],
    random: &mut Random,
    phases: &watch::Receiver<Phase>,
    says: &UnboundedSender<Said>,
    board: &Arc<Board>,
) -> Life {
    let group = if at % 3 == 2 { at - 1 } else { at };
    let who = Who {
        group: format!("g{group}"),
        alone: false,
        ..Who::new(&at.to_string(), data::client_schema())
    };
    let random = Random::new(random.next());
    Life::new(who, random, ports.to_vec(), phases.clone(), says.clone(), Arc::clone(board))
}

fn be_busy(plan: &Plan, world: &mut World, talk: &mut Talk) -> Result<(), String> {
    let pause = |millis: u64| std::thread::sleep(Duration::from_millis(millis));
    pause(1500);
    for _ in 0..plan.troubles {
        world.befall();
        talk.check()?;
        pause(100 + world.random.next() % 300);
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a test waits no longer than some time")]
fn rest(
    round: u64,
    base: &Base,
    board: &Board,
    talk: &mut Talk,
    runtime: &Runtime,
    tally: &mut Tally,
) -> Result<(), String> {
    talk.come_to(runtime, Phase::Drain)?;
    let start = Instant::now();
    while !rest::is_drained(base, board) {
        if start.elapsed() > LONG {
            return Err("published clients have mutations that are not carried out".to_owned());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut writer = base.writer();
    writer.write(&format!("BEGIN; UPDATE fence SET n = {round}; COMMIT"))?;
    let fresh = rest::fresh(base);
    let all = talk.come_to(runtime, Phase::Look(round))?;
    rest::compare(&fresh, &all)?;
    tally.mutations = rest::audit(base, board)?;
    let settled = talk.come_to(runtime, Phase::Settle(round))?;
    rest::compare(&fresh, &settled)?;
    for held in &settled {
        tally.rows += held.rows.values().map(Vec::len).sum::<usize>();
        tally.results += held.shown.len();
    }
    Ok(())
}
