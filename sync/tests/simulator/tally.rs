//! What schedules have done.

/// What schedules have done.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) pokes: u64,
    pub(crate) rests: u64,
    pub(crate) restarts: u64,
    pub(crate) crashes: u64,
    pub(crate) lost_states: u64,
    /// Calls of the store that a crash has undone.
    pub(crate) unkept: u64,
    pub(crate) cuts: u64,
    pub(crate) clears: u64,
    pub(crate) resumed: u64,
    pub(crate) behind: u64,
    pub(crate) mutations: u64,
    pub(crate) deletes: u64,
    pub(crate) expired: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.pokes += other.pokes;
        self.rests += other.rests;
        self.restarts += other.restarts;
        self.crashes += other.crashes;
        self.lost_states += other.lost_states;
        self.unkept += other.unkept;
        self.cuts += other.cuts;
        self.clears += other.clears;
        self.resumed += other.resumed;
        self.behind += other.behind;
        self.mutations += other.mutations;
        self.deletes += other.deletes;
        self.expired += other.expired;
    }
}
