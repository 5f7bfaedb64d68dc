//! Positions and holdings, and the money that they and the waiting orders bind.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Desk, No, Order, Wish, required};
use crate::clock;
use crate::market::{self, Instrument, paise};

/// What the pretended account begins with; any sum would do.
const CASH: f64 = 1_000_000.5;

/// What was bought and sold of one instrument under one product.
#[derive(Clone, Debug)]
pub(super) struct Position {
    exchange: String,
    symbol: String,
    token: u32,
    product: String,
    overnight: i64,
    bought: i64,
    bought_for: f64,
    sold: i64,
    sold_for: f64,
}

/// Shares in the account.
#[derive(Clone, Debug)]
pub(super) struct Holding {
    token: u32,
    isin: &'static str,
    quantity: i64,
    /// Bought on the day before and not yet delivered.
    arriving: i64,
    average: f64,
}

/// A few shares to look at: token, ISIN, quantity, price paid.
pub(super) fn first_holdings() -> Vec<Holding> {
    let row = |token, isin, quantity, average| Holding { token, isin, quantity, arriving: 0, average };
    vec![
        row(408_065, "INE009A01021", 10, 1_320.5),
        row(779_521, "INE062A01020", 20, 640.25),
        row(424_961, "INE154A01025", 50, 415.0),
    ]
}

impl Position {
    fn net(&self) -> i64 {
        self.bought - self.sold
    }
}

impl Desk {
    /// Books a trade into its position.
    pub(super) fn book_trade(&mut self, order: &Order, one: &Instrument, (quantity, price): (i64, f64)) {
        let value = price * quantity as f64;
        let position = self.position(one, &order.product);
        if order.buys() {
            position.bought += quantity;
            position.bought_for += value;
        } else {
            position.sold += quantity;
            position.sold_for += value;
        }
        if order.product == "CNC" && !order.buys() {
            self.take_from_holdings(one.token, quantity);
        }
    }

    fn position(&mut self, one: &Instrument, product: &str) -> &mut Position {
        let found = self.positions.iter().position(|own| own.token == one.token && own.product == product);
        let index = found.unwrap_or_else(|| {
            self.positions.push(Position {
                exchange: one.exchange.to_owned(),
                symbol: one.symbol.clone(),
                token: one.token,
                product: product.to_owned(),
                overnight: 0,
                bought: 0,
                bought_for: 0.0,
                sold: 0,
                sold_for: 0.0,
            });
            self.positions.len() - 1
        });
        &mut self.positions[index]
    }

    /// Turns a part of a position into another product.
    pub(crate) fn convert(&mut self, sent: &Conversion<'_>, now: Timestamp) -> Result<Value, No> {
        let today = clock::in_india(now).date();
        let bad = |message: &str| No::Input(message.to_owned());
        let one = market::by_name(sent.exchange, sent.symbol, today)
            .ok_or_else(|| bad("Invalid `tradingsymbol`."))?;
        if !matches!(sent.new_product, "CNC" | "NRML" | "MIS" | "MTF") || sent.new_product == sent.old_product
        {
            return Err(bad("Invalid `new_product`."));
        }
        let buys = sent.side == "BUY";
        let old = self.position(&one, sent.old_product);
        let open = if buys { old.net() } else { -old.net() };
        if sent.quantity <= 0 || sent.quantity > open {
            return Err(No::Order("Insufficient open quantity to convert.".to_owned()));
        }
        let (count, value) = if buys { (old.bought, old.bought_for) } else { (old.sold, old.sold_for) };
        let moved = value / count.max(1) as f64 * sent.quantity as f64;
        let (count, sum) =
            if buys { (&mut old.bought, &mut old.bought_for) } else { (&mut old.sold, &mut old.sold_for) };
        *count -= sent.quantity;
        *sum -= moved;
        let new = self.position(&one, sent.new_product);
        let (count, sum) =
            if buys { (&mut new.bought, &mut new.bought_for) } else { (&mut new.sold, &mut new.sold_for) };
        *count += sent.quantity;
        *sum += moved;
        Ok(Value::Bool(true))
    }

    /// All positions: those of the day, and those with what was carried over.
    pub(crate) fn positions(&self, now: Timestamp) -> Value {
        let all: Vec<Value> = self.positions.iter().map(|own| self.position_fields(own, now)).collect();
        json!({"net": all, "day": all})
    }

    fn position_fields(&self, own: &Position, now: Timestamp) -> Value {
        let today = clock::in_india(now).date();
        let market = self.market();
        let one = market::by_token(own.token, today);
        let last = one.as_ref().map_or(0.0, |one| market.last_price(one, now));
        let close = one.as_ref().map_or(0.0, |one| market.close_price(one, now));
        let each = |value: f64, count: i64| if count == 0 { 0.0 } else { paise(value / count as f64) };
        let net = own.net();
        let value = own.sold_for - own.bought_for;
        let pnl = paise(value + net as f64 * last);
        let average = match net {
            0 => 0.0,
            1.. => each(own.bought_for, own.bought),
            _ => each(own.sold_for, own.sold),
        };
        let (buy_price, sell_price) = (each(own.bought_for, own.bought), each(own.sold_for, own.sold));
        let (bought_for, sold_for) = (paise(own.bought_for), paise(own.sold_for));
        let day_bought = own.bought - own.overnight.max(0);
        let day_sold = own.sold + own.overnight.min(0);
        json!({
            "tradingsymbol": own.symbol, "exchange": own.exchange, "instrument_token": own.token,
            "product": own.product, "quantity": net, "overnight_quantity": own.overnight, "multiplier": 1,
            "average_price": average, "close_price": if own.overnight == 0 { 0.0 } else { close },
            "last_price": last, "value": paise(value), "pnl": pnl, "m2m": pnl, "unrealised": pnl, "realised": 0,
            "buy_quantity": own.bought, "buy_price": buy_price, "buy_value": bought_for, "buy_m2m": bought_for,
            "sell_quantity": own.sold, "sell_price": sell_price, "sell_value": sold_for, "sell_m2m": sold_for,
            "day_buy_quantity": day_bought, "day_buy_price": if day_bought == 0 { 0.0 } else { buy_price },
            "day_buy_value": paise(day_bought as f64 * buy_price),
            "day_sell_quantity": day_sold, "day_sell_price": if day_sold == 0 { 0.0 } else { sell_price },
            "day_sell_value": paise(day_sold as f64 * sell_price),
        })
    }

    /// The holdings with all their fields.
    pub(crate) fn holdings(&self, now: Timestamp) -> Vec<Value> {
        self.holdings.iter().filter_map(|own| self.holding_fields(own, now)).collect()
    }

    fn holding_fields(&self, own: &Holding, now: Timestamp) -> Option<Value> {
        let today = clock::in_india(now).date();
        let one = market::by_token(own.token, today)?;
        let (last, close) = (self.market().last_price(&one, now), self.market().close_price(&one, now));
        let held = own.quantity + own.arriving;
        Some(json!({
            "tradingsymbol": one.symbol, "exchange": one.exchange, "instrument_token": one.token,
            "isin": own.isin, "product": "CNC", "price": 0, "quantity": own.quantity, "used_quantity": 0,
            "t1_quantity": own.arriving, "realised_quantity": own.quantity, "authorised_quantity": 0,
            "authorised_date": format!("{today} 00:00:00"), "authorisation": {}, "opening_quantity": held,
            "short_quantity": 0, "collateral_quantity": 0, "collateral_type": "", "discrepancy": false,
            "average_price": own.average, "last_price": last, "close_price": close,
            "pnl": paise((last - own.average) * held as f64), "day_change": paise(last - close),
            "day_change_percentage": (last - close) / close * 100.0,
            "mtf": {"quantity": 0, "used_quantity": 0, "average_price": 0, "value": 0, "initial_margin": 0},
        }))
    }

    /// Cash that nothing binds.
    pub(crate) fn free_cash(&self) -> f64 {
        paise(CASH - self.bound(None))
    }

    /// The margins of one segment (Kite Connect docs, /user).
    pub(crate) fn margins(&self, commodity: bool) -> Value {
        let debits = paise(self.bound(Some(commodity)));
        let net = paise(CASH - debits);
        json!({
            "enabled": true, "net": net,
            "available": {
                "adhoc_margin": 0, "cash": CASH, "opening_balance": CASH, "live_balance": net,
                "collateral": 0, "intraday_payin": 0,
            },
            "utilised": {
                "debits": debits, "exposure": 0, "m2m_realised": 0, "m2m_unrealised": 0, "option_premium": 0,
                "payout": 0, "span": debits, "holding_sales": 0, "turnover": 0, "liquid_collateral": 0,
                "stock_collateral": 0, "delivery": 0,
            },
        })
    }

    /// What positions and waiting buy orders bind, of one segment or of both.
    fn bound(&self, commodity: Option<bool>) -> f64 {
        let asked = |exchange: &str| commodity.is_none_or(|commodity| commodity == (exchange == "MCX"));
        let day = self.day.unwrap_or_default();
        let positions =
            self.positions.iter().filter(|own| asked(&own.exchange) && own.net() != 0).map(|own| {
                let (value, count) =
                    if own.net() > 0 { (own.bought_for, own.bought) } else { (own.sold_for, own.sold) };
                let one = market::by_token(own.token, day);
                one.map_or(0.0, |one| {
                    required(&one, &own.product, own.net().abs(), value / count.max(1) as f64)
                })
            });
        let waiting =
            self.orders.iter().filter(|order| order.waits() && order.buys() && asked(&order.exchange));
        let orders = waiting.map(|order| {
            let one = market::by_token(order.instrument_token, day);
            one.map_or(0.0, |one| required(&one, &order.product, order.pending_quantity, order.price))
        });
        positions.chain(orders).sum()
    }

    /// What is to be said when shares are sold that nobody has.
    pub(super) fn short_of_shares(&self, wish: &Wish) -> Option<String> {
        if wish.product != "CNC" || wish.side != "SELL" {
            return None;
        }
        let day = self.day.unwrap_or_default();
        let one = market::by_name(&wish.exchange, &wish.symbol, day)?;
        let held: i64 =
            self.holdings.iter().filter(|own| own.token == one.token).map(|own| own.quantity).sum();
        let own = self.positions.iter().find(|own| own.token == one.token && own.product == "CNC");
        let bought = own.map_or(0, |own| own.bought);
        let message = || format!("Insufficient holding quantity. You have {} shares.", held + bought);
        (wish.quantity > held + bought).then(message)
    }

    fn take_from_holdings(&mut self, token: u32, quantity: i64) {
        if let Some(own) = self.holdings.iter_mut().find(|own| own.token == token) {
            own.quantity = own.quantity.saturating_sub(quantity).max(0);
        }
        self.holdings.retain(|own| own.quantity + own.arriving > 0);
    }

    /// A new day: the book is empty, shares bought yesterday arrive, and intraday positions were squared off.
    pub(super) fn begin_day(&mut self) {
        self.orders.retain(|order| order.status == "AMO REQ RECEIVED");
        self.trades.clear();
        for own in &mut self.holdings {
            own.quantity += own.arriving;
            own.arriving = 0;
        }
        for own in std::mem::take(&mut self.positions) {
            let net = own.net();
            if own.product == "CNC" && net > 0 {
                let average = paise(own.bought_for / own.bought.max(1) as f64);
                let isin = "";
                match self.holdings.iter_mut().find(|held| held.token == own.token) {
                    Some(held) => held.arriving += net,
                    None => self.holdings.push(Holding {
                        token: own.token,
                        isin,
                        quantity: 0,
                        arriving: net,
                        average,
                    }),
                }
            } else if own.product == "NRML" && net != 0 {
                let each =
                    if net > 0 { own.bought_for / own.bought as f64 } else { own.sold_for / own.sold as f64 };
                let (bought, sold) = (net.max(0), (-net).max(0));
                let (bought_for, sold_for) = (each * bought as f64, each * sold as f64);
                self.positions.push(Position { overnight: net, bought, bought_for, sold, sold_for, ..own });
            }
        }
    }
}

/// What a conversion asks for.
pub(crate) struct Conversion<'a> {
    pub(crate) exchange: &'a str,
    pub(crate) symbol: &'a str,
    /// BUY for a long position.
    pub(crate) side: &'a str,
    pub(crate) quantity: i64,
    pub(crate) old_product: &'a str,
    pub(crate) new_product: &'a str,
}
