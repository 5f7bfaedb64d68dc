//! One order, what is wished for when it is placed, and which wishes are none.

use std::str::FromStr;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use super::No;
use crate::market::Instrument;

const TYPES: [&str; 4] = ["MARKET", "LIMIT", "SL", "SL-M"];
const PRODUCTS: [&str; 5] = ["CNC", "NRML", "MIS", "CO", "MTF"];
const VARIETIES: [&str; 5] = ["regular", "amo", "co", "iceberg", "auction"];
/// Kite Connect docs, /orders: a tag has at most 20 letters and digits; spaces occur in published samples.
const LONGEST_TAG: usize = 20;
/// Kite Connect docs, /orders: an iceberg has 2 to 10 legs.
const LEGS: std::ops::RangeInclusive<i64> = 2..=10;

/// An order in the fields of Kite Connect docs, /orders.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Order {
    pub(crate) placed_by: String,
    pub(crate) order_id: String,
    pub(crate) exchange_order_id: Option<String>,
    pub(crate) parent_order_id: Option<String>,
    pub(crate) status: &'static str,
    pub(crate) status_message: Option<String>,
    pub(crate) status_message_raw: Option<String>,
    pub(crate) order_timestamp: String,
    pub(crate) exchange_update_timestamp: Option<String>,
    pub(crate) exchange_timestamp: Option<String>,
    pub(crate) variety: String,
    pub(crate) modified: bool,
    pub(crate) exchange: String,
    pub(crate) tradingsymbol: String,
    pub(crate) instrument_token: u32,
    pub(crate) order_type: String,
    pub(crate) transaction_type: String,
    pub(crate) validity: String,
    pub(crate) validity_ttl: i64,
    pub(crate) product: String,
    pub(crate) quantity: i64,
    pub(crate) disclosed_quantity: i64,
    pub(crate) price: f64,
    pub(crate) trigger_price: f64,
    pub(crate) average_price: f64,
    pub(crate) filled_quantity: i64,
    pub(crate) pending_quantity: i64,
    pub(crate) cancelled_quantity: i64,
    pub(crate) market_protection: f64,
    pub(crate) meta: Map<String, Value>,
    pub(crate) tag: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    pub(crate) guid: String,
    #[serde(skip)]
    pub(super) placed: Timestamp,
    /// The second of its last fill, in which there is no other.
    #[serde(skip)]
    pub(super) filled_in: Option<i64>,
    #[serde(skip)]
    pub(super) modifications: u32,
    #[serde(skip)]
    pub(super) history: Vec<Value>,
}

impl Order {
    /// Takes a step and remembers it.
    pub(super) fn step(&mut self, status: &'static str) {
        self.status = status;
        let mut entry = serde_json::to_value(&*self).unwrap_or_default();
        if let Some(fields) = entry.as_object_mut() {
            fields.remove("guid");
            fields.remove("meta");
        }
        self.history.push(entry);
    }

    /// Whether it may still be changed.
    pub(super) fn waits(&self) -> bool {
        matches!(self.status, "OPEN" | "TRIGGER PENDING" | "AMO REQ RECEIVED")
    }

    pub(super) fn buys(&self) -> bool {
        self.transaction_type == "BUY"
    }
}

/// What is wished for: the fields of a form, read.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) variety: String,
    pub(crate) exchange: String,
    pub(crate) symbol: String,
    pub(crate) side: String,
    pub(crate) kind: String,
    pub(crate) product: String,
    pub(crate) quantity: i64,
    pub(crate) price: f64,
    pub(crate) trigger_price: f64,
    pub(crate) disclosed: i64,
    pub(crate) validity: String,
    pub(crate) ttl: i64,
    pub(crate) tag: Option<String>,
    /// Nothing means that it was not sent.
    pub(crate) protection: Option<f64>,
    pub(crate) legs: i64,
    pub(crate) leg_quantity: i64,
    pub(crate) autoslice: bool,
}

impl Wish {
    /// Reads the fields of a form.
    pub(crate) fn read<'a>(variety: &str, field: impl Fn(&str) -> Option<&'a str>) -> Result<Wish, No> {
        let text = |name: &str| field(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let needed =
            |name: &str| text(name).ok_or_else(|| No::Input(format!("Missing or empty field `{name}`")));
        Ok(Wish {
            variety: variety.to_owned(),
            exchange: needed("exchange")?,
            symbol: needed("tradingsymbol")?,
            side: needed("transaction_type")?,
            kind: needed("order_type")?,
            product: needed("product")?,
            quantity: number(&needed("quantity")?, "quantity")?,
            price: optional(text("price"), "price")?.unwrap_or(0.0),
            trigger_price: optional(text("trigger_price"), "trigger_price")?.unwrap_or(0.0),
            disclosed: optional(text("disclosed_quantity"), "disclosed_quantity")?.unwrap_or(0),
            validity: text("validity").unwrap_or_else(|| "DAY".to_owned()),
            ttl: optional(text("validity_ttl"), "validity_ttl")?.unwrap_or(0),
            tag: text("tag"),
            protection: optional(text("market_protection"), "market_protection")?,
            legs: optional(text("iceberg_legs"), "iceberg_legs")?.unwrap_or(0),
            leg_quantity: optional(text("iceberg_quantity"), "iceberg_quantity")?.unwrap_or(0),
            autoslice: text("autoslice").is_some_and(|text| text == "true"),
        })
    }

    /// Whether it can be an order for this instrument; `protected` demands market protection.
    pub(crate) fn check(&self, one: &Instrument, protected: bool) -> Result<(), No> {
        let within = |value: &str, list: &[&str], name: &str| {
            list.contains(&value).then_some(()).ok_or_else(|| No::Input(format!("Invalid `{name}`.")))
        };
        within(&self.variety, &VARIETIES, "variety")?;
        within(&self.side, &["BUY", "SELL"], "transaction_type")?;
        within(&self.kind, &TYPES, "order_type")?;
        within(&self.product, &PRODUCTS, "product")?;
        within(&self.validity, &["DAY", "IOC", "TTL"], "validity")?;
        let bad = |reason: &str| Err(No::Input(reason.to_owned()));
        if !one.tradable() {
            return bad("The instrument you are placing an order for has either expired or does not exist.");
        }
        if self.quantity <= 0 || self.quantity % one.lot != 0 {
            return Err(No::Input(format!("Invalid `quantity`. It must be a multiple of {}.", one.lot)));
        }
        if !self.price.is_finite()
            || !self.trigger_price.is_finite()
            || self.price < 0.0
            || self.trigger_price < 0.0
        {
            return bad("Invalid `price`.");
        }
        if matches!(self.kind.as_str(), "LIMIT" | "SL") && self.price <= 0.0 && self.kind == "LIMIT" {
            return bad("Invalid `price`.");
        }
        if matches!(self.kind.as_str(), "SL" | "SL-M") && self.trigger_price <= 0.0 {
            return bad("Invalid `trigger_price`.");
        }
        if self.validity == "IOC" && self.exchange == "MCX" {
            return bad("IOC orders are not allowed on MCX.");
        }
        if self.validity == "TTL" && !(1..=180).contains(&self.ttl) {
            return bad("Invalid `validity_ttl`.");
        }
        if self.variety == "co" && self.trigger_price <= 0.0 {
            return bad("Invalid `trigger_price`.");
        }
        if self.variety == "iceberg" && !self.is_iceberg() {
            return bad("Invalid `iceberg_legs` or `iceberg_quantity`.");
        }
        if self.tag.as_ref().is_some_and(|tag| tag.chars().count() > LONGEST_TAG) {
            return bad("Invalid `tag`. It should be maximum 20 characters.");
        }
        self.check_protection(protected)
    }

    /// Whether its legs are enough for its quantity; more would never end.
    fn is_iceberg(&self) -> bool {
        let most = self.leg_quantity.checked_mul(self.legs);
        LEGS.contains(&self.legs) && self.leg_quantity > 0 && most.is_some_and(|most| self.quantity <= most)
    }

    /// Zerodha's forum, March 2026: MARKET and SL-M need a protection that is not 0; -1 leaves it to the system.
    fn check_protection(&self, protected: bool) -> Result<(), No> {
        let given = self.protection.unwrap_or(0.0);
        let good = given == -1.0 || (given > 0.0 && given <= 100.0);
        let market = matches!(self.kind.as_str(), "MARKET" | "SL-M");
        if self.protection.is_some_and(|given| given != 0.0) && !good {
            return Err(No::Input("Invalid `market_protection`.".to_owned()));
        }
        // An after-market order and a cover order's own leg are under the same rule.
        if protected && market && !good {
            let message = format!("{} orders without market protection are not allowed via API.", self.kind);
            return Err(No::Input(message));
        }
        Ok(())
    }
}

pub(super) fn number<T: FromStr>(text: &str, name: &str) -> Result<T, No> {
    text.parse().map_err(|_error| No::Input(format!("Invalid `{name}`.")))
}

fn optional<T: FromStr>(text: Option<String>, name: &str) -> Result<Option<T>, No> {
    text.map(|text| number(&text, name)).transpose()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;
    use crate::market::by_name;

    fn wish(more: &[(&'static str, &'static str)]) -> Result<Wish, No> {
        let mut fields = vec![
            ("exchange", "NSE"),
            ("tradingsymbol", "INFY"),
            ("transaction_type", "BUY"),
            ("order_type", "MARKET"),
            ("product", "MIS"),
            ("quantity", "1"),
        ];
        fields.splice(0..0, more.iter().copied());
        Wish::read("regular", |name| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value))
    }

    #[test]
    fn market_orders_need_protection() {
        let one = by_name("NSE", "INFY", date(2026, 10, 5)).unwrap();
        let check = |more: &[(&'static str, &'static str)]| wish(more).unwrap().check(&one, true);
        assert!(check(&[]).is_err() && check(&[("market_protection", "0")]).is_err());
        assert!(check(&[("market_protection", "-1")]).is_ok());
        assert!(check(&[("market_protection", "2.5")]).is_ok());
        assert!(check(&[("market_protection", "-2")]).is_err());
        assert!(check(&[("order_type", "LIMIT"), ("price", "1500")]).is_ok());
        assert!(wish(&[]).unwrap().check(&one, false).is_ok());
        assert!(wish(&[("quantity", "many")]).is_err());
    }

    fn steady(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(steady(2_000))]

        /// Whatever the fields say, an order that passes has a quantity and prices that can be reckoned with.
        #[test]
        fn no_order_form_ends_its_reader(
            quantity in "-?[0-9]{1,20}", price in "-?[0-9.eE+-]{1,12}|NaN|inf", kind in "MARKET|LIMIT|SL|SL-M|.{0,4}",
            legs in "[0-9]{1,19}", validity in "DAY|IOC|TTL|.{0,3}", tag in ".{0,25}",
        ) {
            let one = by_name("NSE", "INFY", date(2026, 10, 5)).unwrap();
            let fields = [
                ("exchange", "NSE"), ("tradingsymbol", "INFY"), ("transaction_type", "BUY"), ("product", "MIS"),
                ("order_type", kind.as_str()), ("quantity", &quantity), ("price", &price), ("trigger_price", &price),
                ("iceberg_legs", &legs), ("iceberg_quantity", &quantity), ("validity", &validity), ("tag", &tag),
                ("market_protection", &price),
            ];
            for variety in VARIETIES {
                let field = |name: &str| fields.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
                if let Ok(wish) = Wish::read(variety, field) && wish.check(&one, true).is_ok() {
                    prop_assert!(wish.quantity > 0 && wish.price.is_finite() && wish.price >= 0.0);
                }
            }
        }
    }
}
