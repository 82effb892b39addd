//! The worker, its dataflows, and the epochs.

use std::time::Instant;

use penstock_benches::check::Check;
use penstock_benches::data::{Data, Sizes};
use penstock_competitors::changes::Change;
use penstock_competitors::child::Engine;
use penstock_competitors::workload::{Kind, Query};
use timely::communication::Allocator;
use timely::communication::allocator::thread::Thread;
use timely::dataflow::ProbeHandle;
use timely::worker::{Config, Worker};

use crate::model::Epoch;
use crate::queries::build;
use crate::tables::{Inputs, Traces};
use crate::view::View;

/// One worker in this thread.
///
/// A query that is hydrated again and again is a dataflow of its own over traces of the tables. One
/// that is live under changes shares the dataflow of the inputs, which then keep no more of the
/// tables than the query needs; it is complete when the tables are filled.
pub(crate) struct Differential {
    worker: Worker,
    inputs: Inputs,
    epoch: Epoch,
    probe: ProbeHandle<Epoch>,
    query: Query,
    sizes: Sizes,
    view: View,
    traces: Option<Traces>,
    dataflow: usize,
}

impl Engine for Differential {
    fn fill(data: &Data, query: Query, kind: Kind) -> Result<Differential, String> {
        let allocator = Allocator::Thread(Thread::default());
        let mut worker = Worker::new(Config::default(), allocator, Some(Instant::now()));
        let mut inputs = Inputs::new();
        let probe = ProbeHandle::new();
        let (view, traces) = worker.dataflow(|scope| {
            let tables = inputs.tables(scope);
            match (query, kind) {
                (Query::Nothing, _) | (_, Kind::Hydrate(_)) => {
                    (View::Nothing, Some(tables.keep(&probe)))
                }
                _ => (build(query, &tables, &probe), None),
            }
        });
        inputs.fill(data);
        let (sizes, dataflow) = (data.sizes, worker.next_dataflow_index());
        let mut engine =
            Differential { worker, inputs, epoch: 0, probe, query, sizes, view, traces, dataflow };
        engine.complete();
        Ok(engine)
    }

    fn hydrate(&mut self) -> Result<(), String> {
        match self.query {
            Query::Owners(queries) => {
                let users = self.sizes.users;
                (0..queries).for_each(|q| self.inputs.queries.insert((q % users, q)));
                self.complete();
            }
            Query::Copies(copies) => {
                (0..copies).for_each(|q| self.inputs.queries.insert((0, q)));
                self.complete();
            }
            _ => {}
        }
        if self.query == Query::Nothing {
            return Ok(());
        }
        if let Some(traces) = &mut self.traces {
            self.dataflow = self.worker.next_dataflow_index();
            let (query, probe) = (self.query, ProbeHandle::new());
            self.view = self.worker.dataflow(|scope| build(query, &traces.import(scope), &probe));
            self.probe = probe;
            self.settle();
        }
        Ok(())
    }

    fn drop_query(&mut self) -> Result<(), String> {
        self.view = View::Nothing;
        self.worker.drop_dataflow(self.dataflow);
        Ok(())
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), String> {
        changes.iter().for_each(|change| self.inputs.write(change));
        self.complete();
        Ok(())
    }

    fn check(&self) -> Check {
        self.view.check(&self.sizes)
    }
}

impl Differential {
    /// Ends the epoch and works until its output is there.
    fn complete(&mut self) {
        self.epoch += 1;
        self.inputs.advance_to(self.epoch);
        self.settle();
        if let Some(traces) = &mut self.traces {
            traces.compact(self.epoch);
        }
    }

    fn settle(&mut self) {
        let (probe, epoch) = (self.probe.clone(), self.epoch);
        self.worker.step_while(|| probe.less_than(&epoch));
    }
}
