//! What a call costs of an account's credits per rolling day, as Zoho publishes it.
//!
//! In: a call. Out: credits. Zoho tells what is left (`X-API-CREDITS-REMAINING`) only once half is used, so that
//! until then somebody has to count.

use crate::limit::{DAY, Limit, Told, number};
use crate::transport::{Answer, Call};
use serde_json::Value;

/// What every edition has that is paid for, without what each user adds. A free one has 5,000: once answers tell what
/// is left of them, what is here beyond that counts as used.
const FEWEST: u64 = 50_000;

/// Credits within any 24 hours. How many there are no answer says.
pub(super) static LIMITS: [Limit; 1] = [Limit {
    name: "credits",
    unit: "credits",
    size: FEWEST,
    window: DAY,
    cost: credits,
    told,
    of_tokens: false,
    new_lead: 4,
    conversation: 2,
}];

fn told(answer: &Answer) -> Option<Told> {
    Some(Told { left: number(answer, "x-api-credits-remaining")?, of: None })
}

/// The credits of a call: a read is one; a write one for every ten records; a query by its `limit`.
#[must_use]
pub fn credits(call: &Call) -> u64 {
    let records = || call.body.as_ref().and_then(|body| body["data"].as_array()).map_or(1, Vec::len);
    if call.path.ends_with("/coql") {
        let query = call.body.as_ref().and_then(|body| body["select_query"].as_str()).unwrap_or_default();
        let limit =
            query.rsplit_once(" limit ").and_then(|(_, rest)| rest.split(' ').next_back()?.parse().ok());
        return match limit.unwrap_or(200_u64) {
            0..=200 => 1,
            201..=1_000 => 2,
            _ => 3,
        };
    }
    if !call.writes || call.body.as_ref().is_none_or(|body| body["data"] == Value::Null) {
        return 1;
    }
    u64::try_from(records().div_ceil(10)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::Method;
    use serde_json::json;

    #[test]
    fn a_call_costs_what_zoho_says() {
        let query = |limit: &str| {
            let text = format!("select id from Leads where id = 1 limit {limit}");
            credits(&Call::read(Method::Post, "/crm/v8/coql").body(json!({"select_query": text})))
        };
        assert_eq!(["200", "0, 200", "201", "2000"].map(query), [1, 1, 2, 3]);
        let write = |n: usize| {
            let data = vec![json!({}); n];
            credits(&Call::write(Method::Post, "/crm/v8/Leads/upsert", json!({"data": data})))
        };
        assert_eq!([1, 10, 11, 100].map(write), [1, 1, 2, 10]);
        assert_eq!(credits(&Call::read(Method::Get, "/crm/v8/Leads")), 1);
    }
}
