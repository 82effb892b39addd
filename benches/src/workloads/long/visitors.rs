//! Live queries that come and go: of known shapes with other constants, and of shapes not seen
//! before.

use std::collections::VecDeque;

use penstock::query::count;
use penstock::{Asc, Database, Desc, Error, Query, Related, Subscription, col};

use super::super::{live::take_changes, queries};
use crate::data::{Data, Draws, EDITS_FROM, user_id};

/// How many are live at once.
const LIVE: usize = 16;

/// The live queries, the oldest first.
pub(super) struct Visitors {
    draws: Draws,
    users: u32,
    issues: u32,
    came: u32,
    live: VecDeque<Subscription>,
}

impl Visitors {
    pub(super) fn new(data: &Data) -> Visitors {
        let (users, issues) = (data.sizes.users, data.sizes.issues);
        Visitors { draws: Draws::new(15), users, issues, came: 0, live: VecDeque::new() }
    }

    /// The oldest goes, another comes.
    pub(super) fn next(&mut self, db: &Database) -> Result<(), Error> {
        if self.live.len() == LIVE {
            self.live.pop_front();
        }
        let query = self.query();
        self.live.push_back(db.subscribe(query)?);
        self.came += 1;
        Ok(())
    }

    /// Reads what changed; those at one place in four are not read there.
    pub(super) fn read(&mut self) {
        for (_, subscription) in self.live.iter_mut().enumerate().filter(|(at, _)| at % 4 != 3) {
            take_changes(subscription);
        }
    }

    /// Most are cheap to hydrate; those that read a whole table come now and then.
    fn query(&mut self) -> Query {
        let came = self.came;
        let owner = self.draws.below(self.users);
        match came % 256 {
            63 => {
                let priority = self.draws.below(10);
                let of_priority = Query::table("issue").filter(col("priority").eq(priority));
                let groups = of_priority.group_by(["ownerId"]).aggregate("issues", count());
                groups.order_by("ownerId", Asc)
            }
            127 => {
                let issues: Vec<u32> = (0..5).map(|_| self.draws.below(self.issues)).collect();
                queries::pinned(&issues)
            }
            191 => Query::sql(
                "SELECT ownerId, count(*) AS issues FROM issue WHERE priority > ?1
                 GROUP BY ownerId ORDER BY issues DESC, ownerId LIMIT 10",
            )
            .bind([i64::from(self.draws.below(10))]),
            _ => match came % 6 {
                0 => queries::of_owner(owner),
                1 => queries::discussion(self.draws.below(self.issues)),
                // A limit and a literal of a range that no query had before.
                2 => queries::list().limit(10 + came as usize % 100),
                3 => queries::list().filter(col("modified").gt(EDITS_FROM - i64::from(came))),
                4 => {
                    let comments = Related::many("comment").on("id", "issueId");
                    let comments = comments.order_by("created", Desc).limit(3);
                    queries::of_owner(owner).limit(5).related("comments", comments)
                }
                _ => {
                    let owners: Vec<String> =
                        (0..3).map(|i| user_id((owner + i) % self.users)).collect();
                    queries::list().filter(col("ownerId").in_(owners)).limit(5)
                }
            },
        }
    }
}
