//! What a human does in Zoho's own screens, and the notices of it: bodies as `actions/watch` sends them, with a
//! static token in them as their only proof.
//!
//! A conversion makes a contact and an account out of a lead and moves what belonged to it; the lead stays, as a
//! converted one, and gives its unique values up. A merge deletes the record that is merged away: unlike
//! HubSpot's, its id leads nowhere. Which notices Zoho sends of these two is not documented: here one for each
//! record that was made, changed or deleted.

use super::account::USERS;
use super::module::Module;
use super::problem::Problem;
use super::record::{Converted, Values};
use super::{NOTICE_TOKEN, Visit, Zoho};
use crate::control::Change;
use crate::crm::Notice;
use serde_json::{Value, json};

/// The channel that the notices come by.
const CHANNEL: &str = "1000000068001";

/// Of a lead, what its account keeps and not its contact.
const COMPANY: &str = "Company";

impl Zoho {
    /// Makes the edit, and tells of it.
    pub(super) fn edited(&mut self, change: &Change, visit: &Visit) -> Result<Vec<Notice>, String> {
        let told = |problem: Problem| format!("{}: {} {}", problem.code, problem.message, problem.details);
        match change {
            Change::Field { person, field, value } => {
                let (module, id) = self.person(person)?;
                if self.schema.get(module, field).is_none_or(|field| field.read_only) {
                    return Err(format!(
                        "{} have no field '{field}' that a person can change",
                        module.name()
                    ));
                }
                let values = self.draft(module, Some(id), &json!({ field: value }), "$").map_err(told)?;
                self.apply(module, Some(id), values, USERS[1].0, visit);
                Ok(vec![self.notice(module, "update", id, &[field], visit)])
            }
            Change::Stage { deal, stage } => {
                let id = deal.parse().ok().and_then(|id| self.live(Module::Deals, id));
                let id = id.ok_or_else(|| format!("no deal '{deal}'"))?;
                let item = json!({ "Stage": stage });
                let values = self.draft(Module::Deals, Some(id), &item, "$").map_err(told)?;
                self.apply(Module::Deals, Some(id), values, USERS[1].0, visit);
                Ok(vec![self.notice(Module::Deals, "update", id, &["Stage"], visit)])
            }
            Change::Delete { person } => {
                let (module, id) = self.person(person)?;
                self.delete(id);
                Ok(vec![self.notice(module, "delete", id, &[], visit)])
            }
            Change::Merge { person, into } => {
                let ((module, loser), (of, winner)) = (self.person(person)?, self.person(into)?);
                if module != of || loser == winner {
                    return Err("two leads, or two contacts, are merged, and not one with itself".to_owned());
                }
                self.merge(module, loser, winner, visit);
                Ok(vec![
                    self.notice(module, "update", winner, &[], visit),
                    self.notice(module, "delete", loser, &[], visit),
                ])
            }
            Change::Convert { person } => {
                let (module, lead) = self.person(person)?;
                if module != Module::Leads {
                    return Err("only leads are converted".to_owned());
                }
                let contact = self.convert(lead, visit)?;
                let told = ["Converted__s", "Converted_Contact"];
                Ok(vec![
                    self.notice(Module::Contacts, "insert", contact, &[], visit),
                    self.notice(Module::Leads, "update", lead, &told, visit),
                ])
            }
        }
    }

    /// A person that is there, by its id.
    fn person(&self, id: &str) -> Result<(Module, u64), String> {
        let known = id.parse().ok().and_then(|id: u64| self.records.get(&id));
        let known = known.filter(|record| record.module.is_person() && record.is_live());
        known.map(|record| (record.module, record.id)).ok_or_else(|| format!("no lead or contact '{id}'"))
    }

    /// Makes a contact and an account out of a lead. A contact that has the lead's key is the one it becomes.
    fn convert(&mut self, lead: u64, visit: &Visit) -> Result<u64, String> {
        let values = self.records[&lead].values.clone();
        let shared = |(name, value): (&String, &Value)| {
            let field = self.schema.get(Module::Contacts, name).filter(|field| !field.read_only)?;
            Some((field.name.clone(), value.clone()))
        };
        let mut contact: Values = values.iter().filter_map(shared).collect();
        let there = self.rival(Module::Contacts, &contact);
        let by = USERS[1].0;
        let company = values.get(COMPANY).cloned().unwrap_or_default();
        let account = Values::from([("Account_Name".to_owned(), company)]);
        let account = self.apply(Module::Accounts, None, account, by, visit);
        contact.insert("Account_Name".to_owned(), json!(account.to_string()));
        self.release(lead);
        if let Some(there) = there {
            let had = &self.records[&there].values;
            contact.retain(|name, _| !had.contains_key(name));
        }
        let contact = self.apply(Module::Contacts, there, contact, by, visit);
        self.move_links(lead, contact, visit);
        if let Some(record) = self.records.get_mut(&lead) {
            record.converted = Some(Converted { contact, account, at: visit.now });
            record.set(Values::from([
                ("Converted__s".to_owned(), json!(true)),
                ("Converted_Date_Time".to_owned(), json!(super::stamp(visit.now))),
                ("Converted_Contact".to_owned(), json!(contact.to_string())),
                ("Converted_Account".to_owned(), json!(account.to_string())),
            ]));
            record.touch(by, visit.now, visit.lag);
        }
        Ok(contact)
    }

    /// The loser's values fill the winner's gaps, what belonged to it moves, and it is deleted.
    fn merge(&mut self, module: Module, loser: u64, winner: u64, visit: &Visit) {
        let mut values = self.records[&loser].values.clone();
        let had = &self.records[&winner].values;
        values.retain(|name, _| {
            !had.contains_key(name) && self.schema.get(module, name).is_some_and(|field| !field.read_only)
        });
        self.delete(loser);
        self.apply(module, Some(winner), values, USERS[1].0, visit);
        self.move_links(loser, winner, visit);
    }

    /// What names one record names another.
    fn move_links(&mut self, from: u64, to: u64, visit: &Visit) {
        let (from, to) = (from.to_string(), to.to_string());
        let into = self.records.get(&to.parse().unwrap_or_default()).map(|record| record.module);
        for record in self.records.values_mut() {
            let mut moved = false;
            for name in ["Parent_Id", "Who_Id", "What_Id", "Contact_Name"] {
                if record.text(name) != Some(from.as_str()) {
                    continue;
                }
                moved = true;
                // A task is with a lead by `What_Id`, and with a contact by `Who_Id`.
                if name == "What_Id" && into == Some(Module::Contacts) {
                    record.set(Values::from([
                        ("What_Id".to_owned(), Value::Null),
                        ("$se_module".to_owned(), Value::Null),
                        ("Who_Id".to_owned(), json!(to)),
                    ]));
                } else {
                    record.set(Values::from([(name.to_owned(), json!(to))]));
                }
            }
            if moved {
                record.touch(USERS[1].0, visit.now, visit.lag);
            }
        }
    }

    fn notice(&self, module: Module, operation: &str, id: u64, fields: &[&str], visit: &Visit) -> Notice {
        let id = id.to_string();
        let record = id.parse().ok().and_then(|id: u64| self.records.get(&id));
        let value = |name: &&str| {
            let value = record.and_then(|record| record.values.get(*name)).cloned();
            ((*name).to_owned(), value.unwrap_or_default())
        };
        let values: serde_json::Map<String, Value> = fields.iter().map(value).collect();
        let mut body = json!({
            "server_time": visit.now.as_millisecond(), "module": module.name(), "ids": [id],
            "resource_uri": format!("https://www.zohoapis.in/crm/v8/{}", module.name()),
            "operation": operation, "channel_id": CHANNEL, "token": NOTICE_TOKEN, "query_params": {},
            "affected_fields": [], "affected_values": [],
        });
        if !fields.is_empty() {
            let id = body["ids"][0].as_str().unwrap_or_default().to_owned();
            body["affected_fields"] = json!([{ id.clone(): fields }]);
            body["affected_values"] = json!([{ "record_id": id, "values": values }]);
        }
        Notice { body: body.to_string().into_bytes(), prove: |_, _, _| Vec::new() }
    }
}
