//! What is known of the values of an expression.

use std::ops::BitOr;

/// Kinds of values that an expression may have, and what makes equal values look different.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds(u8);

impl Kinds {
    pub(crate) const NONE: Kinds = Kinds(0);
    pub(crate) const INT: Kinds = Kinds(1);
    /// Reals, integral ones too.
    pub(crate) const REAL: Kinds = Kinds(2);
    /// Reals that are not integral.
    pub(crate) const FRACTION: Kinds = Kinds(4);
    pub(crate) const TEXT: Kinds = Kinds(8);
    pub(crate) const BLOB: Kinds = Kinds(16);
    /// Texts that compare without regard to case.
    pub(crate) const NOCASE: Kinds = Kinds(32);
    /// Reals that have been rounded, so that their sum depends on the order.
    pub(crate) const ROUNDED: Kinds = Kinds(64);

    pub(crate) fn has(self, kinds: Kinds) -> bool {
        self.0 & kinds.0 != 0
    }

    pub(crate) fn without(self, kinds: Kinds) -> Kinds {
        Kinds(self.0 & !kinds.0)
    }

    /// Whether an integer may equal a real.
    pub(crate) fn mixed(self) -> bool {
        self.has(Kinds::INT) && self.has(Kinds::REAL)
    }

    /// Whether texts may be equal that are not the same.
    pub(crate) fn folded(self) -> bool {
        self.has(Kinds::NOCASE)
    }

    /// What arithmetic with two operands gives.
    pub(crate) fn arithmetic(self, other: Kinds) -> Kinds {
        let any = Kinds::TEXT | Kinds::BLOB;
        let int = self.has(Kinds::INT | any) && other.has(Kinds::INT | any);
        let real = (self | other).has(Kinds::REAL | Kinds::FRACTION | any);
        let int = if int { Kinds::INT } else { Kinds::NONE };
        let real = if real { Kinds::REAL } else { Kinds::NONE };
        int | real | Kinds((self.0 | other.0) & (Kinds::ROUNDED.0 | Kinds::NOCASE.0))
    }
}

impl BitOr for Kinds {
    type Output = Kinds;

    fn bitor(self, other: Kinds) -> Kinds {
        Kinds(self.0 | other.0)
    }
}
