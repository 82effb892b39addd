//! Waves: filling many partitions at once.
//!
//! A wave has three parts. What is asked for is *made*: found, or added without rows, and held;
//! level by level, each knowing nothing of the others. Then everything that can be is *read*: the
//! windows of scans, and of junctions whose hidden and far partitions earlier waves have filled.
//! Last, what was read is *put in*, in the order of the works, and its rows ask for the partitions
//! of the next wave.
//!
//! What is not filled yet counts as absent for whoever reads (`PartitionBatch::unfilled`). So what a
//! wave reads depends on earlier waves only, and neither results nor counts depend on the order in
//! which its parts are done.
//!
//! Cost: that of filling one by one; beside it the keys and routes of the rows of one wave are kept
//! until the next has been made.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use smallvec::SmallVec;

use crate::distinct::{Reached, near_route};
use crate::fill::{End, Limits, Reads};
use crate::graph::{Graph, LinkStep};
use crate::grow::is_filled_in_steps;
use crate::holders::Holder;
use crate::join::row_slots;
use crate::key::{Key, KeyBuffer};
use crate::level::{FAR, Level, LevelId, LevelInput, NEAR, PartitionId, Slot};
use crate::order_by::OrderedRows;
use crate::plan::Binding;
use crate::route::child_route;
use crate::source::{Source, SourceError};
use crate::stats::Timing;
use crate::take::Window;
use crate::workers::{Workers, gather};

/// How many partitions are read by one worker in one go. Few in debug builds, so that tests have
/// several.
const CHUNK: usize = if cfg!(debug_assertions) { 2 } else { 32 };

/// The place of a plan among those that are subscribed to together.
type PlanNumber = u32;

/// A failing source, and the plan for which it was read.
type Failed = (PlanNumber, SourceError);

/// What is asked of each level.
pub(crate) type Asks = BTreeMap<LevelId, Vec<Ask>>;

/// Partitions of one level, with one binding, that somebody asks for.
#[derive(Debug)]
pub(crate) struct Ask {
    /// The partition whose rows will hold them, and through which edge; absent for a subscriber.
    parent: Option<(PartitionId, Slot)>,
    binding: Arc<Binding>,
    /// The route of each, and the key of the row that asks.
    routes: SmallVec<[(Key, Key); 1]>,
    plan: PlanNumber,
}

impl Ask {
    /// What a subscriber asks for.
    pub(crate) fn of_subscriber(route: Key, binding: &Arc<Binding>, plan: PlanNumber) -> Ask {
        let routes = SmallVec::from_buf([(route, Key::default())]);
        Ask { parent: None, binding: Arc::clone(binding), routes, plan }
    }
}

/// A level that is asked for partitions.
struct Making {
    id: LevelId,
    level: Box<Level>,
    asks: Vec<Ask>,
    made: Vec<Work>,
    journal: Vec<LinkStep>,
}

impl Making {
    /// Finds or adds what is asked for, and lets it be held.
    fn run(&mut self) {
        for ask in std::mem::take(&mut self.asks) {
            for (route, key) in ask.routes {
                let found = self.level.find(&route, &ask.binding);
                let partition = found.unwrap_or_else(|| {
                    let partition = self.level.add(route, Arc::clone(&ask.binding));
                    self.level.partition_mut(partition).batch.unfilled = true;
                    self.made.push(Work {
                        id: PartitionId { level: self.id, partition },
                        plan: ask.plan,
                        before: self.level.stats.partitions_hydrated + self.made.len() as u64,
                        step: match self.level.input {
                            LevelInput::Scan(_) => Step::Scan,
                            LevelInput::Junction => Step::Near,
                        },
                    });
                    partition
                });
                let Some((parent, slot)) = ask.parent else { continue };
                let holder = Holder { level: parent.level, slot, partition: parent.partition, key };
                if self.level.partition_mut(partition).holders.insert(holder.clone()) {
                    let child = PartitionId { level: self.id, partition };
                    self.journal.push(LinkStep { child, holder, added: true });
                }
            }
        }
    }
}

/// A partition that is to be filled.
struct Work {
    id: PartitionId,
    plan: PlanNumber,
    /// How many partitions of the level are filled before it; for sampling times.
    before: u64,
    step: Step,
}

/// What is to be done next for a partition.
enum Step {
    /// Reading its window.
    Scan,
    /// Finding the far routes of a junction, once its hidden partition is filled.
    Near,
    /// Making the window of a junction out of its far partitions.
    Far(BTreeMap<Key, u32>),
}

/// What has been read.
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are windows, which a box would allocate for"
)]
enum Done {
    Window(Filled),
    Routes(BTreeMap<Key, u32>),
}

/// What a partition is filled with.
struct Filled {
    window: Window,
    /// All rows that a junction reaches, where its window takes only some.
    members: Option<OrderedRows>,
    reads: Reads,
    nanos: Option<u64>,
    /// What its rows ask for.
    asks: SmallVec<[(LevelId, Ask); 4]>,
}

impl Graph {
    /// Makes and fills what is asked for, and what that asks for, and so on down.
    pub(crate) fn fill_all(
        &mut self,
        source: &dyn Source,
        mut asks: Asks,
        workers: &dyn Workers,
    ) -> Result<(), Failed> {
        // Junctions, each until what it needs for its next step is filled.
        let mut waiting: Vec<Work> = Vec::new();
        while !(asks.is_empty() && waiting.is_empty()) {
            let mut works = Vec::new();
            for work in self.make(std::mem::take(&mut asks), workers) {
                match work.step {
                    Step::Scan => works.push(work),
                    _ => {
                        self.ask_for_near(&work, &mut asks);
                        waiting.push(work);
                    }
                }
            }
            let (ready, others) = waiting.into_iter().partition(|work| self.is_ready(work));
            waiting = others;
            works.extend::<Vec<Work>>(ready);
            let done = self.read_all(source, &works, workers)?;
            for (work, done) in works.into_iter().zip(done) {
                match done {
                    Done::Window(filled) => self.put_in(work, filled, &mut asks),
                    Done::Routes(far) => {
                        self.ask_for_far(&work, &far, &mut asks);
                        waiting.push(Work { step: Step::Far(far), ..work });
                    }
                }
            }
        }
        Ok(())
    }

    /// Finds or adds what is asked for; returns what has been added, level by level.
    fn make(&mut self, asks: Asks, workers: &dyn Workers) -> Vec<Work> {
        let few = asks.values().flatten().map(|ask| ask.routes.len()).sum::<usize>() <= CHUNK;
        let making: Vec<Mutex<Making>> = asks
            .into_iter()
            .map(|(id, asks)| {
                let level = self.take_level(id);
                let (made, journal) = (Vec::new(), Vec::new());
                Mutex::new(Making { id, level, asks, made, journal })
            })
            .collect();
        let run = |at: usize| making[at].lock().unwrap_or_else(PoisonError::into_inner).run();
        match few || workers.at_once() < 2 {
            true => (0..making.len()).for_each(run),
            false => workers.run(making.len(), &run),
        }
        let mut works = Vec::new();
        for making in making {
            let making = making.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.put_level(making.id, making.level);
            self.fresh.extend(making.made.iter().map(|work| work.id));
            self.journal.extend(making.journal);
            works.extend(making.made);
        }
        works
    }

    /// Whether everything that the next step of a junction needs is filled.
    fn is_ready(&self, work: &Work) -> bool {
        let level = self.level(work.id.level);
        let held = level.partition(work.id.partition);
        let is_filled = |slot: Slot, route: &[u8]| {
            let child = self.level(level.edges[usize::from(slot)].child);
            let found = child.find(route, &held.binding.children[usize::from(slot)]);
            found.is_some_and(|found| !child.partition(found).batch.unfilled)
        };
        match &work.step {
            Step::Scan => true,
            Step::Near => {
                let near = &held.binding.children[usize::from(NEAR)];
                is_filled(NEAR, &near_route(&held.route, near))
            }
            Step::Far(far) => far.keys().all(|route| is_filled(FAR, route)),
        }
    }

    /// Asks for the hidden partition of a junction.
    fn ask_for_near(&self, work: &Work, asks: &mut Asks) {
        let level = self.level(work.id.level);
        let held = level.partition(work.id.partition);
        let binding = Arc::clone(&held.binding.children[usize::from(NEAR)]);
        let route = Key::from_slice(&near_route(&held.route, &binding));
        let routes = SmallVec::from_buf([(route, Key::default())]);
        let ask = Ask { parent: Some((work.id, NEAR)), binding, routes, plan: work.plan };
        asks.entry(level.edges[usize::from(NEAR)].child).or_default().push(ask);
    }

    /// Asks for the far partitions of a junction.
    fn ask_for_far(&self, work: &Work, far: &BTreeMap<Key, u32>, asks: &mut Asks) {
        if far.is_empty() {
            return;
        }
        let level = self.level(work.id.level);
        let held = level.partition(work.id.partition);
        let binding = Arc::clone(&held.binding.children[usize::from(FAR)]);
        let routes = far.keys().map(|route| (route.clone(), route.clone())).collect();
        let ask = Ask { parent: Some((work.id, FAR)), binding, routes, plan: work.plan };
        asks.entry(level.edges[usize::from(FAR)].child).or_default().push(ask);
    }

    /// Reads for all works, and returns in their order what was read.
    fn read_all(
        &self,
        source: &dyn Source,
        works: &[Work],
        workers: &dyn Workers,
    ) -> Result<Vec<Done>, Failed> {
        let shared = source.shared().filter(|_| works.len() > CHUNK && workers.at_once() > 1);
        let Some(shared) = shared else { return self.read_chunk(source, works) };
        let chunks: Vec<&[Work]> = works.chunks(CHUNK).collect();
        let read = gather(workers, chunks.len(), |at| {
            let chunk = chunks[at];
            self.reads_tables(chunk).then(|| self.read_chunk(shared, chunk))
        });
        let mut done = Vec::with_capacity(works.len());
        for (chunk, read) in chunks.into_iter().zip(read) {
            done.extend(match read {
                Some(read) => read?,
                None => self.read_chunk(source, chunk)?,
            });
        }
        Ok(done)
    }

    /// Whether works read no derived tables.
    fn reads_tables(&self, works: &[Work]) -> bool {
        let mut last = None;
        works.iter().all(|work| {
            last.replace(work.id.level) == Some(work.id.level) || self.is_of_tables(work.id.level)
        })
    }

    /// Whether neither a level nor its gates, all the way down, read derived tables. A junction
    /// reads nothing.
    fn is_of_tables(&self, level: LevelId) -> bool {
        let level = self.level(level);
        let gates = match level.input {
            LevelInput::Scan(_) => &level.edges[..level.inner_edges],
            LevelInput::Junction => return true,
        };
        level.table.derived_number().is_none()
            && gates.iter().all(|gate| self.is_of_tables(gate.child))
    }

    fn read_chunk(&self, source: &dyn Source, works: &[Work]) -> Result<Vec<Done>, Failed> {
        let read = |work: &Work| self.read(source, work).map_err(|error| (work.plan, error));
        works.iter().map(read).collect()
    }

    fn read(&self, source: &dyn Source, work: &Work) -> Result<Done, SourceError> {
        let timing = Timing::start(work.before, self.clock);
        let level = self.level(work.id.level);
        let held = level.partition(work.id.partition);
        let binding = &held.binding;
        let child = |slot: Slot| self.level(level.edges[usize::from(slot)].child);
        let mut reads = Reads::default();
        let (window, members) = match &work.step {
            Step::Scan if is_filled_in_steps(source, level, &binding.extent) => {
                (Window::growing(), None)
            }
            Step::Scan => {
                let extent = &binding.extent;
                let room = extent.capacity().unwrap_or(usize::MAX);
                let limits = Limits { room, reads: usize::MAX };
                let route = &held.route;
                let (rows, end) =
                    self.read_window(source, level, route, binding, None, limits, &mut reads)?;
                (Window::hydrated(extent, rows, matches!(end, End::Exhausted)), None)
            }
            Step::Near => {
                let near = &binding.children[usize::from(NEAR)];
                let found = child(NEAR).find(&near_route(&held.route, near), near);
                let far = found.map(|near| self.far_routes(level, binding, near));
                return Ok(Done::Routes(far.unwrap_or_default()));
            }
            Step::Far(routes) => {
                let far = &binding.children[usize::from(FAR)];
                let found = routes.keys().filter_map(|route| child(FAR).find(route, far));
                self.reached(level, binding, found)
            }
        };
        let asks = asks_of(level, work, &window, binding);
        let nanos = timing.elapsed(self.clock);
        Ok(Done::Window(Filled { window, members, reads, nanos, asks }))
    }

    /// Gives a partition what has been read for it.
    fn put_in(&mut self, work: Work, filled: Filled, asks: &mut Asks) {
        let PartitionId { level: id, partition } = work.id;
        let mut level = self.take_level(id);
        let stats = &mut level.stats;
        Timing::add(filled.nanos, stats.partitions_hydrated, &mut stats.hydrate_nanos);
        stats.partitions_hydrated += 1;
        stats.hydrate_rows_in += filled.reads.rows;
        stats.probes += filled.reads.probes;
        stats.hydrate_rows_out += filled.window.rows().len() as u64;
        let held = level.partition_mut(partition);
        held.window = filled.window;
        held.batch.unfilled = false;
        if let Step::Far(far) = work.step {
            held.junction = Some(Box::new(Reached::new(far, filled.members)));
        }
        self.note_shown(id, &level, level.partition(partition), true);
        self.note_violation(id, &level, partition);
        self.put_level(id, level);
        for (child, ask) in filled.asks {
            asks.entry(child).or_default().push(ask);
        }
    }
}

/// What the rows of a window that is put in ask for.
fn asks_of(
    level: &Level,
    work: &Work,
    window: &Window,
    binding: &Binding,
) -> SmallVec<[(LevelId, Ask); 4]> {
    let mut asks = SmallVec::new();
    if window.is_empty() {
        return asks;
    }
    let mut route = KeyBuffer::new();
    for slot in row_slots(level) {
        let edge = &level.edges[usize::from(slot)];
        let child = &binding.children[usize::from(slot)];
        let mut routes = SmallVec::new();
        for (key, row) in window.rows().iter() {
            if child_route(&edge.columns, row, child, &mut route) {
                routes.push((Key::from_slice(&route), Key::from_slice(key)));
            }
        }
        if !routes.is_empty() {
            let parent = Some((work.id, slot));
            let ask = Ask { parent, binding: Arc::clone(child), routes, plan: work.plan };
            asks.push((edge.child, ask));
        }
    }
    asks
}
