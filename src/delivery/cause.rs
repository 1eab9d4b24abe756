//! Why a job is where it is, in words, and what to do about it.
//!
//! In: a cause as it is stored: a failure (`invalid: VALIDATION_ERROR (field phone) [400]`) or a word of the outbox's own
//! (`person_dead`). Out: a sentence and a next step. Codes and fields are the CRM's; no value of a person is in them.

/// The kind of a cause: what comes before its details. A closed set, fit for a metric's label.
#[must_use]
pub fn kind(cause: &str) -> &str {
    cause.split([':', ' ', '(']).next().unwrap_or(cause)
}

/// The CRM's field that a cause names: `drift: contact ad_id missing`, or `... (field ad_id)`.
#[must_use]
pub fn field(cause: &str) -> Option<&str> {
    if let Some((_, rest)) = cause.split_once("(field ") {
        return rest.split_once(')').map(|(field, _)| field);
    }
    let words: Vec<&str> = cause.strip_prefix("drift: ")?.split(' ').collect();
    if let [_, field, _] = words[..] { Some(field) } else { None }
}

/// A cause, as a sentence without its full stop.
#[must_use]
pub fn sentence(cause: &str, target: &str) -> String {
    let (kind, rest) = (kind(cause), cause.split_once(": ").map_or("", |(_, rest)| rest));
    let said = if rest.is_empty() { String::new() } else { format!(" ({rest})") };
    match kind {
        "invalid" => format!("{target} refuses what it says{said}"),
        "instruction" => format!("a chatbot instructs what cannot be done in {target}{said}"),
        "drift" => match field(cause) {
            Some(field) => format!("{target} no longer has the field {field} as it was{said}"),
            None => format!("the fields or pipelines of {target} are not what they were{said}"),
        },
        "auth" => format!("{target} does not accept the token{said}"),
        "throttle" => format!("{target} asked for fewer requests{said}"),
        "down" => format!("{target} does not answer{said}"),
        "conflict" => format!("another record in {target} is in the way{said}"),
        "vanished" => format!("the record is gone from {target}{said}"),
        "unknown" => format!("it was sent to {target}, and nothing says whether it was applied{said}"),
        "waiting" => "what comes before it has not been written".to_owned(),
        "person_dead" => format!("the person's own record was refused by {target}"),
        "person_held" => "the person's own record waits".to_owned(),
        "person_discarded" => "the person's own record was given up by hand".to_owned(),
        "rollout" => format!("{target} is opened to a share of the leads, and this one is not in it yet"),
        "person_rule" => {
            format!("{target} creates nobody's record whom its rule leaves out{said}; they are kept here")
        }
        "unchanged" => format!("nothing changed that {target} is told of"),
        "shadow" => format!("{target} is in shadow mode: it was worked out and not written"),
        "merged" => "the lead turned out to be another one, whose job it is now".to_owned(),
        _ => cause.to_owned(),
    }
}

/// What to do about a cause; an empty text where it mends itself.
#[must_use]
pub fn advice(cause: &str, target: &str) -> String {
    match kind(cause) {
        "invalid" => {
            let what = field(cause).map_or("what is sent".to_owned(), |field| format!("the field {field}"));
            format!("correct {what} in [target.fields] or in {target}, then retry it")
        }
        "instruction" => "mend the configuration as it says, reload the daemon, then retry it".to_owned(),
        "drift" => {
            format!(
                "wabridge check --online names what is missing; `wabridge target setup {target}` creates fields; held jobs go on by themselves"
            )
        }
        "auth" => format!(
            "correct the token of target '{target}', reload the daemon, then: wabridge target resume {target}"
        ),
        "conflict" => format!("merge the two records in {target}, then retry it"),
        "rollout" => format!("raise rollout_percent of target '{target}', and reload the daemon"),
        "person_rule" => {
            format!(
                "they are written once they meet [target.person_rule] of '{target}', or with a wider rule"
            )
        }
        "vanished" => "retry it: the person is looked for again".to_owned(),
        "person_dead" | "person_held" | "person_discarded" => {
            "mend the person's own job: this one follows it".to_owned()
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_code_and_field_and_the_way_out_names_the_field() {
        let cause = "invalid: VALIDATION_ERROR (field phone) [400]";
        assert_eq!((kind(cause), field(cause)), ("invalid", Some("phone")));
        let said = sentence(cause, "hubspot");
        assert_eq!(said, "hubspot refuses what it says (VALIDATION_ERROR (field phone) [400])");
        assert!(advice(cause, "hubspot").starts_with("correct the field phone in [target.fields]"));
        assert_eq!((kind("person_dead"), field("person_dead")), ("person_dead", None));
        assert!(advice("auth: INVALID_AUTHENTICATION [401]", "hs").contains("wabridge target resume hs"));
    }

    #[test]
    fn what_the_schema_holds_up_is_told_by_its_name() {
        let cause = "drift: contact wa_e164 missing";
        assert_eq!(field(cause), Some("wa_e164"));
        let said = sentence(cause, "hubspot");
        assert_eq!(said, "hubspot no longer has the field wa_e164 as it was (contact wa_e164 missing)");
        assert_eq!(field("drift: PROPERTY_DOESNT_EXIST"), None);
        assert!(advice(cause, "hubspot").contains("wabridge target setup hubspot"));
    }

    #[test]
    fn an_instruction_that_cannot_be_obeyed_is_told_with_its_name() {
        let cause = "instruction: unknown stage 'hot' (add it to [target.deal.stages] of 'hubspot')";
        assert!(sentence(cause, "hubspot").contains("unknown stage 'hot'"));
        assert!(advice(cause, "hubspot").contains("reload the daemon"));
    }

    #[test]
    fn what_mends_itself_asks_for_nothing() {
        for cause in ["down: connect", "throttle: RATE_LIMIT [429]", "unknown: timeout"] {
            assert_eq!(advice(cause, "hubspot"), "", "{cause}");
        }
        assert!(sentence("down: connect", "hubspot").contains("does not answer (connect)"));
    }
}
