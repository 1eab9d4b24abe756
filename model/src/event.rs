//! Events: what any provider may say, in one vocabulary.
//!
//! In: nothing, these are data. Out: [`Event`] (one normalised fact) and
//! [`Evidence`](crate::evidence::Evidence) (the same fact as every delivery of it reported it). Text fields
//! that a provider may extend keep unknown values.

use crate::chatbot::ChatbotEvent;
use crate::id::{Bsuid, Email, EventKey};
use crate::phone::Phone;
pub use crate::reading::{Intents, Link};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One normalised fact from a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What makes two deliveries the same event.
    pub key: EventKey,
    /// The business side it happened on.
    pub business: Business,
    /// The provider's own time, where it gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occurred_at: Option<Timestamp>,
    /// The customer, as this item names them.
    #[serde(default, skip_serializing_if = "Person::is_empty")]
    pub person: Person,
    /// What happened.
    pub fact: Fact,
}

/// The business side of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Business {
    /// The provider's account id (`phone_number_id`, `AccountSid`, bot id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    /// The business number the account id resolved to, which keys the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Phone>,
    /// The channel's portfolio: the scope of its BSUIDs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub portfolio: String,
}

/// A customer as one item names them. Phone, BSUID and parent BSUID of one item are one person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Person {
    /// The phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<Phone>,
    /// The phone as it was written, where that differs from the digits of `phone`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_as_sent: Option<String>,
    /// The business-scoped user id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bsuid: Option<Bsuid>,
    /// The id that spans linked portfolios.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_bsuid: Option<Bsuid>,
    /// The WhatsApp username.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The e-mail address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<Email>,
    /// The name: a WhatsApp profile name, or what a visitor typed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl Person {
    /// Whether the item names nobody at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Person::default()
    }

    /// Whether it carries a name that decides whose event it is.
    #[must_use]
    pub fn is_identified(&self) -> bool {
        self.phone.is_some() || self.bsuid.is_some() || self.parent_bsuid.is_some()
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Fact {
    /// The customer sent something.
    Message(Message),
    /// The business sent something from elsewhere (the WhatsApp Business app, an agent).
    Echo(Echo),
    /// What became of a message of the business.
    Status(Status),
    /// The customer changed number or id; `Event::person` holds the new names.
    IdentityChange(IdentityChange),
    /// Any other notice about the customer, such as a changed security code. It only enriches.
    System {
        /// The provider's name for it.
        kind: String,
    },
    /// The customer stopped or resumed a category of messages.
    Preference(Preference),
    /// A WhatsApp call.
    Call(Call),
    /// Our own event format, from a chatbot or a form.
    Chatbot(Box<ChatbotEvent>),
    /// The business's address book names the customer, or no longer does. It only enriches.
    Contact {
        /// Taken out of the book.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        removed: bool,
    },
    /// About the account, its templates or its quality: no lead.
    Account(AccountNotice),
}

/// What a provider says of the account. The whole value stays in the stored request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountNotice {
    /// The provider's name of the field, such as `message_template_status_update`.
    pub field: String,
    /// What it is about: a template's name, a number as displayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it says: `APPROVED`, `PAUSED`, `FLAGGED`, `TIER_10K`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Why, in the provider's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Something the customer sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The provider's message id (a wamid where WhatsApp has one).
    pub id: String,
    /// What was sent.
    pub kind: MessageKind,
    /// What a person would read: body, caption, button title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Sent into a group: it creates no lead and opens no window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub group: bool,
    /// Read from an import of older messages: it creates no lead and opens no window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
    /// What the provider says about the ad behind it.
    #[serde(default, skip_serializing_if = "ReferralReport::is_absent")]
    pub referral: ReferralReport,
    /// The configured link whose code the text holds. Read when the message is normalised, and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<Box<Link>>,
    /// What the text asks for, by the configured words. Read when the message is normalised, and kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wish: Option<Wish>,
    /// What the text is about, by the configured words. Read when the message is normalised, and kept; `None` of a
    /// message that was read before there were such words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intents: Option<Box<Intents>>,
}

impl Message {
    /// A message of which nothing more is known.
    #[must_use]
    pub fn new(id: impl Into<String>, kind: MessageKind) -> Message {
        Message {
            id: id.into(),
            kind,
            text: None,
            group: false,
            history: false,
            referral: ReferralReport::Absent,
            link: None,
            wish: None,
            intents: None,
        }
    }
}

/// What a person asks for in a message that says nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// No more messages.
    Stop,
    /// No more marketing.
    StopMarketing,
    /// Messages again.
    Start,
}

/// What a provider says about the ad or post that led to a message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferralReport {
    /// The provider reports ads, and there was none.
    #[default]
    Absent,
    /// The provider cannot say.
    Unreported,
    /// This version of its format cannot say; another one of the same provider's can.
    UnreportedByVersion,
    /// A referral was there but could not be read.
    Malformed,
    /// An ad or a post.
    Present(Box<Referral>),
}

impl ReferralReport {
    /// Whether there was no ad, and the provider would have said so.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        *self == ReferralReport::Absent
    }
}

/// The ad or post that led to a message. Empty strings are read as absent.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Referral {
    /// The click id, which Meta omits for ads placed in Status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctwa_clid: Option<String>,
    /// The ad's id, or the post's; digits, kept as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<String>,
    /// `ad`, `post`, or a later word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_type: Option<String>,
    /// The ad's or post's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// The ad's headline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headline: Option<String>,
    /// The ad's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// `image`, `video`, or a later word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The provider never passes click ids on, so that a missing one says nothing of the ad.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub click_id_stripped: bool,
}

impl Referral {
    /// Takes from `other` what is missing here; overwrites nothing.
    pub fn fill(&mut self, other: &Referral) {
        let pairs = [
            (&mut self.ctwa_clid, &other.ctwa_clid),
            (&mut self.source_id, &other.source_id),
            (&mut self.source_type, &other.source_type),
            (&mut self.source_url, &other.source_url),
            (&mut self.headline, &other.headline),
            (&mut self.body, &other.body),
            (&mut self.media_type, &other.media_type),
        ];
        for (gap, value) in pairs {
            if gap.is_none() {
                gap.clone_from(value);
            }
        }
        self.click_id_stripped &= other.click_id_stripped;
    }
}

/// Serialises a set of names that a provider may extend, as the names themselves.
macro_rules! open_names {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)*
            /// A name this version does not know, kept as sent.
            Other(String),
        }

        impl $name {
            /// The name as providers write it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $($name::$variant => $text,)*
                    $name::Other(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> $name {
                match text.as_str() {
                    $($text => $name::$variant,)*
                    _ => $name::Other(text),
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> $name {
                $name::from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }
    };
}
pub(crate) use open_names;

open_names! {
    /// What the customer sent. An unknown kind is a message like any other: it opens the window.
    MessageKind {
        /// Plain text.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A film.
        Video = "video",
        /// A voice note or another sound.
        Audio = "audio",
        /// A file.
        Document = "document",
        /// A sticker.
        Sticker = "sticker",
        /// A place.
        Location = "location",
        /// Contact cards.
        Contacts = "contacts",
        /// A template's quick reply.
        Button = "button",
        /// A reply to a button, list or flow.
        Interactive = "interactive",
        /// A cart.
        Order = "order",
        /// An emoji on an earlier message, or its removal.
        Reaction = "reaction",
        /// The chat was opened for the first time; nothing was written yet.
        RequestWelcome = "request_welcome",
        /// Content that the API cannot show, such as a poll.
        Unsupported = "unsupported",
        /// A correction of an earlier message.
        Edit = "edit",
        /// The withdrawal of an earlier message.
        Revoke = "revoke",
    }
}

/// Something the business sent from elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Echo {
    /// The provider's message id.
    pub id: String,
    /// What was sent.
    pub kind: MessageKind,
    /// What a person would read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Read from an import of older messages.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub history: bool,
}

open_names! {
    /// What became of a message of the business.
    StatusState {
        /// Accepted, not yet sent.
        Queued = "queued",
        /// On its way.
        Sent = "sent",
        /// On the customer's device.
        Delivered = "delivered",
        /// Opened.
        Read = "read",
        /// A voice note was played.
        Played = "played",
        /// Not delivered.
        Failed = "failed",
    }
}

/// A status of one message of the business.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The provider's id of the message.
    pub message_id: String,
    /// The state reached.
    pub state: StatusState,
    /// Error codes, in WhatsApp's or the provider's own numbering.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<u32>,
    /// When the free entry point ends, where the provider says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub free_entry_until: Option<Timestamp>,
}

impl Status {
    /// Whether the provider refused free text because the window was closed: Meta 131047, Twilio 63016,
    /// 470 of the older API.
    #[must_use]
    pub fn says_window_closed(&self) -> bool {
        self.codes.iter().any(|code| matches!(code, 131_047 | 63_016 | 470))
    }

    /// Whether the provider refused because the person stopped marketing: Meta 131050, Gupshup 1012,
    /// Twilio 21610.
    #[must_use]
    pub fn says_marketing_stopped(&self) -> bool {
        self.codes.iter().any(|code| matches!(code, 131_050 | 1_012 | 21_610))
    }
}

/// The names the customer had before a change; the new ones are the event's person.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IdentityChange {
    /// The number given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_phone: Option<Phone>,
    /// The business-scoped user id given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_bsuid: Option<Bsuid>,
    /// The parent id given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous_parent_bsuid: Option<Bsuid>,
}

/// The customer's choice about a category of messages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preference {
    /// The category: [`Preference::MARKETING`], [`Preference::ALL`], or a later word of Meta's.
    pub category: String,
    /// What they chose.
    pub choice: Choice,
}

impl Preference {
    /// Meta's name for marketing messages.
    pub const MARKETING: &'static str = "marketing_messages";
    /// Our name for all contact: a provider's opt-out that names no category.
    pub const ALL: &'static str = "all_messages";
}

open_names! {
    /// What a customer chose about a category of messages.
    Choice {
        /// No more of these.
        Stop = "stop",
        /// These are welcome again.
        Resume = "resume",
        /// Asked for them, through a sign-up.
        Signup = "signup",
    }
}

/// A WhatsApp call, or one step of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The provider's call id.
    pub id: String,
    /// `connect`, `terminate`, or a later word.
    pub step: String,
    /// Who called.
    pub direction: CallDirection,
    /// Whether the other side took it, as far as this step shows.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub answered: bool,
}

impl Call {
    /// Whether it opens the window: the customer called (answered or not), or took our call.
    #[must_use]
    pub fn is_customers_act(&self) -> bool {
        self.direction == CallDirection::ByCustomer || self.answered
    }
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallDirection {
    /// The customer called the business.
    ByCustomer,
    /// The business called the customer, or the provider does not say.
    ByBusiness,
}
