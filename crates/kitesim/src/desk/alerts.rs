//! Alerts on prices (Kite Connect docs, /alerts); they are kept and given back, and never sent anywhere.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Desk, MOST_ENTRIES, No};
use crate::market::stamp;

/// The fields that stand in an alert as they were sent.
const SENT: [&str; 9] = [
    "name",
    "type",
    "lhs_exchange",
    "lhs_tradingsymbol",
    "lhs_attribute",
    "operator",
    "rhs_type",
    "rhs_exchange",
    "rhs_tradingsymbol",
];
/// Those without which there is no alert.
const NEEDED: [&str; 7] =
    ["name", "type", "lhs_exchange", "lhs_tradingsymbol", "lhs_attribute", "operator", "rhs_type"];

/// One alert, as replies have it.
pub(super) struct Alert {
    uuid: String,
    fields: Value,
}

impl Desk {
    /// Makes an alert, or changes the one with this name.
    pub(crate) fn set_alert<'a>(
        &mut self,
        uuid: Option<&str>,
        field: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Result<Value, No> {
        if let Some(name) = NEEDED.iter().find(|name| field(name).is_none_or(str::is_empty)) {
            return Err(No::Input(format!("Missing or empty field `{name}`")));
        }
        let constant = field("rhs_constant").unwrap_or("0").parse::<f64>().ok();
        let constant = constant.filter(|number| number.is_finite());
        let constant = constant.ok_or_else(|| No::Input("Invalid `rhs_constant`.".to_owned()))?;
        let mut fields = json!({
            "user_id": self.user_id, "status": "enabled", "disabled_reason": "",
            "rhs_attribute": field("rhs_attribute").unwrap_or_default(), "rhs_constant": constant,
            "alert_count": 0, "created_at": stamp(now), "updated_at": stamp(now),
        });
        for name in SENT {
            fields[name] = json!(field(name).unwrap_or_default());
        }
        if let Some(basket) = field("basket").and_then(|text| serde_json::from_str::<Value>(text).ok()) {
            fields["basket"] = basket;
        }
        let known = uuid.map(|uuid| self.alerts.iter().position(|own| own.uuid == uuid));
        let index = match known {
            Some(None) => return Err(No::Missing("uuid")),
            Some(Some(index)) => {
                fields["created_at"] = self.alerts[index].fields["created_at"].clone();
                index
            }
            None if self.alerts.len() >= MOST_ENTRIES => {
                return Err(No::Input("Maximum allowed alerts exceeded.".to_owned()));
            }
            None => {
                let uuid = self.next_uuid();
                self.alerts.push(Alert { uuid, fields: Value::Null });
                self.alerts.len() - 1
            }
        };
        let own = &mut self.alerts[index];
        fields["uuid"] = json!(own.uuid);
        own.fields = fields.clone();
        Ok(fields)
    }

    /// All alerts.
    pub(crate) fn alerts(&self) -> Value {
        json!(self.alerts.iter().map(|own| &own.fields).collect::<Vec<_>>())
    }

    /// One alert.
    pub(crate) fn alert(&self, uuid: &str) -> Result<Value, No> {
        let own = self.alerts.iter().find(|own| own.uuid == uuid);
        own.map(|own| own.fields.clone()).ok_or(No::Missing("uuid"))
    }

    /// Deletes alerts; those that are not there are no matter.
    pub(crate) fn drop_alerts(&mut self, uuids: &[&str]) -> Value {
        self.alerts.retain(|own| !uuids.contains(&own.uuid.as_str()));
        Value::Null
    }
}
