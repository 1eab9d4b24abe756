//! What configuration makes of a text: what it is about, and the link that it was written by.
//!
//! In: nothing, these are data. Out: [`Intents`] and [`Link`], kept with the message that they were read from.

use crate::chatbot::Utm;
use crate::event::{Event, Fact};
use serde::{Deserialize, Serialize};

impl Event {
    /// What the customer's own message is about, by the configured words; nothing of any other event, of groups or of
    /// imports.
    #[must_use]
    pub fn intents(&self) -> Option<&Intents> {
        match &self.fact {
            Fact::Message(message) if !message.group && !message.history => message.intents.as_deref(),
            _ => None,
        }
    }

    /// Whether the customer's own message is about this.
    #[must_use]
    pub fn has_intent(&self, label: &str) -> bool {
        self.intents().is_some_and(|intents| intents.labels.iter().any(|known| known == label))
    }
}

/// What a text is about, by the configured words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Intents {
    /// Labels, each once, in the order in which their words come.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// The competitors that it names, as configured.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub competitors: Vec<String>,
}

/// A configured wa.me link, recognised by the code in its pre-filled text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The code.
    pub code: String,
    /// The campaign parameters that stand for it.
    #[serde(default, skip_serializing_if = "Utm::is_empty")]
    pub utm: Utm,
}
