//! What a human does in HubSpot's own screens, and the webhook that tells of it: signed with the app's client
//! secret (v3 over method, URL, body and time; v1 over the body beside it).

use super::kind::Kind;
use super::problem::Problem;
use super::write::Taken;
use super::{CLIENT_SECRET, HubSpot, PORTAL, Visit};
use crate::control::Change;
use crate::crm::Notice;
use data_encoding::{BASE64, HEXLOWER};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

impl HubSpot {
    /// Makes the edit, and tells of it.
    pub(super) fn edited(&mut self, change: &Change, visit: Visit) -> Result<Vec<Notice>, String> {
        let told = |problem: Problem| {
            let details: Vec<String> = problem.details.into_iter().map(|it| it.message).collect();
            format!("{} {}", problem.message, details.join("; ")).trim().to_owned()
        };
        let person = |of: &HubSpot, id: &str| of.named(Kind::Contacts, id, None).map_err(told);
        let event = match change {
            Change::Field { person: id, field, value } => {
                let id = person(self, id)?;
                self.edit(Kind::Contacts, id, field, value, visit).map_err(told)?
            }
            Change::Stage { deal, stage } => {
                let id = self.named(Kind::Deals, deal, None).map_err(told)?;
                self.edit(Kind::Deals, id, "dealstage", &json!(stage), visit).map_err(told)?
            }
            Change::Delete { person: id } => {
                let id = person(self, id)?;
                self.archive(Kind::Contacts, &id.to_string(), visit.now);
                self.event(id, json!({"subscriptionType": "contact.deletion"}), visit.now)
            }
            Change::Merge { person: id, into } => {
                let (loser, winner) = (person(self, id)?, person(self, into)?);
                if loser == winner {
                    return Err("a contact cannot be merged into itself".to_owned());
                }
                self.merge(winner, loser, visit.now, visit.lag);
                let more = json!({"subscriptionType": "contact.merge", "primaryObjectId": winner,
                                  "mergedObjectIds": [loser], "newObjectId": null});
                self.event(winner, more, visit.now)
            }
            Change::Convert { .. } => return Err("HubSpot's contacts are not converted".to_owned()),
        };
        Ok(vec![Notice { body: json!([event]).to_string().into_bytes(), prove }])
    }

    fn edit(
        &mut self,
        kind: Kind,
        id: u64,
        field: &str,
        value: &Value,
        visit: Visit,
    ) -> Result<Value, Problem> {
        let draft = self.draft(kind, Some(id), &json!({ field: value }), visit, &mut Taken::new())?;
        self.apply(draft, visit.now, visit.lag);
        let value = self.records[&id].value(field).unwrap_or_default().to_owned();
        let more = json!({"subscriptionType": format!("{}.propertyChange", kind.singular()),
                          "propertyName": field, "propertyValue": value});
        Ok(self.event(id, more, visit.now))
    }

    fn event(&mut self, id: u64, more: Value, now: Timestamp) -> Value {
        self.events += 1;
        let mut event = json!({
            "eventId": 3_100_000_000_u64 + self.events, "subscriptionId": 2_204_611, "portalId": PORTAL,
            "appId": 4_410_981, "occurredAt": now.as_millisecond(), "attemptNumber": 0, "objectId": id,
            "changeSource": "CRM_UI", "sourceId": "userId:4410000",
        });
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        event
    }
}

fn prove(url: &str, body: &[u8], at: Timestamp) -> Vec<(String, String)> {
    let time = at.as_millisecond().to_string();
    // `expect`: HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(CLIENT_SECRET.as_bytes()).expect("a key of any length");
    for part in [b"POST".as_slice(), url.as_bytes(), body, time.as_bytes()] {
        mac.update(part);
    }
    let v3 = BASE64.encode(&mac.finalize().into_bytes());
    let v1 = HEXLOWER.encode(&Sha256::new().chain_update(CLIENT_SECRET).chain_update(body).finalize());
    let headers = [
        ("x-hubspot-signature-v3", v3),
        ("x-hubspot-request-timestamp", time),
        ("x-hubspot-signature", v1),
        ("x-hubspot-signature-version", "v1".to_owned()),
    ];
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
