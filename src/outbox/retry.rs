//! What follows from a failure. Nothing else in the process retries a call to a CRM.
//!
//! In: a classified failure and what is known of the job and the target. Out: where the job goes, and what it
//! means for the target. Pure: the clock and chance are arguments.
//!
//! | failure | job | attempt | target |
//! | --- | --- | --- | --- |
//! | throttle | pending, not before the time asked for | not spent | waits as a whole |
//! | down | pending, backoff | not spent | breaker |
//! | auth | pending | not spent | token read again; if it is the same, paused |
//! | drift | by the schema, read again first: left out, or held | not spent | schema |
//! | conflict, vanished | resolved within the step; if that fails as well, backoff | spent | |
//! | invalid | one more try, then dead | spent | |
//! | unknown | in doubt, looked for before it is written again | spent | breaker |
//! | waiting | pending, with what it waits for | not spent | |

use crate::store::outbox::End;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use wabridge_crms::Delivery;
use wabridge_model::{Failure, FailureKind};

/// The ceiling of the first wait.
const BASE: Duration = Duration::from_secs(1);
/// The longest wait while an outage is young.
const CAP_YOUNG: Duration = Duration::from_secs(15 * 60);
/// The longest wait after that.
const CAP_OLD: Duration = Duration::from_secs(3600);
/// Until then an outage is young.
const YOUNG: Duration = Duration::from_secs(3600);
/// The longest that a CRM is obeyed: quotas are of a day at most, and a slip must not silence a target for ever.
const LONGEST_OBEYED: Duration = Duration::from_secs(24 * 3600);
/// What was held up together starts again over this time at most.
const SPREAD: Duration = Duration::from_secs(60);
/// With so many attempts behind it, an invalid operation is not tried once more.
const MANY_ATTEMPTS: i64 = 5;

/// How long to wait at most after the `streak`-th failure in a row, times chance: full jitter.
#[must_use]
pub fn backoff(streak: u32, lasts: Duration, chance: f64) -> Duration {
    let cap = if lasts < YOUNG { CAP_YOUNG } else { CAP_OLD };
    let ceiling = BASE.saturating_mul(1 << streak.saturating_sub(1).min(12)).min(cap);
    ceiling.mul_f64(chance)
}

/// What must be done before a failure can be decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstAid {
    /// Nothing.
    None,
    /// Read the schema again.
    ReadSchema,
    /// Read the token again.
    RenewToken,
    /// Look at the record that is in the way, or look for the person again; then write once more.
    Resolve,
}

/// What must be done before this failure can be decided.
#[must_use]
pub fn first_aid(kind: FailureKind) -> FirstAid {
    match kind {
        FailureKind::Drift => FirstAid::ReadSchema,
        FailureKind::Auth => FirstAid::RenewToken,
        FailureKind::Conflict | FailureKind::Vanished => FirstAid::Resolve,
        FailureKind::Throttle
        | FailureKind::Down
        | FailureKind::Invalid
        | FailureKind::Unknown
        | FailureKind::Waiting => FirstAid::None,
    }
}

/// What the schema says of the field or the object at fault, once it was read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaSays {
    /// The field is left out from now on: the rest can be written.
    LeaveOut,
    /// The operation is held, and why.
    Hold(String),
    /// Nothing: it is as we need it, or could not be read.
    Nothing,
}

/// A failure, and what is known of the job and the target.
#[derive(Debug, Clone)]
pub struct Case<'a> {
    /// The failure.
    pub failure: &'a Failure,
    /// The attempts of this revision, this one among them.
    pub attempts: i64,
    /// Whether the attempt before this one ended in the same kind of failure.
    pub repeated: bool,
    /// What an unknown outcome may lead to.
    pub delivery: Delivery,
    /// How long a new record may be missing from the CRM's search.
    pub search_lag: Duration,
    /// How often in a row the target was down, or throttled.
    pub streak: u32,
    /// How long that has lasted.
    pub lasts: Duration,
    /// What the schema says, after a drift.
    pub schema: SchemaSays,
    /// Whether the token, read again, is another one.
    pub token_is_new: bool,
    /// When what it waits for is tried again, for what was not tried.
    pub waits_until: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl<'a> Case<'a> {
    /// A first attempt at a target that is otherwise well.
    #[must_use]
    pub fn new(failure: &'a Failure, delivery: Delivery, now: Timestamp) -> Case<'a> {
        Case {
            failure,
            attempts: 1,
            repeated: false,
            delivery,
            search_lag: Duration::ZERO,
            streak: 1,
            lasts: Duration::ZERO,
            schema: SchemaSays::Nothing,
            token_is_new: false,
            waits_until: None,
            now,
        }
    }
}

/// What a failure means for the whole target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing.
    None,
    /// It is left alone for this long.
    Wait(Duration),
    /// It is paused until a hand or another token lets it go on.
    Pause,
    /// The outcome is unknown: counted.
    Ambiguous,
}

/// Where the job goes, and what it means for the target.
#[must_use]
pub fn decide(case: &Case<'_>, chance: f64) -> (End, Effect) {
    let Case { failure, now, .. } = case;
    let again =
        |wait: Duration, spent| End::Retry { due_at: after(*now, wait), spent, cause: cause(failure) };
    let by_attempts = || backoff(streak_of(case.attempts), Duration::ZERO, chance);
    match failure.kind {
        FailureKind::Throttle => {
            let ours = || backoff(case.streak, case.lasts, chance).max(BASE);
            let wait = failure.retry_after.unwrap_or_else(ours).min(LONGEST_OBEYED);
            (again(wait + wait.min(SPREAD).mul_f64(chance), false), Effect::Wait(wait))
        }
        FailureKind::Down => (again(backoff(case.streak, case.lasts, chance), false), Effect::None),
        FailureKind::Auth => {
            (again(Duration::ZERO, false), if case.token_is_new { Effect::None } else { Effect::Pause })
        }
        FailureKind::Drift => match &case.schema {
            SchemaSays::LeaveOut => (again(Duration::ZERO, false), Effect::None),
            SchemaSays::Hold(why) => (End::Held(why.clone()), Effect::None),
            SchemaSays::Nothing => (End::Held(cause(failure)), Effect::None),
        },
        FailureKind::Conflict | FailureKind::Vanished => (again(by_attempts(), true), Effect::None),
        FailureKind::Invalid if !case.repeated && case.attempts < MANY_ATTEMPTS => {
            (again(by_attempts(), true), Effect::None)
        }
        FailureKind::Invalid => (End::Dead(cause(failure)), Effect::None),
        FailureKind::Unknown => {
            let lag = match case.delivery {
                Delivery::Exact | Delivery::FindThenWrite => Duration::ZERO,
                // Before that, that it is not found says nothing.
                Delivery::MayDuplicate => case.search_lag * 2,
            };
            let due_at = after(*now, lag.max(by_attempts()));
            (End::Doubt { due_at, cause: cause(failure) }, Effect::Ambiguous)
        }
        FailureKind::Waiting => {
            let due_at = case.waits_until.unwrap_or(*now).max(*now);
            (End::Retry { due_at, spent: false, cause: cause(failure) }, Effect::None)
        }
    }
}

/// The cause as rows and people see it, without the status: one cause is one group.
#[must_use]
pub fn cause(failure: &Failure) -> String {
    let Failure { kind, code, field, .. } = failure;
    let field = field.as_ref().map_or_else(String::new, |field| format!(" (field {field})"));
    format!("{}: {code}{field}", kind.as_str())
}

/// An instant that much later. Waits are of a day and a bit at most.
#[must_use]
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

fn streak_of(attempts: i64) -> u32 {
    u32::try_from(attempts.max(1)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAG: Duration = Duration::from_secs(5);

    fn now() -> Timestamp {
        "2026-11-22T08:00:00Z".parse().unwrap()
    }

    fn failure(kind: FailureKind) -> Failure {
        Failure::new(kind, "CODE")
    }

    /// What is decided, in words: where to, how many milliseconds later, whether an attempt is spent.
    fn words(case: &Case<'_>, chance: f64) -> String {
        let (end, effect) = decide(case, chance);
        let later = |at: Timestamp| at.duration_since(case.now).as_millis();
        let end = match end {
            End::Retry { due_at, spent, cause } => {
                format!("retry {} {} {cause}", later(due_at), if spent { "spent" } else { "unspent" })
            }
            End::Doubt { due_at, cause } => format!("doubt {} {cause}", later(due_at)),
            End::Held(why) => format!("held {why}"),
            End::Dead(why) => format!("dead {why}"),
            other => format!("{other:?}"),
        };
        match effect {
            Effect::None => end,
            effect => format!("{end} | {effect:?}"),
        }
    }

    #[test]
    fn every_failure_is_decided_by_the_table() {
        use FailureKind as F;
        let of = |kind| failure(kind);
        let asked = |secs| Failure { retry_after: Some(Duration::from_secs(secs)), ..of(F::Throttle) };
        let field = Failure { field: Some("size".to_owned()), status: Some(400), ..of(F::Drift) };
        let base = |failure| Case { search_lag: LAG, ..Case::new(failure, Delivery::Exact, now()) };
        let (throttle, long, silent) = (asked(10), asked(1_000_000_000), of(F::Throttle));
        let (down, auth, conflict, vanished) = (of(F::Down), of(F::Auth), of(F::Conflict), of(F::Vanished));
        let (invalid, unknown, waiting) = (of(F::Invalid), of(F::Unknown), of(F::Waiting));
        let hold = SchemaSays::Hold("drift: size is gone".to_owned());
        let table = [
            (base(&throttle), "retry 15000 unspent throttle: CODE | Wait(10s)"),
            (base(&long), "retry 86430000 unspent throttle: CODE | Wait(86400s)"),
            (base(&silent), "retry 1500 unspent throttle: CODE | Wait(1s)"),
            (Case { streak: 5, ..base(&silent) }, "retry 12000 unspent throttle: CODE | Wait(8s)"),
            (base(&down), "retry 500 unspent down: CODE"),
            (Case { streak: 4, ..base(&down) }, "retry 4000 unspent down: CODE"),
            (Case { streak: 40, ..base(&down) }, "retry 450000 unspent down: CODE"),
            (Case { streak: 40, lasts: YOUNG, ..base(&down) }, "retry 1800000 unspent down: CODE"),
            (Case { attempts: 900, ..base(&down) }, "retry 500 unspent down: CODE"),
            (base(&auth), "retry 0 unspent auth: CODE | Pause"),
            (Case { token_is_new: true, ..base(&auth) }, "retry 0 unspent auth: CODE"),
            (base(&field), "held drift: CODE (field size)"),
            (Case { schema: hold, ..base(&field) }, "held drift: size is gone"),
            (
                Case { schema: SchemaSays::LeaveOut, ..base(&field) },
                "retry 0 unspent drift: CODE (field size)",
            ),
            (base(&conflict), "retry 500 spent conflict: CODE"),
            (Case { attempts: 3, ..base(&vanished) }, "retry 2000 spent vanished: CODE"),
            (base(&invalid), "retry 500 spent invalid: CODE"),
            (Case { attempts: 3, ..base(&invalid) }, "retry 2000 spent invalid: CODE"),
            (Case { attempts: 2, repeated: true, ..base(&invalid) }, "dead invalid: CODE"),
            (Case { attempts: 5, ..base(&invalid) }, "dead invalid: CODE"),
            (base(&unknown), "doubt 500 unknown: CODE | Ambiguous"),
            (
                Case { delivery: Delivery::FindThenWrite, ..base(&unknown) },
                "doubt 500 unknown: CODE | Ambiguous",
            ),
            (
                Case { delivery: Delivery::MayDuplicate, ..base(&unknown) },
                "doubt 10000 unknown: CODE | Ambiguous",
            ),
            (base(&waiting), "retry 0 unspent waiting: CODE"),
            (
                Case { waits_until: Some(after(now(), LAG)), ..base(&waiting) },
                "retry 5000 unspent waiting: CODE",
            ),
        ];
        for (case, expected) in table {
            assert_eq!(words(&case, 0.5), expected, "{case:?}");
        }
    }

    #[test]
    fn nothing_but_invalid_ever_dies_and_nothing_else_but_a_resolvable_failure_spends() {
        for kind in [
            FailureKind::Throttle,
            FailureKind::Down,
            FailureKind::Auth,
            FailureKind::Drift,
            FailureKind::Conflict,
            FailureKind::Vanished,
            FailureKind::Unknown,
            FailureKind::Waiting,
        ] {
            let failure = failure(kind);
            for attempts in [1, 2, 100, i64::MAX] {
                let case = Case { attempts, ..Case::new(&failure, Delivery::MayDuplicate, now()) };
                let (end, _) = decide(&case, 0.999);
                assert!(!matches!(end, End::Dead(_)), "{kind:?} {attempts}");
                if let End::Retry { spent, .. } = end {
                    assert_eq!(spent, matches!(kind, FailureKind::Conflict | FailureKind::Vanished));
                }
            }
        }
    }

    #[test]
    fn no_job_is_due_before_the_time_that_the_crm_asked_for() {
        for secs in [0, 1, 2, 59, 60, 3600, 86_400] {
            let asked = Duration::from_secs(secs);
            let failure = Failure { retry_after: Some(asked), ..failure(FailureKind::Throttle) };
            for chance in [0.0, 0.1, 0.5, 0.999] {
                let (end, effect) = decide(&Case::new(&failure, Delivery::Exact, now()), chance);
                let End::Retry { due_at, spent: false, .. } = end else { panic!("{end:?}") };
                assert!(due_at >= after(now(), asked), "{secs} {chance}");
                assert_eq!(effect, Effect::Wait(asked));
            }
        }
    }

    #[test]
    fn backoff_is_jittered_over_its_whole_range_and_capped() {
        assert_eq!(backoff(1, Duration::ZERO, 0.0), Duration::ZERO);
        for streak in 0..100 {
            assert!(backoff(streak, Duration::ZERO, 0.999_999) <= CAP_YOUNG, "{streak}");
            assert!(backoff(streak, YOUNG, 0.999_999) <= CAP_OLD, "{streak}");
        }
        assert!(backoff(60, YOUNG, 0.999_999) > CAP_YOUNG);
    }

    #[test]
    fn every_kind_has_its_first_aid() {
        assert_eq!(first_aid(FailureKind::Drift), FirstAid::ReadSchema);
        assert_eq!(first_aid(FailureKind::Auth), FirstAid::RenewToken);
        assert_eq!(first_aid(FailureKind::Conflict), FirstAid::Resolve);
        assert_eq!(first_aid(FailureKind::Vanished), FirstAid::Resolve);
        for kind in [FailureKind::Down, FailureKind::Throttle, FailureKind::Invalid, FailureKind::Unknown] {
            assert_eq!(first_aid(kind), FirstAid::None);
        }
    }
}
