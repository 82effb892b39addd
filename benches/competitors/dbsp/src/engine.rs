//! The circuit and its transactions.

use dbsp::{DBSPHandle, RootCircuit, Runtime, ZWeight};
use penstock_benches::check::Check;
use penstock_benches::data::{Data, Sizes};
use penstock_competitors::changes::Change;
use penstock_competitors::child::Engine;
use penstock_competitors::workload::{Kind, Query};

use crate::queries::build;
use crate::tables::Inputs;
use crate::view::View;

/// One circuit, in a runtime of one worker: its traces are merged by threads of a runtime.
///
/// A circuit cannot be extended. A query that is hydrated again and again is therefore there from
/// the beginning, behind a join with a row that says whether it is live.
pub(crate) struct Dbsp {
    circuit: DBSPHandle,
    inputs: Inputs,
    query: Query,
    gated: bool,
    sizes: Sizes,
    view: View,
}

impl Engine for Dbsp {
    fn fill(data: &Data, query: Query, kind: Kind) -> Result<Dbsp, String> {
        let gated = matches!(kind, Kind::Hydrate(_));
        let construct = move |circuit: &mut RootCircuit| {
            let (inputs, tables) = Inputs::new(circuit);
            let view = build(query, &tables, gated);
            Ok((inputs, view))
        };
        let (circuit, (mut inputs, view)) =
            Runtime::init_circuit(1, construct).map_err(|error| error.to_string())?;
        inputs.fill(data);
        let mut engine = Dbsp { circuit, inputs, query, gated, sizes: data.sizes, view };
        engine.complete()?;
        Ok(engine)
    }

    fn hydrate(&mut self) -> Result<(), String> {
        self.queries(1)
    }

    fn drop_query(&mut self) -> Result<(), String> {
        self.queries(-1)
    }

    fn commit(&mut self, changes: &[Change]) -> Result<(), String> {
        changes.iter().for_each(|change| self.inputs.write(change));
        self.complete()
    }

    fn check(&self) -> Check {
        self.view.check(&self.sizes)
    }
}

impl Dbsp {
    /// Adds or removes the queries, where they are rows.
    fn queries(&mut self, weight: ZWeight) -> Result<(), String> {
        let users = self.sizes.users;
        match self.query {
            Query::Owners(queries) => {
                (0..queries).for_each(|q| self.inputs.query(q % users, q, weight));
            }
            Query::Copies(copies) => (0..copies).for_each(|q| self.inputs.query(0, q, weight)),
            _ if self.gated => self.inputs.query(0, 0, weight),
            _ => return Ok(()),
        }
        self.complete()
    }

    fn complete(&mut self) -> Result<(), String> {
        self.circuit.transaction().map_err(|error| error.to_string())?;
        self.view.take();
        Ok(())
    }
}
