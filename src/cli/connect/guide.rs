//! What an operator enters at each provider: the screen, the fields to tick, where the secret is shown.
//!
//! Screens are renamed from time to time: each guide names the provider's own words as of 2026.

/// What to do at one provider.
pub(in crate::cli) struct Guide {
    /// The provider.
    pub(in crate::cli) slug: &'static str,
    /// Where its signing secret is shown.
    pub(in crate::cli) secret: &'static str,
    /// The screen or call, and what to do there, in order. `{url}` and `{token}` are filled in.
    pub(in crate::cli) steps: &'static [&'static str],
    /// What to tick.
    pub(in crate::cli) fields: &'static [&'static str],
    /// What is easily missed.
    pub(in crate::cli) mind: &'static str,
}

/// The guide of a provider.
pub(in crate::cli) fn guide(slug: &str) -> Option<&'static Guide> {
    GUIDES.iter().find(|guide| guide.slug == slug)
}

/// A guide for each provider.
static GUIDES: &[Guide] = &[
    Guide {
        slug: "meta",
        secret: "App Dashboard > App settings > Basic > App secret",
        steps: &[
            "Open developers.facebook.com > My Apps > your app > WhatsApp > Configuration > Webhook > Edit",
            "Callback URL: {url}",
            "Verify token: {token}",
            "\"Verify and save\": Meta asks this daemon at once, so it must be running and reachable",
            "Webhook fields > Manage: subscribe to the fields below",
            "Subscribe the app to the WhatsApp Business Account: POST /<WABA_ID>/subscribed_apps with the app's token",
        ],
        fields: &[
            "messages",
            "smb_message_echoes",
            "user_preferences",
            "calls",
            "standby",
            "history",
            "smb_app_state_sync",
            "message_template_status_update",
            "phone_number_quality_update",
            "account_update",
        ],
        mind: "The app must be Live: in development mode Meta sends its test only. Without standby, messages that \
               Meta's Business Agent takes are lost.",
    },
    Guide {
        slug: "dialog360",
        secret: "Partner Hub > Platform Secret; direct clients have none and use `header` instead",
        steps: &[
            "POST https://waba-v2.360dialog.io/v1/configs/webhook with the header D360-API-KEY: <the number's key>",
            "\"url\" in its body: {url}",
            "\"headers\" in its body: {token}",
        ],
        fields: &["every event comes to this URL; there is nothing to tick"],
        mind: "The host name may hold no underscore, and the URL no port.",
    },
    Guide {
        slug: "gupshup",
        secret: "Gupshup signs nothing: the URL is the secret",
        steps: &[
            "Add a subscription: POST /partner/app/<appId>/subscription, or the app's Webhooks screen",
            "url: {url}",
            "version: 3; with version 2 Gupshup passes fewer ids",
        ],
        fields: &["SENT", "DELIVERED", "READ", "OTHERS", "FLOWS_MESSAGE"],
        mind: "The URL proves the sender: keep it out of screenshots, tickets and access logs.",
    },
    Guide {
        slug: "twilio",
        secret: "Twilio Console > Account > API keys & tokens > Auth token of the account that owns the sender",
        steps: &[
            "Open Twilio Console > Messaging > Senders > WhatsApp senders > your sender",
            "Webhook URL for incoming messages: {url}, method HTTP POST",
            "Status callback URL: {url}, method HTTP POST",
        ],
        fields: &["incoming messages", "status callback"],
        mind: "Twilio signs the URL letter by letter: enter it exactly so. It sends once unless the URL ends in \
               #rc=5, which makes it try again.",
    },
    Guide {
        slug: "wati",
        secret: "Wati signs nothing: the URL is the secret",
        steps: &["Open Wati > Connector > Webhooks > Add Webhook", "URL: {url}", "Status: Enabled"],
        fields: &[
            "message_bsuid (or message, where your plan has no _bsuid events)",
            "newContactMessageReceived_bsuid",
            "sessionMessageSent_v2",
            "templateMessageSent_v2",
            "sentMessageDELIVERED_v2",
            "sentMessageREAD_v2",
            "sentMessageREPLIED_v2",
            "templateMessageFailed",
            "sessionMessageFailed",
        ],
        mind: "Tick one family of each event, not the plain one and _v2 together. The URL proves the sender: keep it \
               out of screenshots and access logs.",
    },
    Guide {
        slug: "aisensy",
        secret: "AiSensy > Manage > Webhooks > the webhook's shared secret",
        steps: &[
            "Open AiSensy > Manage > Webhooks > add",
            "URL: {url}",
            "Put the webhook's shared secret into the file that `secrets` names, and restart the daemon",
        ],
        fields: &["message.sender.user", "message.created", "message.status.updated", "contact.created"],
        mind: "AiSensy tries twice within five minutes and no more. The webhook is an add-on of some plans.",
    },
    Guide {
        slug: "interakt",
        secret: "Interakt > Settings > Developer Setting > Secret Key",
        steps: &[
            "Open Interakt > Settings > Developer Setting > Webhook",
            "URL: {url}",
            "Put the Secret Key into the file that `secrets` names, and restart the daemon",
        ],
        fields: &["message_received", "message_api_*", "message_campaign_*", "message_api_flow_response"],
        mind: "Customers' messages come with the Advanced and Enterprise plans only. Five failures in ten minutes and \
               Interakt switches the webhook off.",
    },
    Guide {
        slug: "chatbot",
        secret: "it is yours: the bot signs with it",
        steps: &[
            "Let the bot POST its events to {url}, as docs/chatbot-event.schema.json describes them",
            "It signs by Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature) with the channel's secret",
            "`wabridge sign --channel NAME event.json` prints such a request, to compare with",
        ],
        fields: &["lead.created", "conversation.updated", "conversation.ended", "consent.given"],
        mind: "An event_id must stay the same when an event is sent again.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use wabridge_providers::registry::PROVIDERS;

    #[test]
    fn every_provider_has_a_guide_that_says_where_the_url_goes() {
        for provider in PROVIDERS {
            let slug = provider.about().slug;
            let guide = guide(slug).unwrap_or_else(|| panic!("no guide for {slug}"));
            assert!(guide.steps.iter().any(|step| step.contains("{url}")), "{slug}");
            assert!(!guide.fields.is_empty() && !guide.mind.is_empty() && !guide.secret.is_empty(), "{slug}");
        }
    }
}
