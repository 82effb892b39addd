//! Making nodes and derived tables, sharing those that are live, and dropping those that nothing
//! needs.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::aggregate::Aggregate;
use super::arrange::Arrangement;
use super::chain::{Chain, Reader};
use super::derived::{DerivedTable, Way};
use super::distinct::Distinct;
use super::flow::{Flow, NodeId};
use super::made_of::MadeOf;
use super::map::Projection;
use super::node::{Node, NodeStats, Operator};
use super::optimise::{is_unique, optimised};
use super::plan::{Derived, Relation};
use super::store::Store;
use super::top::Top;
use crate::row::Row;
use crate::source::{ScanId, ScanShape, Source, SourceError};

impl Flow {
    /// The number of a derived table, made with all nodes below it where it is not live; counts
    /// one more user.
    ///
    /// # Errors
    /// A failing source; everything is then as before.
    pub(crate) fn acquire_table(
        &mut self,
        source: &mut dyn Source,
        plan: &Arc<Derived>,
    ) -> Result<u32, SourceError> {
        if let Some(&number) = self.tables.by_plan.get(plan) {
            if let Some(table) = self.tables.get_mut(number) {
                table.users += 1;
            }
            return Ok(number);
        }
        let relation = optimised(source.schema(), &plan.relation);
        let is_unique = is_unique(source.schema(), &relation, &plan.key);
        let node = self.acquire(source, &relation)?;
        let number = self.tables.add(Arc::clone(plan), Chain::of(&relation), is_unique, node);
        self.node_mut(node).tables.push(number);
        Ok(number)
    }

    /// Gives back one use of a derived table; it goes with the last.
    pub(crate) fn release_table(&mut self, source: &mut dyn Source, number: u32) {
        let Some(table) = self.tables.get_mut(number) else { return };
        table.users -= 1;
        if table.users == 0
            && let Some(table) = self.tables.remove(number)
        {
            self.node_mut(table.node).tables.retain(|other| *other != number);
            self.drop_unused(source, table.node);
        }
    }

    /// Prepares a read of a derived table; the table lives as long as its prepared reads.
    ///
    /// # Errors
    /// A failing source, or an order that does not tell rows apart.
    pub(crate) fn prepare(
        &mut self,
        source: &mut dyn Source,
        number: u32,
        shape: &ScanShape,
    ) -> Result<ScanId, SourceError> {
        if let Some(&id) = self.tables.by_shape.get(shape) {
            if let Some(scan) = self.tables.scan_mut(id) {
                scan.users += 1;
            }
            return Ok(id);
        }
        let refused = |reason: &str| SourceError {
            context: format!("derived table {number}"),
            reason: reason.to_owned(),
        };
        let Some(table) = self.tables.get(number) else {
            return Err(refused("it is not live; subscribe to a plan that names it"));
        };
        let reader = match &table.chain {
            Some(chain) => Reader::prepare(source, chain, &shape.equal, Some(&shape.order))?,
            None => None,
        };
        let way = match reader {
            Some(reader) => Way::Virtual(reader),
            None => {
                let ordered = |column: &usize| shape.order.iter().any(|(other, _)| other == column);
                if !table.plan.key.iter().all(ordered) {
                    return Err(refused("the order of a read lacks a column of the key"));
                }
                let fresh = match &table.store {
                    Some(_) => None,
                    None => Some(self.stored(source, table, table.new_store())?),
                };
                let Some(table) = self.tables.get_mut(number) else {
                    return Err(refused("it is not live"));
                };
                if fresh.is_some() {
                    table.store = fresh;
                }
                Way::Stored(table.store.as_mut().map_or(0, |store| store.acquire(shape)))
            }
        };
        if let Some(table) = self.tables.get_mut(number) {
            table.users += 1;
        }
        Ok(self.tables.add_scan(shape, way))
    }

    /// Gives back one use of a prepared read.
    pub(crate) fn release_scan(&mut self, source: &mut dyn Source, id: ScanId) {
        let Some(scan) = self.tables.scan_mut(id) else { return };
        scan.users -= 1;
        if scan.users > 0 {
            return;
        }
        let Some(scan) = self.tables.remove_scan(id) else { return };
        let Some(number) = scan.shape.table.derived_number() else { return };
        match scan.way {
            Way::Virtual(reader) => reader.release(source),
            Way::Stored(slot) => {
                if let Some(table) = self.tables.get_mut(number)
                    && let Some(store) = &mut table.store
                {
                    store.release(slot);
                    if store.is_unused() {
                        table.store = None;
                    }
                }
            }
        }
        self.release_table(source, number);
    }

    /// The rows of a table, loaded into an empty store.
    pub(super) fn stored(
        &self,
        source: &dyn Source,
        table: &DerivedTable,
        mut store: Store,
    ) -> Result<Store, SourceError> {
        let _ = self.evaluate(source, table.node, &mut |row, count| {
            store.load(row, count);
            Ok(ControlFlow::Continue(()))
        })?;
        store.loaded();
        Ok(store)
    }

    /// The node of a relation, made with all nodes below it where it is not live. The caller
    /// notes its use.
    fn acquire(
        &mut self,
        source: &mut dyn Source,
        plan: &Arc<Relation>,
    ) -> Result<NodeId, SourceError> {
        if let Some(&id) = self.by_plan.get(plan) {
            return Ok(id);
        }
        let made_of = MadeOf::of(plan);
        let mut inputs = Vec::new();
        let mut outcome = Ok(());
        for input in made_of.inputs(plan) {
            match self.acquire(source, input) {
                Ok(input) => inputs.push(input),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let made = outcome.and_then(|()| self.make(source, plan, made_of, &inputs));
        match made {
            Ok(operator) => Ok(self.install(plan, operator, inputs)),
            Err(error) => {
                inputs.into_iter().for_each(|input| self.drop_unused(source, input));
                Err(error)
            }
        }
    }

    fn install(&mut self, plan: &Arc<Relation>, operator: Operator, inputs: Vec<NodeId>) -> NodeId {
        let id = NodeId(self.free.pop().unwrap_or(self.nodes.len() as u32));
        let height = inputs.iter().map(|input| self.node(*input).height + 1).max().unwrap_or(0);
        for input in &inputs {
            self.node_mut(*input).parents.push(id);
        }
        if let Operator::Scan(reader) = &operator {
            let (table, equal) = reader.scanned();
            self.routes.add(table, equal, reader.chain().reads(), id);
        }
        let node = Node {
            plan: Arc::clone(plan),
            operator,
            inputs,
            parents: Vec::new(),
            tables: Vec::new(),
            height,
            arrangements: Vec::new(),
            out: Vec::new(),
            reached: false,
            applied: false,
            stats: NodeStats::default(),
        };
        if id.0 as usize == self.nodes.len() {
            self.nodes.push(None);
        }
        self.put_node(id, Box::new(node));
        self.by_plan.insert(Arc::clone(plan), id);
        id
    }

    /// Drops a node that nothing uses, and then its inputs likewise.
    fn drop_unused(&mut self, source: &mut dyn Source, id: NodeId) {
        let Some(Some(node)) = self.nodes.get(id.0 as usize) else { return };
        if !node.parents.is_empty() || !node.tables.is_empty() {
            return;
        }
        let node = self.take_node(id);
        self.free.push(id.0);
        self.by_plan.remove(&node.plan);
        match node.operator {
            Operator::Scan(reader) => {
                let (table, equal) = reader.scanned();
                self.routes.remove(table, equal, id);
                reader.release(source);
            }
            Operator::LeftJoin(join) => {
                self.release_side(source, join.left);
                self.release_side(source, join.right);
            }
            Operator::DeltaJoin(join) => self.release_paths(source, join.paths),
            _ => {}
        }
        for input in &node.inputs {
            let parents = &mut self.node_mut(*input).parents;
            if let Some(at) = parents.iter().position(|parent| *parent == id) {
                parents.swap_remove(at);
            }
        }
        // An input that is there twice is dropped at the first.
        for input in node.inputs {
            self.drop_unused(source, input);
        }
    }

    /// The operator of a relation over live inputs, with its state.
    fn make(
        &mut self,
        source: &mut dyn Source,
        plan: &Relation,
        made_of: MadeOf,
        inputs: &[NodeId],
    ) -> Result<Operator, SourceError> {
        let mut operator = match made_of {
            MadeOf::Chain(chain) => {
                let reader = Reader::prepare(source, &chain, &[], None)?;
                let reason = "a relation holds a column equal to two values";
                return Ok(Operator::Scan(reader.ok_or_else(|| SourceError {
                    context: "a relation".to_owned(),
                    reason: reason.to_owned(),
                })?));
            }
            MadeOf::Join(fused) => return self.make_join(source, *fused, inputs),
            MadeOf::Inputs => match plan {
                Relation::Rows(rows) => {
                    Operator::Rows(rows.iter().map(|values| Row::new(values)).collect())
                }
                Relation::Map { columns, .. } => Operator::Map(Projection::new(columns.clone())),
                Relation::Filter { condition, .. } => Operator::Filter(condition.clone()),
                Relation::Aggregate { group, functions, .. } => {
                    Operator::Aggregate(Box::new(Aggregate::new(group.clone(), functions.clone())))
                }
                Relation::Distinct { .. } => Operator::Distinct(Box::new(Distinct::new())),
                Relation::Top { group, order, offset, limit, .. } => {
                    Operator::Top(Box::new(Top::new(group.clone(), order.clone(), *offset, *limit)))
                }
                // Scans are chains, and joins are fused.
                Relation::Union { .. } | Relation::Scan { .. } | Relation::Join { .. } => {
                    Operator::Union
                }
            },
        };
        if operator.has_state() {
            self.load(source, &mut operator, inputs[0])?;
        }
        Ok(operator)
    }

    /// Loads an empty operator.
    pub(super) fn load(
        &self,
        source: &dyn Source,
        operator: &mut Operator,
        input: NodeId,
    ) -> Result<(), SourceError> {
        let _ = self.evaluate(source, input, &mut |row, count| {
            operator.load(row, count);
            Ok(ControlFlow::Continue(()))
        })?;
        operator.loaded();
        Ok(())
    }

    /// Loads an empty arrangement of a node.
    pub(super) fn arranged(
        &self,
        source: &dyn Source,
        node: NodeId,
        mut arrangement: Arrangement,
    ) -> Result<Arrangement, SourceError> {
        let _ = self.evaluate(source, node, &mut |row, count| {
            arrangement.add(row, count);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(arrangement)
    }
}
