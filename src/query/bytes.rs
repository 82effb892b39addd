//! How many bytes a stated query holds.

use std::mem::size_of;

use penstock_operators::value::Value;

use super::form::{Body, Hop, Node, StartAt, Target, Term};
use super::{Query, Related, ViewFormat, ViewRelationship};

/// What an `Arc` keeps beside its content.
const COUNTS: usize = 2 * size_of::<usize>();

impl Query {
    /// Bytes on the heap, without those of a constant's text that others share. Cost: O(query).
    pub(crate) fn heap_bytes(&self) -> usize {
        self.table.capacity()
            + body(&self.body)
            + self.sql.as_ref().map_or(0, |statement| statement.bytes())
    }

    /// Gives back the room that building the query left.
    pub(crate) fn shrink(&mut self) {
        let body = &mut self.body;
        body.filters.shrink_to_fit();
        body.order.shrink_to_fit();
        body.related.shrink_to_fit();
        body.aggregates.shrink_to_fit();
        body.having.shrink_to_fit();
    }
}

impl ViewFormat {
    /// Bytes on the heap, where it is in an `Arc`.
    pub(crate) fn shared_bytes(&self) -> usize {
        let below =
            |related: &ViewRelationship| related.name.capacity() + related.format.shared_bytes();
        COUNTS + size_of::<ViewFormat>() + list(&self.relationships, below)
    }
}

/// A list with what each of its entries holds.
fn list<T>(entries: &Vec<T>, bytes: impl Fn(&T) -> usize) -> usize {
    entries.capacity() * size_of::<T>() + entries.iter().map(bytes).sum::<usize>()
}

fn body(body: &Body) -> usize {
    list(&body.filters, node)
        + list(&body.order, |(column, _)| column.capacity())
        + body.start.as_ref().map_or(0, start)
        + list(&body.related, |(name, below)| name.capacity() + related(below))
        + body.group_by.as_ref().map_or(0, |columns| list(columns, String::capacity))
        + list(&body.aggregates, |aggregated| {
            aggregated.name.capacity()
                + aggregated.aggregate.column.as_ref().map_or(0, String::capacity)
                + aggregated.of.as_ref().map_or(0, related)
        })
        + list(&body.having, node)
}

fn start(start: &StartAt) -> usize {
    list(&start.values, |(column, bound)| column.capacity() + bound.heap_bytes())
}

fn related(related: &Related) -> usize {
    let target = match &related.target {
        Target::Declared(name) => name.as_ref().map_or(0, String::capacity),
        Target::Hops { hops, .. } => list(hops, hop),
    };
    target + body(&related.body)
}

fn hop(hop: &Hop) -> usize {
    let on = list(&hop.on, |(near, far)| near.capacity() + far.capacity());
    hop.table.capacity() + on + list(&hop.filters, node)
}

fn node(node: &Node) -> usize {
    match node {
        Node::Compare { left, right, .. } => term(left) + term(right),
        Node::And(all) | Node::Or(all) => list(all, self::node),
        Node::Not(inner) => size_of::<Node>() + self::node(inner),
        Node::Exists { related: below, name, .. } => {
            name.capacity() + size_of::<Related>() + related(below)
        }
    }
}

fn term(term: &Term) -> usize {
    match term {
        Term::Column(name) | Term::Param(name) => name.capacity(),
        Term::Literal(literal) => literal.heap_bytes(),
        Term::List(values) => list(values, Value::heap_bytes),
        Term::Static { anchor, field } => anchor.capacity() + list(field, String::capacity),
    }
}
