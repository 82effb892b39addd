//! Patches as applications read them: what one transaction changed in a result.

use std::fmt;
use std::sync::Arc;

use penstock_operators::row::Row;
use penstock_operators::schema::{Schema, TableId};
use penstock_operators::view::{ListPatch, Op};
use smallvec::SmallVec;

use crate::feed::Committed;
use crate::query::ViewFormat;
use crate::tree::{Entry, RowView, Tree};

/// What one transaction changed in one live result.
///
/// Applied to the result before the transaction ([`Tree::apply`]) it gives the result after it.
#[derive(Clone)]
pub struct Patch {
    context: Arc<PatchContext>,
    content: Content,
}

/// What a patch needs to show names; one for all patches of a subscription.
pub(crate) struct PatchContext {
    pub(crate) schema: Schema,
    pub(crate) view: Arc<ViewFormat>,
}

#[derive(Clone)]
enum Content {
    Committed(Arc<Committed>),
    Reset(Box<Tree>),
}

/// One change of a result.
#[derive(Clone, Debug)]
pub enum Change {
    /// A row came in, with its related rows.
    Insert {
        /// Where.
        path: Path,
        /// The row, and below it all that came with it.
        entry: Entry,
    },
    /// A row left, and with it all below it.
    Remove {
        /// Where.
        path: Path,
        /// The row as it was.
        row: RowView,
    },
    /// Columns of a row changed; it kept its place.
    Update {
        /// Where.
        path: Path,
        /// The row as it was.
        old: RowView,
        /// The row as it is.
        row: RowView,
    },
    /// A row changed its place in the order (and so at least one column).
    Move {
        /// Where.
        path: Path,
        /// The row as it was.
        old: RowView,
        /// The row as it is.
        row: RowView,
    },
}

/// The way from the root of a result to one of its lists. Empty for the root list itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Path(Vec<Step>);

/// One step down: from a row into one of its relationships.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The row, as it is after the transaction.
    pub row: RowView,
    /// The relationship's name.
    pub relationship: String,
}

/// What a transaction changed in the row set of a result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowChanges {
    /// Rows that entered the set or changed in it, as they are.
    pub puts: Vec<RowView>,
    /// Rows that left it, as they were.
    pub deletes: Vec<RowView>,
}

impl Path {
    /// The steps from the root down.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }
}

impl Patch {
    pub(crate) fn new(context: Arc<PatchContext>, committed: Arc<Committed>) -> Patch {
        Patch { context, content: Content::Committed(committed) }
    }

    pub(crate) fn reset(tree: Tree) -> Patch {
        let context = PatchContext { schema: tree.schema_handle(), view: tree.view_handle() };
        Patch { context: Arc::new(context), content: Content::Reset(Box::new(tree)) }
    }

    /// Bytes that keeping it takes, about.
    pub(crate) fn bytes(&self) -> u64 {
        match &self.content {
            Content::Committed(committed) => committed.bytes,
            Content::Reset(_) => 0,
        }
    }

    /// The patch without the change of the row set, if anything is left.
    pub(crate) fn without_rows(self) -> Option<Patch> {
        let content = match self.content {
            Content::Committed(committed) => Content::Committed(committed.for_subscriber(false)?),
            reset @ Content::Reset(_) => reset,
        };
        Some(Patch { content, ..self })
    }

    /// The commit that made the change, counted from 1; `None` for a reset.
    pub fn version(&self) -> Option<u64> {
        match &self.content {
            Content::Committed(committed) => Some(committed.version),
            Content::Reset(_) => None,
        }
    }

    /// The whole current result, where the subscriber was too far behind to be told the changes.
    /// Then [`changes`](Patch::changes) is empty and this replaces what the subscriber has.
    pub fn reset_tree(&self) -> Option<&Tree> {
        match &self.content {
            Content::Committed(_) => None,
            Content::Reset(tree) => Some(tree),
        }
    }

    /// The change in its inner, nested form, in which unchanged levels are shared.
    pub fn list(&self) -> &ListPatch {
        static EMPTY: ListPatch = ListPatch { ops: Vec::new() };
        match &self.content {
            Content::Committed(committed) => &committed.tree,
            Content::Reset(_) => &EMPTY,
        }
    }

    /// The changes one by one: in each list removals first, then the rest in order; a row before
    /// the rows below it.
    ///
    /// A row that many parents share is listed under each of them.
    pub fn changes(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.flatten(&self.context.view, self.list(), &Path::default(), &mut changes);
        changes
    }

    /// The change of the row set, where the subscription keeps one.
    pub fn rows(&self) -> Option<RowChanges> {
        let Content::Committed(committed) = &self.content else { return None };
        let patch = committed.rows.as_ref()?;
        let view = |(table, row): (TableId, &Row)| self.row(table, row);
        Some(RowChanges {
            puts: patch.puts.iter().map(|((table, _), row)| view((*table, row))).collect(),
            deletes: patch.deletes.iter().map(|((table, _), row)| view((*table, row))).collect(),
        })
    }

    fn row(&self, table: TableId, row: &Row) -> RowView {
        RowView::new(self.context.schema.clone(), table, row.clone())
    }

    fn flatten(
        &self,
        view: &Arc<ViewFormat>,
        list: &ListPatch,
        path: &Path,
        changes: &mut Vec<Change>,
    ) {
        for op in &list.ops {
            let path = path.clone();
            match op {
                Op::Remove { row, .. } => {
                    changes.push(Change::Remove { path, row: self.row(view.table, row) });
                }
                Op::Insert { node } => {
                    let nodes = Arc::from(vec![node.clone()]);
                    let tree = Tree::new(self.context.schema.clone(), Arc::clone(view), nodes);
                    changes.extend(tree.first().map(|entry| Change::Insert { path, entry }));
                }
                Op::Keep { from, key, old, row, related } => {
                    let now = self.row(view.table, row);
                    let before = || self.row(view.table, old);
                    if from != key {
                        let (old, row) = (before(), now.clone());
                        changes.push(Change::Move { path: path.clone(), old, row });
                    } else if old != row {
                        let (old, row) = (before(), now.clone());
                        changes.push(Change::Update { path: path.clone(), old, row });
                    }
                    for (position, list) in related {
                        let relationship = &view.relationships[*position];
                        let mut path = path.clone();
                        path.0.push(Step {
                            row: now.clone(),
                            relationship: relationship.name.clone(),
                        });
                        self.flatten(&relationship.format, list, &path, changes);
                    }
                }
            }
        }
    }
}

/// Patches taken from a subscription, oldest first.
#[derive(Debug)]
pub struct Changes(smallvec::IntoIter<[Patch; 1]>);

impl Changes {
    pub(crate) fn new(patches: SmallVec<[Patch; 1]>) -> Changes {
        Changes(patches.into_iter())
    }
}

impl Iterator for Changes {
    type Item = Patch;

    fn next(&mut self) -> Option<Patch> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Changes {}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.0 {
            let (table, key) = (step.row.table().name(), step.row.describe_key());
            write!(f, "{table}[{key}].{} ", step.relationship)?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Insert { path, entry } => write!(f, "{path}+ {}", entry.row()),
            Change::Remove { path, row } => write!(f, "{path}- {row}"),
            Change::Update { path, old, row } => {
                write!(f, "{path}~ {}: {}", row.describe_key(), Difference(old, row))
            }
            Change::Move { path, old, row } => {
                write!(f, "{path}> {}: {}", row.describe_key(), Difference(old, row))
            }
        }
    }
}

/// The columns that differ between two versions of a row.
struct Difference<'a>(&'a RowView, &'a RowView);

impl fmt::Display for Difference<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (at, column) in self.1.table().columns().iter().enumerate() {
            let at = self.1.table().position(at);
            let (old, new) = (self.0.row().get(at), self.1.row().get(at));
            if old != new {
                write!(f, "{separator}{} {old} → {new}", column.name)?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

impl fmt::Display for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(tree) = self.reset_tree() {
            return write!(f, "= {} rows anew", tree.len());
        }
        for (at, change) in self.changes().iter().enumerate() {
            let separator = if at == 0 { "" } else { "\n" };
            write!(f, "{separator}{change}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Patch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.changes()).finish()
    }
}
