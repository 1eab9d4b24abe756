//! Notices about the account, its templates, its quality: what they are about, what they say, and why.
//!
//! In: the text of a whole value. Out: one [`Event`] of nobody's. A field that the table does not know is
//! a notice with its name alone: the value stays in the stored request.
//! <https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/reference>

use super::scene::Scene;
use crate::json::{digest_of, instant};
use serde_json::Value;
use wabridge_model::event::{AccountNotice, Event, Fact, Person};
use wabridge_model::id::EventKey;

/// Where in a field's value the words stand, as JSON pointers: the first that leads to a word counts.
struct Words {
    fields: &'static [&'static str],
    subject: &'static [&'static str],
    state: &'static [&'static str],
    reason: &'static [&'static str],
}

const TEMPLATE: &[&str] = &["/message_template_name", "/message_template_id"];
const NUMBER: &[&str] = &["/display_phone_number"];

/// By Meta's reference, older names of a word behind the newer.
const TABLE: &[Words] = &[
    Words {
        // The reference shows quality scores under both names.
        fields: &["message_template_status_update", "message_template_quality_update"],
        subject: TEMPLATE,
        state: &["/event", "/new_quality_score"],
        reason: &["/reason", "/rejection_info/reason", "/other_info/description", "/other_info/title"],
    },
    Words {
        // `new_category` is the present one, also while another is due: that is `correct_category`.
        fields: &["template_category_update"],
        subject: TEMPLATE,
        state: &["/new_category"],
        reason: &["/correct_category"],
    },
    Words { fields: &["message_template_components_update"], subject: TEMPLATE, state: &[], reason: &[] },
    Words {
        fields: &["phone_number_quality_update"],
        subject: NUMBER,
        state: &["/event"],
        reason: &["/max_daily_conversations_per_business", "/current_limit"],
    },
    Words {
        fields: &["phone_number_name_update"],
        subject: NUMBER,
        state: &["/decision"],
        reason: &["/rejection_reason"],
    },
    Words {
        fields: &["business_username_update", "business_username_updates"],
        subject: NUMBER,
        state: &["/status"],
        reason: &[],
    },
    Words { fields: &["security"], subject: NUMBER, state: &["/event"], reason: &[] },
    Words {
        fields: &["account_update"],
        subject: &["/phone_number", "/waba_info/waba_id"],
        state: &["/event"],
        reason: &[
            "/violation_info/violation_type",
            "/restriction_info/0/restriction_type",
            "/ban_info/waba_ban_state",
            "/partner_client_certification_info/status",
            "/volume_tier_info/tier",
        ],
    },
    Words { fields: &["account_review_update"], subject: &[], state: &["/decision"], reason: &[] },
    Words {
        fields: &["account_alerts"],
        subject: &["/entity_id"],
        state: &["/alert_info/alert_type", "/alert_type"],
        reason: &["/alert_info/alert_description", "/alert_description"],
    },
    Words {
        fields: &["business_capability_update"],
        subject: &[],
        state: &["/max_daily_conversations_per_business", "/max_daily_conversation_per_phone"],
        reason: &[],
    },
    Words {
        fields: &["partner_solutions"],
        subject: &["/solution_id"],
        state: &["/solution_status", "/event"],
        reason: &[],
    },
    Words {
        fields: &["payment_configuration_update"],
        subject: &["/configuration_name"],
        state: &["/status"],
        reason: &[],
    },
    Words {
        fields: &["flows"],
        subject: &["/flow_id"],
        state: &["/new_status", "/event"],
        reason: &["/message"],
    },
    // Errors that belong to no message, as a list.
    Words { fields: &["errors"], subject: &[], state: &["/0/code"], reason: &["/0/title", "/0/message"] },
    // A part of an import without messages: declined (2593109), or only a percentage.
    Words {
        fields: &["history"],
        subject: &[],
        state: &["/errors/0/code", "/metadata/progress"],
        reason: &["/errors/0/title", "/errors/0/message"],
    },
    // Gupshup's check of the URL.
    Words { fields: &["platform-event"], subject: &[], state: &["/type"], reason: &[] },
];

/// A whole value that is about the account: one event, whatever it holds.
pub(super) fn notice(scene: &Scene<'_>, field: &str, json: &str) -> Event {
    let digest = digest_of([scene.entry_id, field], json);
    Event {
        key: EventKey::new("acct", &[&digest, scene.entry_time.unwrap_or_default()]),
        business: scene.business.clone(),
        occurred_at: scene.entry_time.and_then(instant),
        person: Person::default(),
        fact: Fact::Account(words(field, json)),
    }
}

fn words(field: &str, json: &str) -> AccountNotice {
    let notice = AccountNotice { field: field.to_owned(), ..AccountNotice::default() };
    let Some(row) = TABLE.iter().find(|row| row.fields.contains(&field)) else { return notice };
    let Ok(value) = serde_json::from_str::<Value>(json) else { return notice };
    let first = |paths: &[&str]| paths.iter().find_map(|path| word(value.pointer(path)?));
    AccountNotice {
        subject: first(row.subject),
        state: first(row.state),
        reason: first(row.reason),
        ..notice
    }
}

/// A text or a number, as text. `NONE` is Meta's way of giving no reason.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() && text != "NONE" => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(field: &str, json: &str) -> (Option<String>, Option<String>, Option<String>) {
        let AccountNotice { subject, state, reason, .. } = words(field, json);
        (subject, state, reason)
    }

    fn of(subject: &str, state: &str, reason: &str) -> (Option<String>, Option<String>, Option<String>) {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        (text(subject), text(state), text(reason))
    }

    #[test]
    fn each_field_has_its_words() {
        let cases = [
            (
                "message_template_status_update",
                r#"{"event":"REJECTED","message_template_name":"t","reason":"INVALID_FORMAT"}"#,
                of("t", "REJECTED", "INVALID_FORMAT"),
            ),
            (
                "message_template_status_update",
                r#"{"event":"APPROVED","message_template_id":1234567890123456789,"reason":"NONE"}"#,
                of("1234567890123456789", "APPROVED", ""),
            ),
            (
                "message_template_quality_update",
                r#"{"new_quality_score":"RED","message_template_name":"t"}"#,
                of("t", "RED", ""),
            ),
            (
                "template_category_update",
                r#"{"message_template_name":"t","new_category":"UTILITY","correct_category":"MARKETING"}"#,
                of("t", "UTILITY", "MARKETING"),
            ),
            (
                "phone_number_quality_update",
                r#"{"display_phone_number":"442079460001","event":"DOWNGRADE","current_limit":"TIER_2K",
                    "max_daily_conversations_per_business":"TIER_10K"}"#,
                of("442079460001", "DOWNGRADE", "TIER_10K"),
            ),
            (
                "account_update",
                r#"{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"R"}]}"#,
                of("", "ACCOUNT_RESTRICTION", "R"),
            ),
            ("account_review_update", r#"{"decision":"REJECTED"}"#, of("", "REJECTED", "")),
            (
                "account_alerts",
                r#"{"entity_id":1,"alert_info":{"alert_type":"OBA_REJECTED","alert_description":"D"}}"#,
                of("1", "OBA_REJECTED", "D"),
            ),
            (
                "business_capability_update",
                r#"{"max_daily_conversation_per_phone":2000}"#,
                of("", "2000", ""),
            ),
            ("security", r#"{"display_phone_number":"4","event":"PIN_CHANGED"}"#, of("4", "PIN_CHANGED", "")),
            ("a_field_of_a_later_day", r#"{"event":"APPROVED","decision":"X"}"#, of("", "", "")),
        ];
        for (field, json, expected) in cases {
            assert_eq!(read(field, json), expected, "{field}");
        }
    }

    #[test]
    fn a_value_of_another_shape_is_a_notice_without_words() {
        for json in ["[]", "7", "\"text\"", r#"{"event":[],"message_template_name":{}}"#, "{"] {
            assert_eq!(read("message_template_status_update", json), of("", "", ""), "{json}");
        }
    }
}
