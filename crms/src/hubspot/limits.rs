//! What HubSpot allows an account: calls within a day, calls within ten seconds, searches within a second.
//!
//! Answers say how many calls there are and how many are left, except those to searches, and except to apps that were
//! connected by OAuth, which have no limit of a day. Sizes here are those of the smallest accounts: a first answer
//! tells the real ones.

use crate::limit::{DAY, Limit, Told, number, untold};
use crate::transport::{Answer, Call};
use std::time::Duration;

/// The class of searches: a pace of their own, and not of the others'.
pub(super) const SEARCH: &str = "search";

pub(super) static LIMITS: [Limit; 3] = [
    Limit {
        name: "daily",
        unit: "calls",
        size: 250_000,
        window: DAY,
        cost: |_| 1,
        told: daily,
        of_tokens: true,
        new_lead: 4,
        conversation: 2,
    },
    Limit {
        name: "burst",
        unit: "calls",
        size: 100,
        window: Duration::from_secs(10),
        cost: |call| u64::from(call.class != SEARCH),
        told: burst,
        of_tokens: false,
        new_lead: 3,
        conversation: 2,
    },
    Limit {
        name: "search",
        unit: "searches",
        size: 5,
        window: Duration::from_secs(1),
        cost: |call: &Call| u64::from(call.class == SEARCH),
        told: untold,
        of_tokens: false,
        new_lead: 1,
        conversation: 0,
    },
];

fn daily(answer: &Answer) -> Option<Told> {
    let left = number(answer, "x-hubspot-ratelimit-daily-remaining")?;
    Some(Told { left, of: number(answer, "x-hubspot-ratelimit-daily") })
}

fn burst(answer: &Answer) -> Option<Told> {
    let left = number(answer, "x-hubspot-ratelimit-remaining")?;
    // Said of another time than ours, it means something else.
    let ours = number(answer, "x-hubspot-ratelimit-interval-milliseconds") == Some(10_000);
    ours.then(|| Told { left, of: number(answer, "x-hubspot-ratelimit-max") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Method;

    #[test]
    fn searches_have_a_pace_of_their_own_and_count_for_the_day() {
        let costs = |call: &Call| LIMITS.each_ref().map(|limit| (limit.cost)(call));
        let call = Call::read(Method::Post, "/crm/objects/x");
        assert_eq!(costs(&call.clone().class(SEARCH)), [1, 0, 1]);
        assert_eq!(costs(&call.class("burst")), [1, 1, 0]);
    }

    #[test]
    fn answers_say_what_is_left_and_of_how_much() {
        let headers = [
            ("x-hubspot-ratelimit-daily", "650000"),
            ("x-hubspot-ratelimit-daily-remaining", "649999"),
            ("x-hubspot-ratelimit-max", "190"),
            ("x-hubspot-ratelimit-remaining", "189"),
            ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = |headers: &[(String, String)]| Answer {
            status: 200,
            headers: headers.to_vec(),
            body: Vec::new(),
        };
        let told = |answer: &Answer| LIMITS.each_ref().map(|limit| (limit.told)(answer));
        let said = |left, of| Some(Told { left, of: Some(of) });
        assert_eq!(told(&answer(&headers)), [said(649_999, 650_000), said(189, 190), None]);
        assert_eq!(told(&answer(&headers[..4])), [said(649_999, 650_000), None, None], "of another time");
        assert_eq!(told(&answer(&[])), [None; 3]);
    }
}
