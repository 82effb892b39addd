//! Whether a server is the one that was read from, with everything that was received.

use super::continuity::Resume;
use super::fault::Lost;
use super::transport::Opened;
use crate::lsn::Lsn;
use crate::setup::TimelineHistory;

/// What a server says of itself before it is read from.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    pub(super) identifier: u64,
    pub(super) timeline: u32,
    /// Where its log ends.
    pub(super) end: Lsn,
    /// Its history, if its timeline is not the consumer's.
    pub(super) history: TimelineHistory,
    /// Where the slot stands, if there is one.
    pub(super) confirmed: Option<Lsn>,
    /// Why the slot is of no use, if it is not.
    pub(super) slot_lost: Option<String>,
}

/// Compares what the server says with what the consumer knows.
pub(super) fn recognise(resume: &Resume, slot: &str, answers: &Answers) -> Result<Opened, Lost> {
    let position = resume.position;
    if answers.identifier != resume.system {
        return Err(Lost::OtherSystem { expected: resume.system, found: answers.identifier });
    }
    if answers.timeline != resume.timeline && !answers.history.holds(resume.timeline, position) {
        let (timeline, found) = (resume.timeline, answers.timeline);
        return Err(Lost::OtherTimeline { timeline, found, position });
    }
    if answers.end < position {
        return Err(Lost::ServerBehind { end: answers.end, position });
    }
    let slot = slot.to_owned();
    let Some(confirmed) = answers.confirmed else { return Err(Lost::SlotGone { slot }) };
    if let Some(reason) = &answers.slot_lost {
        return Err(Lost::SlotInvalidated { slot, reason: reason.clone() });
    }
    if confirmed > position {
        return Err(Lost::SlotAhead { slot, confirmed, position });
    }
    Ok(Opened { timeline: answers.timeline, confirmed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_to_lose_something_is_told_apart() {
        let resume = Resume { system: 1, timeline: 2, position: Lsn(100), last: None };
        let fine = Answers {
            identifier: 1,
            timeline: 2,
            end: Lsn(200),
            history: TimelineHistory::default(),
            confirmed: Some(Lsn(90)),
            slot_lost: None,
        };
        let ask = |answers: Answers| recognise(&resume, "s", &answers);
        assert_eq!(ask(fine.clone()), Ok(Opened { timeline: 2, confirmed: Lsn(90) }));
        let slot = || "s".to_owned();
        let position = Lsn(100);
        let lost = [
            (
                Answers { identifier: 9, ..fine.clone() },
                Lost::OtherSystem { expected: 1, found: 9 },
            ),
            (
                Answers { timeline: 3, ..fine.clone() },
                Lost::OtherTimeline { timeline: 2, found: 3, position },
            ),
            (
                Answers { end: Lsn(99), ..fine.clone() },
                Lost::ServerBehind { end: Lsn(99), position },
            ),
            (Answers { confirmed: None, ..fine.clone() }, Lost::SlotGone { slot: slot() }),
            (
                Answers { slot_lost: Some("old".into()), ..fine.clone() },
                Lost::SlotInvalidated { slot: slot(), reason: "old".into() },
            ),
            (
                Answers { confirmed: Some(Lsn(101)), ..fine.clone() },
                Lost::SlotAhead { slot: slot(), confirmed: Lsn(101), position },
            ),
        ];
        for (answers, expected) in lost {
            assert_eq!(ask(answers), Err(expected));
        }
        // A fail-over that kept everything which was received.
        let history = TimelineHistory { left_at: vec![(2, Lsn(100))] };
        let opened = ask(Answers { timeline: 3, history, ..fine });
        assert_eq!(opened, Ok(Opened { timeline: 3, confirmed: Lsn(90) }));
    }
}
