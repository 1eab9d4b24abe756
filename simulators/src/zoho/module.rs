//! The modules there are, by their API names.

/// A module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Module {
    Leads,
    Contacts,
    Accounts,
    Deals,
    Notes,
    Tasks,
    Events,
    Calls,
}

impl Module {
    pub(super) const ALL: [Module; 8] = [
        Module::Leads,
        Module::Contacts,
        Module::Accounts,
        Module::Deals,
        Module::Notes,
        Module::Tasks,
        Module::Events,
        Module::Calls,
    ];

    pub(super) fn find(name: &str) -> Option<Module> {
        Module::ALL.into_iter().find(|module| module.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Module::Leads => "Leads",
            Module::Contacts => "Contacts",
            Module::Accounts => "Accounts",
            Module::Deals => "Deals",
            Module::Notes => "Notes",
            Module::Tasks => "Tasks",
            Module::Events => "Events",
            Module::Calls => "Calls",
        }
    }

    pub(super) fn singular(self) -> &'static str {
        self.name().trim_end_matches('s')
    }

    /// As it is named in the ledger.
    pub(super) fn kind(self) -> String {
        self.singular().to_lowercase()
    }

    pub(super) fn id(self) -> String {
        (super::ORG + 2_000 + self as u64).to_string()
    }

    pub(super) fn is_person(self) -> bool {
        matches!(self, Module::Leads | Module::Contacts)
    }

    pub(super) fn is_activity(self) -> bool {
        matches!(self, Module::Notes | Module::Tasks | Module::Events | Module::Calls)
    }

    /// Whether it has `/upsert`.
    pub(super) fn upserts(self) -> bool {
        !self.is_activity()
    }

    /// The field that names a record to people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Module::Leads | Module::Contacts => "Full_Name",
            Module::Accounts => "Account_Name",
            Module::Deals => "Deal_Name",
            Module::Notes => "Note_Title",
            Module::Tasks | Module::Calls => "Subject",
            Module::Events => "Event_Title",
        }
    }

    /// The field that an upsert goes by where none is given and none is unique.
    pub(super) fn own_key(self) -> Option<&'static str> {
        match self {
            Module::Leads | Module::Contacts => Some("Email"),
            Module::Accounts => Some("Account_Name"),
            Module::Deals => Some("Deal_Name"),
            _ => None,
        }
    }
}
