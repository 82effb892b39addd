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
use super::join::{Join, Side};
use super::map::Projection;
use super::node::{Node, NodeStats, Operator};
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
        let node = self.acquire(source, &plan.relation)?;
        let number = self.tables.add(Arc::clone(plan), node);
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
                    None => Some(self.stored(source, table, Store::new(table.key.clone()))?),
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
        let mut inputs = Vec::new();
        let mut outcome = Ok(());
        for input in plan.inputs() {
            match self.acquire(source, input) {
                Ok(input) => inputs.push(input),
                Err(error) => {
                    outcome = Err(error);
                    break;
                }
            }
        }
        let made = outcome.and_then(|()| self.make(source, plan, &inputs));
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
        if let Relation::Scan { table, equal } = &**plan {
            self.routes.add(*table, equal, id);
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
                reader.release(source);
                if let Relation::Scan { table, equal } = &*node.plan {
                    self.routes.remove(*table, equal, id);
                }
            }
            Operator::Join(join) => {
                self.release_side(source, join.left);
                self.release_side(source, join.right);
            }
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
        inputs: &[NodeId],
    ) -> Result<Operator, SourceError> {
        let mut operator = match plan {
            Relation::Scan { .. } => {
                let chain = Chain::of(plan);
                let reader = match &chain {
                    Some(chain) => Reader::prepare(source, chain, &[], None)?,
                    None => None,
                };
                let reason = "a relation holds a column equal to two values";
                Operator::Scan(reader.ok_or_else(|| SourceError {
                    context: "a relation".to_owned(),
                    reason: reason.to_owned(),
                })?)
            }
            Relation::Rows(rows) => {
                Operator::Rows(rows.iter().map(|values| Row::new(values)).collect())
            }
            Relation::Map { columns, .. } => Operator::Map(Projection::new(columns.clone())),
            Relation::Filter { condition, .. } => Operator::Filter(condition.clone()),
            Relation::Union { .. } => Operator::Union,
            Relation::Join { kind, left, left_width, right, right_width, on, residual } => {
                let (left_key, right_key): (Vec<usize>, Vec<usize>) = on.iter().copied().unzip();
                let left = self.side(source, left, inputs[0], &left_key)?;
                let right = match self.side(source, right, inputs[1], &right_key) {
                    Ok(right) => right,
                    Err(error) => {
                        self.release_side(source, left);
                        return Err(error);
                    }
                };
                Operator::Join(Box::new(Join {
                    kind: *kind,
                    left,
                    right,
                    left_key,
                    right_key,
                    left_width: *left_width,
                    right_width: *right_width,
                    residual: residual.clone(),
                }))
            }
            Relation::Aggregate { group, functions, .. } => {
                Operator::Aggregate(Box::new(Aggregate::new(group.clone(), functions.clone())))
            }
            Relation::Distinct { .. } => Operator::Distinct(Box::new(Distinct::new())),
            Relation::Top { group, order, offset, limit, .. } => {
                Operator::Top(Box::new(Top::new(group.clone(), order.clone(), *offset, *limit)))
            }
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

    /// The way to the rows of a side by some of its columns: the source's own index where the side
    /// is a table, an arrangement otherwise.
    fn side(
        &mut self,
        source: &mut dyn Source,
        relation: &Relation,
        node: NodeId,
        columns: &[usize],
    ) -> Result<Side, SourceError> {
        if let Some(chain) = Chain::of(relation)
            && let Some(reader) = Reader::prepare(source, &chain, columns, None)?
        {
            return Ok(Side::Read(reader));
        }
        let arrangements = &mut self.node_mut(node).arrangements;
        let known =
            |kept: &Option<Arrangement>| kept.as_ref().is_some_and(|kept| kept.columns == columns);
        if let Some(slot) = arrangements.iter().position(known) {
            arrangements[slot].iter_mut().for_each(|arrangement| arrangement.users += 1);
            return Ok(Side::Kept { node, slot });
        }
        let arrangement = self.arranged(source, node, Arrangement::new(columns.to_vec()))?;
        let arrangements = &mut self.node_mut(node).arrangements;
        let slot = arrangements.iter().position(Option::is_none).unwrap_or(arrangements.len());
        if slot == arrangements.len() {
            arrangements.push(None);
        }
        arrangements[slot] = Some(arrangement);
        Ok(Side::Kept { node, slot })
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

    fn release_side(&mut self, source: &mut dyn Source, side: Side) {
        match side {
            Side::Read(reader) => reader.release(source),
            Side::Kept { node, slot } => {
                let kept = &mut self.node_mut(node).arrangements[slot];
                if let Some(arrangement) = kept {
                    arrangement.users -= 1;
                    if arrangement.users == 0 {
                        *kept = None;
                    }
                }
            }
        }
    }
}
