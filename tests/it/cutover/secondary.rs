//! Interakt, which has ids of its own, beside Meta on one number: it fills gaps, and doubles nothing.

use super::story::at;
use super::{Delivery, Run, ids, texts};
use crate::support::client::meta_body;
use crate::support::client::text;
use serde_json::json;

const TOML: &str = r#"
[server]
listen = "127.0.0.1:0"
[store]
url = "sqlite:{folder}/wabridge.db"
[[channel]]
name = "main"
provider = "meta"
app_secrets = ["file:{folder}/meta"]
verify_token = "file:{folder}/meta"
business_numbers = { "100000000000001" = "+442079460001" }
[[channel]]
name = "copy"
provider = "interakt"
secrets = ["file:{folder}/meta"]
business_number = "+442079460001"
role = "secondary"
"#;

const NOON: i64 = 12 * 3600;

/// What a person writes, and which ad they come from.
#[derive(Clone, Copy)]
struct Written {
    second: i64,
    person: &'static str,
    id: &'static str,
    text: &'static str,
    ad: Option<&'static str>,
}

const ASHA: &str = "447700900101";
const BELA: &str = "447700900102";

/// Meta is out between 13:00 and 14:00: what is written then, Interakt alone tells.
const DAY: [Written; 8] = [
    Written { second: NOON, person: ASHA, id: "1", text: "Hi", ad: Some("click-1") },
    Written { second: NOON + 30, person: ASHA, id: "2", text: "Are you there?", ad: None },
    Written { second: NOON + 60, person: ASHA, id: "3", text: "Are you there?", ad: None },
    Written { second: NOON + 600, person: BELA, id: "4", text: "Hi", ad: None },
    Written { second: NOON + 3700, person: ASHA, id: "5", text: "Hi", ad: None },
    Written { second: NOON + 3800, person: BELA, id: "6", text: "From the ad", ad: Some("click-6") },
    Written { second: NOON + 7300, person: ASHA, id: "7", text: "Hi", ad: None },
    Written { second: NOON + 7310, person: BELA, id: "8", text: "Good bye", ad: None },
];

impl Written {
    fn in_outage(&self) -> bool {
        (NOON + 3600..NOON + 7200).contains(&self.second)
    }

    fn meta(&self) -> Delivery {
        let mut message = text(&format!("wamid.{}", self.id), self.person, at(self.second).as_second());
        message["text"]["body"] = json!(self.text);
        if let Some(click) = self.ad {
            message["referral"] = referral(Some(click));
        }
        (self.second, "main", meta_body(json!({"messages": [message]})))
    }

    /// A second and a half later by Interakt's clock, and without click ids where Meta tells it as well.
    fn interakt(&self) -> Delivery {
        let received = at(self.second) + jiff::SignedDuration::from_millis(1500);
        let received = received.to_string().trim_end_matches('Z').to_owned();
        let mut message = json!({
            "id": format!("b0000000-0000-4000-8000-00000000000{}", self.id), "chat_message_type": "CustomerMessage",
            "received_at_utc": received, "message_content_type": "Text", "message": self.text, "meta_data": {}
        });
        if let Some(click) = self.ad {
            message["referral"] = referral(Some(click).filter(|_| self.in_outage()));
        }
        let customer = json!({"channel_phone_number": self.person, "traits": {"name": "A Customer"}});
        let body = json!({
            "version": "1.0", "timestamp": received, "type": "message_received",
            "data": {"customer": customer, "message": message}
        });
        (self.second + 3, "copy", serde_json::to_vec(&body).unwrap())
    }
}

fn referral(click: Option<&str>) -> serde_json::Value {
    json!({"source_type": "ad", "source_id": "120200000000000001", "source_url": "https://fb.example.com/1", "ctwa_clid": click})
}

fn run(order: impl FnOnce(&mut Vec<Delivery>)) -> Run {
    let told = DAY.iter().filter(|it| !it.in_outage()).map(Written::meta);
    let mut deliveries: Vec<Delivery> = told.chain(DAY.iter().map(Written::interakt)).collect();
    order(&mut deliveries);
    let run = Run::start(TOML);
    run.deliver(&deliveries);
    run.pass_to(NOON + 10_800);
    run
}

/// That is what must be seen whatever the order.
fn check(run: &Run) {
    let timeline = |person: &str| run.json(&format!("/v1/leads/%2B{person}/timeline?limit=500"));
    let (asha, bela) = (timeline(ASHA), timeline(BELA));
    assert_eq!(
        texts(&asha),
        ["Hi", "Are you there?", "Are you there?", "Hi", "Hi"],
        "each as often as written"
    );
    assert_eq!(texts(&bela), ["Hi", "From the ad", "Good bye"]);
    let of_meta = asha["items"].as_array().unwrap().iter().filter(|item| item["provider"] == "meta").count();
    assert_eq!(of_meta, 5, "four messages and a touch are shown as Meta tells them");

    let touches = run.json("/v1/touches");
    assert_eq!(ids(&touches, "ctwa_clid"), ["click-1", "click-6"].into());
    assert_eq!(
        touches["items"].as_array().unwrap().len(),
        2,
        "an ad that both tell of is one touch: {touches}"
    );
    let total = &run.json("/v1/attribution?model=each")["total"];
    assert_eq!((&total["leads"], &total["conversations"]), (&json!(2), &json!(2)), "{total}");

    // Where Meta tells a message its time counts, and where it was out Interakt's does.
    for (person, second, expected, provider) in [
        (ASHA, NOON + 3000, "2026-11-22T12:01:00Z", "meta"),
        (ASHA, NOON + 3750, "2026-11-22T13:01:41.5Z", "interakt"),
        (ASHA, NOON + 9000, "2026-11-22T14:01:40Z", "meta"),
        (BELA, NOON + 9000, "2026-11-22T14:01:50Z", "meta"),
    ] {
        let asked = format!("/v1/window?phone=%2B{person}&business=%2B442079460001&at={}", at(second));
        let verdict = run.json(&asked);
        assert_eq!(verdict["may_send"], "free_text");
        assert_eq!(
            (&verdict["last_inbound_at"], &verdict["evidence"]["provider"]),
            (&json!(expected), &json!(provider))
        );
    }
}

#[test]
fn a_secondary_channel_with_ids_of_its_own_fills_gaps_and_doubles_no_lead_touch_window_or_line() {
    let in_order = run(|deliveries| deliveries.sort_by_key(|(second, ..)| *second));
    check(&in_order);
    in_order.end();
    let copies_first = run(|deliveries| {
        deliveries.sort_by_key(|(second, channel, _)| (*channel == "main", *second));
        // All of it comes at the end of the day.
        deliveries[0].0 = NOON + 9000;
    });
    check(&copies_first);
    copies_first.end();
}
