//! The fields that are written whatever else is mapped: who the person is and where they came from.
//!
//! A CRM's own fields for phone, e-mail and name are used, and only filled where they are empty: they are
//! people's. For the rest there are fields of ours, which `wabridge target setup` creates.

use super::{Datum, Mapping, Path, Source, WriteRule};

/// A CRM's own names for what every CRM has.
struct Native {
    slug: &'static str,
    phone: &'static str,
    email: &'static str,
    first_name: &'static str,
    last_name: &'static str,
}

/// The last one stands for every CRM that is not named.
const NATIVE: [Native; 3] = [
    Native {
        slug: "hubspot",
        phone: "phone",
        email: "email",
        first_name: "firstname",
        last_name: "lastname",
    },
    Native { slug: "zoho", phone: "Phone", email: "Email", first_name: "First_Name", last_name: "Last_Name" },
    Native { slug: "", phone: "phone", email: "email", first_name: "first_name", last_name: "last_name" },
];

/// Fields of ours, the same in every CRM. Many accounts have fields called `utm_source` that web forms fill, so ours
/// are called otherwise.
const OURS: [(&str, &str); 7] = [
    ("wa_source", "source"),
    ("first_conversation_url", "first_conversation_url"),
    ("wa_utm_source", "utm.source"),
    ("wa_utm_medium", "utm.medium"),
    ("wa_utm_campaign", "utm.campaign"),
    ("wa_utm_term", "utm.term"),
    ("wa_utm_content", "utm.content"),
];

/// What a person is called where nobody knows: some CRMs take no record without a name.
const NAMELESS: &str = "WhatsApp lead";

/// What is written to the people of a CRM beside `given`: everything that `given` neither maps elsewhere nor uses
/// the field of.
#[must_use]
pub fn standard(slug: &str, given: &[Mapping]) -> Vec<Mapping> {
    let [.., other] = &NATIVE;
    let native = NATIVE.iter().find(|native| native.slug == slug).unwrap_or(other);
    let theirs = [
        (native.phone, "phone"),
        (native.email, "email"),
        (native.first_name, "name.first"),
        (native.last_name, "name.last"),
    ];
    let theirs = theirs.map(|(field, path)| (field, path, WriteRule::IfEmpty));
    let ours = OURS.map(|(field, path)| (field, path, WriteRule::Always));
    let is_new = |(field, path, _): &(&str, &str, WriteRule)| {
        !given.iter().any(|known| known.field == *field || covers(known, path))
    };
    theirs.into_iter().chain(ours).filter(is_new).filter_map(mapping).collect()
}

/// Whether a mapping already carries what is at a path; a whole name carries its parts.
fn covers(known: &Mapping, path: &str) -> bool {
    known.path().is_some_and(|known| {
        known.as_str() == path || (known.as_str() == "name" && path.starts_with("name."))
    })
}

fn mapping((field, path, write): (&str, &str, WriteRule)) -> Option<Mapping> {
    let from = Source::Path(Path::parse(path).ok()?);
    let default = (path == "name.last").then(|| Datum::Text(NAMELESS.to_owned()));
    Some(Mapping { write, default, ..Mapping::new(field, from) })
}
