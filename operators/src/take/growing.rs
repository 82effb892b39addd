//! Windows that are filled step by step.

use super::{Bounds, Edge, Window};
use crate::key::Key;
use crate::row::Row;

impl Window {
    /// A window that is to be filled step by step.
    pub(crate) fn growing() -> Window {
        let bounds = Bounds { edge: Edge::At(Key::default()), growing: true, ..Bounds::NONE };
        Window { bounds: Some(Box::new(bounds)), ..Window::new() }
    }

    /// Whether the window is still being filled: its rows are the first of its partition, but
    /// perhaps not as many as it takes.
    pub(crate) fn is_growing(&self) -> bool {
        self.bounds().growing
    }

    /// Takes in the next rows of a window that grows, read up to the new edge, and logs them.
    pub(crate) fn grow(&mut self, rows: Vec<(Key, Row)>, edge: Edge, is_complete: bool) {
        self.log_mut(self.rows.is_empty());
        for (key, row) in rows {
            self.insert(key, row);
        }
        self.set_edge(edge);
        if is_complete {
            self.end_growth();
        }
    }

    /// There is nothing left to read.
    pub(super) fn end_growth(&mut self) {
        if let Some(bounds) = &mut self.bounds {
            bounds.growing = false;
        }
    }
}
