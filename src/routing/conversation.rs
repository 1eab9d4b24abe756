//! Where one conversation ends and the next begins.
//!
//! In: the conversations of a lead in one place that are near an act, and when it was. Out: which it belongs to. There
//! is no silence of more than a day in a conversation, and none lasts for seven days. Acts come to light in any
//! order: a late one may move the start of a conversation, or make two of them one, as long as neither was sent.

use jiff::{SignedDuration, Timestamp};

/// The longest silence within a conversation.
pub const SILENCE: SignedDuration = SignedDuration::from_hours(24);
/// The time within which a conversation ends.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// From when until when a conversation was, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// When it began, as the CRM was told.
    pub started: Timestamp,
    /// Its first act.
    pub first: Timestamp,
    /// Its last act.
    pub last: Timestamp,
    /// Its activity was tried.
    pub frozen: bool,
}

/// What an act does to the conversations it was near to, by their indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It was within this one.
    Within(usize),
    /// This one now ends with it.
    Ends(usize),
    /// This one now begins with it.
    Begins(usize),
    /// The two are one, under the name of the first.
    Joins(usize, usize),
    /// It begins one of its own.
    New,
}

/// Finds the conversation of an act among those near to it, which are in order and do not overlap.
#[must_use]
pub fn cut(known: &[Span], at: Timestamp) -> Cut {
    if let Some(index) = known.iter().position(|span| span.first <= at && at <= span.last) {
        return Cut::Within(index);
    }
    let goes_on = |span: &Span| {
        span.last < at && at.duration_since(span.last) <= SILENCE && at.duration_since(span.first) < LONGEST
    };
    let leads_to = |span: &Span| {
        at < span.first && span.first.duration_since(at) <= SILENCE && span.last.duration_since(at) < LONGEST
    };
    match (known.iter().rposition(goes_on), known.iter().position(leads_to)) {
        (Some(a), Some(b)) if is_one(&known[a], &known[b]) => Cut::Joins(a, b),
        (Some(a), _) => Cut::Ends(a),
        (None, Some(b)) => Cut::Begins(b),
        (None, None) => Cut::New,
    }
}

fn is_one(a: &Span, b: &Span) -> bool {
    !a.frozen && !b.frozen && b.last.duration_since(a.first) < LONGEST
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + hour * 3600).unwrap()
    }

    fn span(first: i64, last: i64, frozen: bool) -> Span {
        Span { started: hour(first), first: hour(first), last: hour(last), frozen }
    }

    #[test]
    fn an_act_belongs_where_no_day_of_silence_lies_between() {
        let one = [span(0, 10, false)];
        for (at, expected) in [
            (0, Cut::Within(0)),
            (5, Cut::Within(0)),
            (10, Cut::Within(0)),
            (34, Cut::Ends(0)),
            (35, Cut::New),
            (-24, Cut::Begins(0)),
            (-25, Cut::New),
        ] {
            assert_eq!(cut(&one, hour(at)), expected, "at hour {at}");
        }
        assert_eq!(cut(&[], hour(0)), Cut::New);
    }

    #[test]
    fn a_conversation_ends_within_seven_days_from_either_side() {
        let long = [span(0, 160, false)];
        assert_eq!(cut(&long, hour(167)), Cut::Ends(0));
        assert_eq!(cut(&long, hour(168)), Cut::New);
        assert_eq!(cut(&long, hour(-7)), Cut::Begins(0));
        assert_eq!(cut(&long, hour(-8)), Cut::New);
    }

    #[test]
    fn a_late_act_joins_two_unless_one_was_sent_or_they_would_last_too_long() {
        let two = |a: bool, b: bool| [span(0, 10, a), span(40, 50, b)];
        assert_eq!(cut(&two(false, false), hour(25)), Cut::Joins(0, 1));
        assert_eq!(cut(&two(true, false), hour(25)), Cut::Ends(0));
        assert_eq!(cut(&two(false, true), hour(25)), Cut::Ends(0));
        assert_eq!(cut(&[span(0, 100, false), span(130, 168, false)], hour(115)), Cut::Ends(0));
        assert_eq!(cut(&[span(0, 100, false), span(130, 167, false)], hour(115)), Cut::Joins(0, 1));
        // Too late for the first, near enough to the second.
        assert_eq!(cut(&[span(0, 10, false), span(50, 60, false)], hour(35)), Cut::Begins(1));
    }

    #[test]
    fn a_sent_conversation_takes_in_what_was_before_it() {
        assert_eq!(cut(&[span(0, 10, true)], hour(-1)), Cut::Begins(0));
    }
}
