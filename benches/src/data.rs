//! The data and the change streams of the workloads, the same in any language.
//!
//! Ids are numbers here; [`issue_id`] and its relatives give their text. Every generator draws in
//! the order stated at its function, so that another implementation can follow it draw by draw.

/// The instant that all times count from, in milliseconds.
pub const T0: i64 = 1_700_000_000_000;
/// The `modified` of the first edit and the `created` of the first added comment.
pub const EDITS_FROM: i64 = 1_702_000_000_000;

const WORDS: [&str; 16] = [
    "alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet",
    "kilo", "lima", "mike", "november", "oscar", "papa",
];

/// The generator of all draws: a linear congruence over 32 bits.
#[derive(Clone, Debug)]
pub struct Draws(u32);

impl Draws {
    /// A generator started at a seed.
    pub fn new(seed: u32) -> Draws {
        Draws(seed)
    }

    /// The next draw, below `n`.
    #[inline]
    pub fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) % n
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.below(16) as usize]
    }
}

/// How many rows each table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of `user`.
    pub users: u32,
    /// Rows of `issue`.
    pub issues: u32,
    /// Rows of `comment`.
    pub comments: u32,
    /// Rows of `label`.
    pub labels: u32,
    /// Rows of `issueLabel`.
    pub issue_labels: u32,
}

impl Sizes {
    /// The sizes of the reference, all times `scale`.
    pub fn scaled(scale: u32) -> Sizes {
        Sizes::tenths(10 * scale)
    }

    /// The sizes of the reference times so many tenths. Labels do not become fewer: label 7 is asked
    /// for.
    pub fn tenths(tenths: u32) -> Sizes {
        Sizes {
            users: 100 * tenths,
            issues: 10_000 * tenths,
            comments: 30_000 * tenths,
            labels: (5 * tenths).max(50),
            issue_labels: 20_000 * tenths,
        }
    }

    /// The rows of all tables together.
    pub fn rows(&self) -> u32 {
        self.users + self.issues + self.comments + self.labels + self.issue_labels
    }
}

/// A row of `issue`; its number is its position.
#[derive(Clone, Debug, PartialEq)]
pub struct Issue {
    /// `title`.
    pub title: String,
    /// `open`.
    pub open: bool,
    /// `modified`, in milliseconds.
    pub modified: i64,
    /// `created`, in milliseconds.
    pub created: i64,
    /// The number of the user in `ownerId`.
    pub owner: u32,
    /// `priority`, 0 to 9.
    pub priority: u32,
}

/// A row of `comment`.
#[derive(Clone, Debug, PartialEq)]
pub struct Comment {
    /// The number of the issue in `issueId`.
    pub issue: u32,
    /// The number of the user in `authorId`.
    pub author: u32,
    /// `created`, in milliseconds.
    pub created: i64,
    /// `body`.
    pub body: String,
}

/// The five tables.
#[derive(Clone, Debug)]
pub struct Data {
    /// How many rows there are.
    pub sizes: Sizes,
    /// `issue`, by number.
    pub issues: Vec<Issue>,
    /// `comment`, by number.
    pub comments: Vec<Comment>,
    /// `issueLabel` as (issue, label), in the order drawn.
    pub issue_labels: Vec<(u32, u32)>,
}

impl Data {
    /// Draws all tables. `user` and `label` need no draws and are made from their numbers.
    pub fn generate(sizes: Sizes) -> Data {
        let mut draws = Draws::new(2);
        let issues = (0..sizes.issues).map(|i| Issue::draw(&mut draws, &sizes, i)).collect();
        let mut draws = Draws::new(3);
        let comments = (0..sizes.comments).map(|i| Comment::draw(&mut draws, &sizes, i)).collect();
        Data { sizes, issues, comments, issue_labels: draw_issue_labels(&sizes) }
    }
}

impl Issue {
    /// Draws owner, open, modified, created, priority and the two words of the title.
    fn draw(draws: &mut Draws, sizes: &Sizes, i: u32) -> Issue {
        let owner = draws.below(sizes.users);
        let open = draws.below(10) < 6;
        let modified = T0 + i64::from(draws.below(10_000_000)) * 100;
        let created = modified - i64::from(draws.below(10_000_000)) * 50;
        let priority = draws.below(10);
        let (first, second) = (draws.word(), draws.word());
        Issue { title: format!("{first} {second} {i}"), open, modified, created, owner, priority }
    }
}

impl Comment {
    /// Draws issue, author, created and the three words of the body.
    fn draw(draws: &mut Draws, sizes: &Sizes, i: u32) -> Comment {
        let issue = draws.below(sizes.issues);
        let author = draws.below(sizes.users);
        let created = T0 + i64::from(draws.below(10_000_000)) * 100;
        let (first, second, third) = (draws.word(), draws.word(), draws.word());
        Comment { issue, author, created, body: format!("{first} {second} {third} {i}") }
    }
}

/// Draws issue and label again and again, skipping pairs already present; ends early only where
/// there are no more pairs.
fn draw_issue_labels(sizes: &Sizes) -> Vec<(u32, u32)> {
    let count = sizes.issue_labels.min(sizes.issues.saturating_mul(sizes.labels)) as usize;
    let mut draws = Draws::new(5);
    let mut present = PairSet::new(sizes);
    let mut pairs = Vec::with_capacity(count);
    while pairs.len() < count {
        let pair = (draws.below(sizes.issues), draws.below(sizes.labels));
        if present.flip(pair) {
            pairs.push(pair);
        } else {
            present.flip(pair);
        }
    }
    pairs
}

/// Which (issue, label) pairs are present, one bit each.
struct PairSet {
    labels: usize,
    bits: Vec<u64>,
}

impl PairSet {
    fn new(sizes: &Sizes) -> PairSet {
        let labels = sizes.labels as usize;
        PairSet { labels, bits: vec![0; (sizes.issues as usize * labels).div_ceil(64)] }
    }

    /// Adds an absent pair or removes a present one; returns whether it is present now.
    fn flip(&mut self, (issue, label): (u32, u32)) -> bool {
        let at = issue as usize * self.labels + label as usize;
        self.bits[at / 64] ^= 1 << (at % 64);
        self.bits[at / 64] & (1 << (at % 64)) != 0
    }
}

/// One change of the *issue edits*: what the issue's `modified` and `open` become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IssueEdit {
    /// The issue.
    pub issue: u32,
    /// Its new `modified`.
    pub modified: i64,
    /// Its `open` after the edit.
    pub open: bool,
}

/// The first `count` *issue edits*: per edit draws the issue and whether `open` flips.
pub fn issue_edits(data: &Data, count: usize) -> Vec<IssueEdit> {
    let mut draws = Draws::new(6);
    let mut open: Vec<bool> = data.issues.iter().map(|issue| issue.open).collect();
    let edit = |k: usize| {
        let issue = draws.below(data.sizes.issues);
        let toggle = draws.below(4) == 0;
        open[issue as usize] ^= toggle;
        IssueEdit { issue, modified: EDITS_FROM + k as i64, open: open[issue as usize] }
    };
    (0..count).map(edit).collect()
}

/// The first `count` *comment adds*: per comment draws whether it goes to an issue in view, which
/// one, and the author. `view` is the issues of the hydrated W2, in order.
pub fn comment_adds(data: &Data, view: &[u32], count: usize) -> Vec<Comment> {
    let mut draws = Draws::new(7);
    let add = |k: usize| {
        let issue = match draws.below(2) {
            0 => view[draws.below(view.len() as u32) as usize],
            _ => draws.below(data.sizes.issues),
        };
        let author = draws.below(data.sizes.users);
        let body = format!("new comment {k}");
        Comment { issue, author, created: EDITS_FROM + k as i64, body }
    };
    (0..count).map(add).collect()
}

/// One change of the *label toggles*.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelToggle {
    /// The issue.
    pub issue: u32,
    /// The label.
    pub label: u32,
    /// Whether the pair is added; otherwise it is removed.
    pub added: bool,
}

/// The first `count` *label toggles*: per toggle draws the label (label 7 for a quarter of them,
/// else a further draw) and the issue.
pub fn label_toggles(data: &Data, count: usize) -> Vec<LabelToggle> {
    let mut draws = Draws::new(8);
    let mut present = PairSet::new(&data.sizes);
    for &pair in &data.issue_labels {
        present.flip(pair);
    }
    let toggle = |_| {
        let label = if draws.below(4) == 0 { 7 } else { draws.below(data.sizes.labels) };
        let issue = draws.below(data.sizes.issues);
        LabelToggle { issue, label, added: present.flip((issue, label)) }
    };
    (0..count).map(toggle).collect()
}

/// The id of a user.
pub fn user_id(user: u32) -> String {
    format!("u{user:04}")
}

/// The id of an issue.
pub fn issue_id(issue: u32) -> String {
    format!("i{issue:06}")
}

/// The id of a comment of the generated table.
pub fn comment_id(comment: u32) -> String {
    format!("c{comment:06}")
}

/// The id of the k-th comment of the *comment adds*.
pub fn added_comment_id(k: usize) -> String {
    format!("n{k:06}")
}

/// The id of a label.
pub fn label_id(label: u32) -> String {
    format!("l{label:02}")
}

/// The name of a label.
pub fn label_name(label: u32) -> String {
    format!("label-{label:02}")
}
