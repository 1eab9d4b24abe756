//! The simulated Zoho CRM, told from the facts and apart from any adapter.

mod changes;
mod credits;
mod queries;
mod records;
mod schema;
mod tokens;

use crate::support::{Desk, Said};
use serde_json::{Value, json};

impl Desk {
    /// Writes records to a module, by POST.
    fn make(&self, module: &str, records: Value) -> Said {
        self.post(&format!("/crm/v8/{module}"), json!({ "data": records }))
    }

    /// Creates a record, and gives its id.
    fn made(&self, module: &str, record: Value) -> String {
        let said = self.make(module, json!([record]));
        assert_eq!(said.status, 201, "{}", said.body);
        said.entry(0)["details"]["id"].as_str().unwrap().to_owned()
    }

    /// Creates a lead with this and its mandatory fields, and gives its id.
    fn lead(&self, mut fields: Value) -> String {
        for name in ["Last_Name", "Company"] {
            if fields.get(name).is_none() {
                fields[name] = json!("A");
            }
        }
        self.made("Leads", fields)
    }

    fn put(&self, target: &str, record: Value) -> Said {
        self.call("PUT", &format!("/crm/v8/{target}"), &json!({"data": [record]}))
    }

    /// One record read alone; null where it is not there.
    fn read(&self, target: &str) -> Value {
        let said = self.get(&format!("/crm/v8/{target}"));
        match said.status {
            200 => said.body["data"][0].clone(),
            status => {
                assert_eq!((status, &said.body), (204, &Value::Null));
                Value::Null
            }
        }
    }

    fn coql(&self, query: &str) -> Said {
        self.post("/crm/v8/coql", json!({ "select_query": query }))
    }

    /// The ids that a query finds.
    fn selected(&self, query: &str) -> Vec<String> {
        let said = self.coql(query);
        if said.status == 204 {
            return Vec::new();
        }
        assert_eq!(said.status, 200, "{query}: {}", said.body);
        crate::support::ids(&said.body["data"])
    }
}

impl Said {
    /// The entry of one record.
    fn entry(&self, at: usize) -> &Value {
        &self.body["data"][at]
    }
}
