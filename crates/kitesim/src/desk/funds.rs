//! Mutual funds: orders, plans and holdings (Kite Connect docs, /mf). Orders stay open; no fund house settles them.

use jiff::{Span, Timestamp};
use serde_json::{Value, json};

use super::{Desk, MOST_ENTRIES, No};
use crate::clock;
use crate::market::{drawn, stamp};

/// Symbol, name, dividend type, price.
const FUNDS: [(&str, &str, &str, f64); 3] = [
    ("INF000K01AA1", "Simulated Liquid Fund - Direct Plan", "growth", 2_081.5),
    ("INF000K01BB2", "Simulated Balanced Fund - Direct Plan", "growth", 30.68),
    ("INF000K01CC3", "Simulated Index Fund - Direct Plan", "payout", 116.7),
];
const FREQUENCIES: [&str; 3] = ["weekly", "monthly", "quarterly"];

impl Desk {
    /// Places an order for a fund.
    pub(crate) fn place_fund<'a>(
        &mut self,
        field: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Result<Value, No> {
        let (symbol, fund, _, price) = *known(field("tradingsymbol"))?;
        let side = field("transaction_type").filter(|side| matches!(*side, "BUY" | "SELL"));
        let side = side.ok_or_else(|| No::Input("Invalid `transaction_type`.".to_owned()))?;
        let wanted = if side == "BUY" { "amount" } else { "quantity" };
        let number = amount(field(wanted), wanted)?;
        full(&self.fund_orders)?;
        let order_id = self.next_uuid();
        let (amount, quantity) = if side == "BUY" { (number, 0.0) } else { (0.0, number) };
        self.fund_orders.push(json!({
            "status": "OPEN", "purchase_type": "FRESH", "folio": null, "order_timestamp": stamp(now),
            "average_price": 0.0, "exchange_order_id": null, "last_price": price, "tradingsymbol": symbol,
            "settlement_id": null, "transaction_type": side, "order_id": order_id, "amount": amount,
            "tag": field("tag"), "placed_by": self.user_id, "exchange_timestamp": null, "variety": "regular",
            "last_price_date": today(now), "status_message": null, "fund": fund, "quantity": quantity,
        }));
        Ok(json!({"order_id": order_id}))
    }

    /// Cancels an order that is open.
    pub(crate) fn cancel_fund(&mut self, order_id: &str) -> Result<Value, No> {
        let order = self.fund_orders.iter_mut().find(|order| order["order_id"] == order_id);
        let order = order.ok_or(No::Missing("order_id"))?;
        if order["status"] != "OPEN" {
            return Err(No::Order("Order cannot be cancelled.".to_owned()));
        }
        order["status"] = json!("CANCELLED");
        Ok(json!({"order_id": order_id}))
    }

    /// All orders, or one.
    pub(crate) fn fund_orders(&self, order_id: Option<&str>) -> Result<Value, No> {
        one_or_all(&self.fund_orders, "order_id", order_id)
    }

    /// Begins a plan of instalments.
    pub(crate) fn place_plan<'a>(
        &mut self,
        field: impl Fn(&str) -> Option<&'a str>,
        now: Timestamp,
    ) -> Result<Value, No> {
        let (symbol, fund, dividend, _) = *known(field("tradingsymbol"))?;
        let amount = amount(field("amount"), "amount")?;
        let frequency = frequency(field("frequency"))?;
        let instalments = whole(field("instalments"), "instalments")?.unwrap_or(-1);
        let instalment_day = whole(field("instalment_day"), "instalment_day")?.unwrap_or(0);
        full(&self.plans)?;
        let number = self.next_number();
        let sip_id =
            format!("{:015}", drawn(self.market().seed, &format!("plan {number}"), 999_999_999_999_999));
        let next = clock::in_india(now).date().checked_add(Span::new().days(7));
        self.plans.push(json!({
            "status": "ACTIVE", "sip_reg_num": null, "pending_instalments": instalments, "created": stamp(now),
            "step_up": {}, "dividend_type": dividend, "instalment_amount": amount, "tag": field("tag"),
            "instalments": instalments, "next_instalment": next.map(|day| day.to_string()).unwrap_or_default(),
            "transaction_type": "BUY", "trigger_price": 0, "fund": fund, "tradingsymbol": symbol,
            "frequency": frequency, "last_instalment": stamp(now), "instalment_day": instalment_day,
            "sip_type": "sip", "fund_source": "pool", "completed_instalments": 0, "sip_id": sip_id,
        }));
        Ok(json!({"sip_id": sip_id}))
    }

    /// Changes a plan.
    pub(crate) fn modify_plan<'a>(
        &mut self,
        sip_id: &str,
        field: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Value, No> {
        let plan = self.plans.iter_mut().find(|plan| plan["sip_id"] == sip_id);
        let plan = plan.ok_or(No::Missing("sip_id"))?;
        let sent = |name: &str| field(name).filter(|text| !text.is_empty());
        if let Some(status) = sent("status") {
            let status = match status.to_ascii_lowercase().as_str() {
                "active" => "ACTIVE",
                "paused" => "PAUSED",
                _ => return Err(No::Input("Invalid `status`.".to_owned())),
            };
            plan["status"] = json!(status);
        }
        if let Some(text) = sent("amount") {
            plan["instalment_amount"] = json!(amount(Some(text), "amount")?);
        }
        if let Some(text) = sent("frequency") {
            plan["frequency"] = json!(frequency(Some(text))?);
        }
        for name in ["instalments", "instalment_day"] {
            if let Some(number) = whole(sent(name), name)? {
                plan[name] = json!(number);
            }
        }
        Ok(json!({"sip_id": sip_id}))
    }

    /// Ends a plan.
    pub(crate) fn cancel_plan(&mut self, sip_id: &str) -> Result<Value, No> {
        let plan = self.plans.iter_mut().find(|plan| plan["sip_id"] == sip_id);
        plan.ok_or(No::Missing("sip_id"))?["status"] = json!("CANCELLED");
        Ok(json!({"sip_id": sip_id}))
    }

    /// All plans, or one.
    pub(crate) fn plans(&self, sip_id: Option<&str>) -> Result<Value, No> {
        one_or_all(&self.plans, "sip_id", sip_id)
    }
}

/// The units that the account holds.
pub(crate) fn fund_holdings() -> Value {
    let list = FUNDS.iter().take(2).zip(1..).map(|((symbol, fund, _, price), number)| {
        json!({
            "folio": format!("310829088{number}"), "average_price": price * 0.9, "last_price": price,
            "last_price_date": "", "pledged_quantity": 0, "fund": fund, "tradingsymbol": symbol, "pnl": 0,
            "quantity": 12.5,
        })
    });
    json!(list.collect::<Vec<_>>())
}

/// The dump of all funds.
pub(crate) fn funds_csv(now: Timestamp) -> String {
    let mut text = "tradingsymbol,amc,name,purchase_allowed,redemption_allowed,minimum_purchase_amount,\
                    purchase_amount_multiplier,minimum_additional_purchase_amount,minimum_redemption_quantity,\
                    redemption_quantity_multiplier,dividend_type,scheme_type,plan,settlement_type,last_price,\
                    last_price_date\n"
        .to_owned();
    for (symbol, name, dividend, price) in FUNDS {
        let today = today(now);
        text.push_str(&format!(
            "{symbol},SimulatedMutualFund_MF,{name},1,1,1000.0,1.0,1000.0,0.001,0.001,{dividend},equity,direct,T3,\
             {price},{today}\n"
        ));
    }
    text
}

type Fund = (&'static str, &'static str, &'static str, f64);

fn known(symbol: Option<&str>) -> Result<&'static Fund, No> {
    let found = FUNDS.iter().find(|(own, ..)| symbol == Some(*own));
    found.ok_or_else(|| No::Input("Invalid `tradingsymbol`.".to_owned()))
}

fn amount(text: Option<&str>, name: &str) -> Result<f64, No> {
    let number = text.and_then(|text| text.parse::<f64>().ok());
    let number = number.filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| No::Input(format!("Invalid `{name}`.")))
}

fn whole(text: Option<&str>, name: &str) -> Result<Option<i64>, No> {
    let number = text.filter(|text| !text.is_empty()).map(str::parse).transpose();
    number.map_err(|_error| No::Input(format!("Invalid `{name}`.")))
}

fn frequency(text: Option<&str>) -> Result<&'static str, No> {
    let found = FREQUENCIES.iter().find(|own| text == Some(**own));
    found.copied().ok_or_else(|| No::Input("Invalid `frequency`.".to_owned()))
}

fn full(list: &[Value]) -> Result<(), No> {
    if list.len() < MOST_ENTRIES { Ok(()) } else { Err(No::Input("Too many entries.".to_owned())) }
}

fn one_or_all(list: &[Value], key: &'static str, name: Option<&str>) -> Result<Value, No> {
    match name {
        None => Ok(json!(list)),
        Some(name) => list.iter().find(|entry| entry[key] == name).cloned().ok_or(No::Missing(key)),
    }
}

fn today(now: Timestamp) -> String {
    clock::in_india(now).date().to_string()
}
