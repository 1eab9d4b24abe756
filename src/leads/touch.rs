//! A touch, as the API and the command line print it.
//!
//! In: a touch of a lead. Out: the object of the contract, in the order of its keys. Instants are UTC; only
//! `occurred_at_local` is in the region's time zone.

use super::verdict::names;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa::openapi::schema::Object;
use wabridge_model::attribution::{AttributionState, Cause, Touch};
use wabridge_model::id::{EventId, LeadId};

/// One arrival from an ad or a post.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Touch)]
pub struct TouchView {
    /// Its id.
    #[schema(value_type = uuid::Uuid)]
    pub id: EventId,
    /// The lead.
    #[schema(value_type = uuid::Uuid)]
    pub lead_id: LeadId,
    /// The lead's phone now; null without the scope `lead:read`.
    pub phone: Option<String>,
    /// The provider that reported it.
    pub provider: String,
    /// The channel it came by.
    pub channel: String,
    /// Every channel that reported it.
    pub reported_by: Vec<String>,
    /// Our number.
    pub business_number: Option<String>,
    /// How much it tells.
    #[schema(schema_with = attribution_states)]
    pub state: AttributionState,
    /// Why something is missing.
    #[schema(schema_with = causes)]
    pub cause: Option<Cause>,
    /// Meta's click id.
    pub ctwa_clid: Option<String>,
    /// The ad.
    pub ad_id: Option<String>,
    /// The organic post.
    pub post_id: Option<String>,
    /// `ad`, `post`, or a later word.
    pub source_type: Option<String>,
    /// The address of the ad or post.
    pub source_url: Option<String>,
    /// The ad's headline.
    pub headline: Option<String>,
    /// The ad's text.
    pub body: Option<String>,
    /// `image`, `video`, or a later word.
    pub media_type: Option<String>,
    /// The provider's id of the message; null without `lead:read`, since WhatsApp writes the phone into it.
    pub message_id: Option<String>,
    /// When the person wrote.
    pub occurred_at: Timestamp,
    /// The same in the region's time zone, with its offset.
    #[schema(format = DateTime)]
    pub occurred_at_local: String,
    /// When it was received first.
    pub received_at: Timestamp,
    /// The code of the configured link in the message's text, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl TouchView {
    /// A touch of a lead.
    #[must_use]
    pub fn new(touch: &Touch, lead_id: LeadId, phone: Option<&str>, zone: &TimeZone) -> TouchView {
        let referral = touch.referral.clone();
        TouchView {
            id: touch.id,
            lead_id,
            phone: phone.map(str::to_owned),
            provider: touch.provider.clone(),
            channel: touch.channel.clone(),
            reported_by: touch.reported_by.clone(),
            business_number: touch.business_number.clone(),
            state: touch.state(),
            cause: touch.cause(),
            ad_id: touch.ad_id().map(str::to_owned),
            post_id: touch.post_id().map(str::to_owned),
            ctwa_clid: referral.ctwa_clid,
            source_type: referral.source_type,
            source_url: referral.source_url,
            headline: referral.headline,
            body: referral.body,
            media_type: referral.media_type,
            message_id: Some(touch.message_id.clone()),
            occurred_at: touch.occurred_at,
            occurred_at_local: local(touch.occurred_at, zone),
            received_at: touch.received_at,
            code: touch.link.as_ref().map(|link| link.code.clone()),
        }
    }

    /// The touch for a caller who may know of ads and not of people.
    #[must_use]
    pub fn without_person(self) -> TouchView {
        TouchView { phone: None, message_id: None, ..self }
    }
}

/// An instant as RFC 3339 with the offset of a time zone.
#[must_use]
pub fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

pub(super) fn attribution_states() -> Object {
    names("How much is known", AttributionState::ALL.map(AttributionState::as_str))
}

pub(super) fn causes() -> Object {
    let causes = Cause::ALL.map(|cause| Some(cause.as_str())).into_iter().chain([None]);
    names("Why something is missing", causes)
}
