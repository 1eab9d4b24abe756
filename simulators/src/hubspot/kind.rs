//! The objects there are: their names, ids, default properties and how they are linked.

/// An object type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    Contacts,
    Deals,
    Communications,
    Notes,
    Tasks,
}

impl Kind {
    pub(super) const ALL: [Kind; 5] =
        [Kind::Contacts, Kind::Deals, Kind::Communications, Kind::Notes, Kind::Tasks];

    /// By its name, in the plural or the singular, or its id.
    pub(super) fn find(name: &str) -> Option<Kind> {
        let named = |kind: &Kind| name == kind.plural() || name == kind.singular() || name == kind.type_id();
        Kind::ALL.into_iter().find(named)
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Kind::Contacts => "contacts",
            Kind::Deals => "deals",
            Kind::Communications => "communications",
            Kind::Notes => "notes",
            Kind::Tasks => "tasks",
        }
    }

    pub(super) fn singular(self) -> &'static str {
        match self {
            Kind::Contacts => "contact",
            Kind::Deals => "deal",
            Kind::Communications => "communication",
            Kind::Notes => "note",
            Kind::Tasks => "task",
        }
    }

    pub(super) fn type_id(self) -> &'static str {
        match self {
            Kind::Contacts => "0-1",
            Kind::Deals => "0-3",
            Kind::Communications => "0-18",
            Kind::Notes => "0-46",
            Kind::Tasks => "0-27",
        }
    }

    pub(super) fn is_activity(self) -> bool {
        matches!(self, Kind::Communications | Kind::Notes | Kind::Tasks)
    }

    /// The properties that hold when a record was made and last touched.
    pub(super) fn times(self) -> (&'static str, &'static str) {
        match self {
            Kind::Contacts => ("createdate", "lastmodifieddate"),
            Kind::Deals => ("createdate", "hs_lastmodifieddate"),
            _ => ("hs_createdate", "hs_lastmodifieddate"),
        }
    }

    /// What is read where nothing is asked for.
    pub(super) fn default_properties(self) -> &'static [&'static str] {
        match self {
            Kind::Contacts => {
                &["createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"]
            }
            Kind::Deals => &[
                "amount",
                "closedate",
                "createdate",
                "dealname",
                "dealstage",
                "hs_lastmodifieddate",
                "hs_object_id",
                "pipeline",
            ],
            _ => &["hs_createdate", "hs_lastmodifieddate", "hs_object_id"],
        }
    }

    /// HubSpot's own link from this object to another, by its number.
    pub(super) fn link_to(self, other: Kind) -> Option<u64> {
        use Kind::{Communications, Contacts, Deals, Notes, Tasks};
        let number = match (self, other) {
            (Deals, Contacts) => 3,
            (Contacts, Deals) => 4,
            (Communications, Contacts) => 81,
            (Contacts, Communications) => 82,
            (Communications, Deals) => 85,
            (Deals, Communications) => 86,
            (Contacts, Notes) => 201,
            (Notes, Contacts) => 202,
            (Contacts, Tasks) => 203,
            (Tasks, Contacts) => 204,
            (Deals, Notes) => 213,
            (Notes, Deals) => 214,
            (Deals, Tasks) => 215,
            (Tasks, Deals) => 216,
            _ => return None,
        };
        Some(number)
    }
}
