//! The instruments of the pretended market: a handful of every segment, with the tokens of the real ones where public.

use jiff::civil::{Date, Weekday};

/// One thing that is traded, or an index.
#[derive(Clone, Debug)]
pub(crate) struct Instrument {
    /// Its number; the low byte names the segment.
    pub(crate) token: u32,
    pub(crate) exchange: &'static str,
    pub(crate) symbol: String,
    pub(crate) name: &'static str,
    pub(crate) segment: &'static str,
    /// EQ, FUT, CE or PE.
    pub(crate) kind: &'static str,
    /// The last day of a derivative.
    pub(crate) expiry: Option<Date>,
    pub(crate) strike: f64,
    pub(crate) tick: f64,
    pub(crate) lot: i64,
    /// The largest quantity that the exchange takes in one order.
    pub(crate) freeze: i64,
    /// The price around which it moves, in rupees.
    pub(crate) base: f64,
}

impl Instrument {
    /// Whether it can be ordered.
    pub(crate) fn tradable(&self) -> bool {
        self.segment != "INDICES"
    }

    /// Whether its orders block a margin and not the whole value.
    pub(crate) fn derivative(&self) -> bool {
        self.kind != "EQ"
    }
}

/// Token, exchange, symbol, name, segment, kind, tick, lot, freeze quantity, base price. A `#` stands for the month.
type Row = (u32, &'static str, &'static str, &'static str, &'static str, &'static str, f64, i64, i64, f64);

const TABLE: [Row; 16] = [
    (256_265, "NSE", "NIFTY 50", "NIFTY 50", "INDICES", "EQ", 0.05, 1, 1, 25_000.0),
    (260_105, "NSE", "NIFTY BANK", "NIFTY BANK", "INDICES", "EQ", 0.05, 1, 1, 55_000.0),
    (408_065, "NSE", "INFY", "INFOSYS", "NSE", "EQ", 0.05, 1, 100_000, 1_500.0),
    (738_561, "NSE", "RELIANCE", "RELIANCE INDUSTRIES", "NSE", "EQ", 0.05, 1, 100_000, 1_400.0),
    (779_521, "NSE", "SBIN", "STATE BANK OF INDIA", "NSE", "EQ", 0.05, 1, 100_000, 800.0),
    (2_953_217, "NSE", "TCS", "TATA CONSULTANCY SERV LT", "NSE", "EQ", 0.05, 1, 100_000, 3_100.0),
    (341_249, "NSE", "HDFCBANK", "HDFC BANK", "NSE", "EQ", 0.05, 1, 100_000, 950.0),
    (424_961, "NSE", "ITC", "ITC", "NSE", "EQ", 0.05, 1, 100_000, 400.0),
    (128_028_676, "BSE", "SBIN", "STATE BANK OF INDIA", "BSE", "EQ", 0.05, 1, 100_000, 800.0),
    (265, "BSE", "SENSEX", "SENSEX", "INDICES", "EQ", 0.01, 1, 1, 82_000.0),
    (13_565_186, "NFO", "NIFTY#FUT", "NIFTY", "NFO-FUT", "FUT", 0.1, 75, 1_800, 25_050.0),
    (13_565_442, "NFO", "NIFTY#25000CE", "NIFTY", "NFO-OPT", "CE", 0.05, 75, 1_800, 320.0),
    (13_565_698, "NFO", "NIFTY#25000PE", "NIFTY", "NFO-OPT", "PE", 0.05, 75, 1_800, 270.0),
    (213_253_381, "BFO", "SENSEX#FUT", "SENSEX", "BFO-FUT", "FUT", 0.05, 20, 1_000, 82_150.0),
    (1_103_363, "CDS", "USDINR#FUT", "USDINR", "CDS-FUT", "FUT", 0.0025, 1, 10_000, 85.0),
    (114_971_399, "MCX", "GOLDPETAL#FUT", "GOLDPETAL", "MCX-FUT", "FUT", 1.0, 1, 1_000, 9_500.0),
];

const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

/// Invented shares beside the table have numbers of the exchange that no real one comes near.
const FIRST_INVENTED: u32 = 900_001;
/// More invented shares than this are not to be had: three connections of 3,000 instruments each.
pub(crate) const MOST_INVENTED: u32 = 9_000;

/// Every instrument as it stands on a day, and so many invented shares beside them.
pub(crate) fn everything(today: Date, invented: u32) -> Vec<Instrument> {
    let expiry = expiry_of(today);
    let more = (1..=invented.min(MOST_INVENTED)).map(invented_share);
    TABLE.iter().map(|row| made(row, expiry)).chain(more).collect()
}

/// One of the shares that a scenario adds so that there are many; their names say what they are.
fn invented_share(number: u32) -> Instrument {
    let row: Row =
        ((FIRST_INVENTED + number) << 8 | 1, "NSE", "", "INVENTED SHARE", "NSE", "EQ", 0.05, 1, 100_000, 0.0);
    let base = 50.0 + f64::from(number % 400) * 5.0;
    Instrument { symbol: format!("SIM{number:04}"), base, ..made(&row, Date::MIN) }
}

/// The instrument of an exchange and a symbol.
pub(crate) fn by_name(exchange: &str, symbol: &str, today: Date) -> Option<Instrument> {
    let expiry = expiry_of(today);
    let own = TABLE.iter().filter(|row| row.1 == exchange).map(|row| made(row, expiry));
    let number = symbol.strip_prefix("SIM").filter(|digits| exchange == "NSE" && digits.len() == 4);
    let number =
        number.and_then(|digits| digits.parse().ok()).filter(|number| (1..=MOST_INVENTED).contains(number));
    let mut own = own;
    own.find(|one| one.symbol == symbol).or_else(|| number.map(invented_share))
}

/// The instrument of a token.
pub(crate) fn by_token(token: u32, today: Date) -> Option<Instrument> {
    let expiry = expiry_of(today);
    let number = (token >> 8).checked_sub(FIRST_INVENTED).filter(|_| token & 0xff == 1);
    let number = number.filter(|number| (1..=MOST_INVENTED).contains(number));
    TABLE
        .iter()
        .find(|row| row.0 == token)
        .map(|row| made(row, expiry))
        .or_else(|| number.map(invented_share))
}

/// The dump of all instruments, or of one exchange (Kite Connect docs, /instruments).
pub(crate) fn csv(exchange: Option<&str>, today: Date, invented: u32) -> String {
    let mut text =
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,\
                    instrument_type,segment,exchange\n"
            .to_owned();
    let asked = |one: &Instrument| exchange.is_none_or(|exchange| exchange == one.exchange);
    for one in everything(today, invented).into_iter().filter(asked) {
        let expiry = one.expiry.map(|day| day.to_string()).unwrap_or_default();
        text.push_str(&format!(
            "{},{},{},{},0.0,{expiry},{:.1},{},{},{},{},{}\n",
            one.token,
            one.token >> 8,
            one.symbol,
            one.name,
            one.strike,
            one.tick,
            one.lot,
            one.kind,
            one.segment,
            one.exchange
        ));
    }
    text
}

fn made(row: &Row, expiry: Date) -> Instrument {
    let (token, exchange, symbol, name, segment, kind, tick, lot, freeze, base) = *row;
    let month = MONTHS[usize::try_from(expiry.month() - 1).unwrap_or_default()];
    let month = format!("{:02}{month}", expiry.year() % 100);
    Instrument {
        token,
        exchange,
        symbol: symbol.replace('#', &month),
        name,
        segment,
        kind,
        expiry: (kind != "EQ").then_some(expiry),
        strike: if matches!(kind, "CE" | "PE") { 25_000.0 } else { 0.0 },
        tick,
        lot,
        freeze,
        base,
    }
}

/// The last Tuesday of the month, or of the next one when that is over.
fn expiry_of(today: Date) -> Date {
    let last_tuesday = |day: Date| {
        let mut day = day.last_of_month();
        while day.weekday() != Weekday::Tuesday {
            day = day.yesterday().unwrap_or(Date::MIN);
        }
        day
    };
    let this_month = last_tuesday(today);
    if today <= this_month {
        return this_month;
    }
    today.last_of_month().tomorrow().map_or(this_month, last_tuesday)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn derivatives_carry_their_month() {
        let today = date(2026, 10, 5);
        assert_eq!(by_token(13_565_186, today).unwrap().symbol, "NIFTY26OCTFUT");
        assert_eq!(by_token(13_565_186, today).unwrap().expiry, Some(date(2026, 10, 27)));
        assert!(by_name("NFO", "NIFTY26NOVFUT", date(2026, 10, 28)).is_some());
        assert!(by_name("NFO", "NIFTY27JANFUT", date(2026, 12, 31)).is_some());
    }

    #[test]
    fn invented_shares_are_found_by_name_and_token() {
        let today = date(2026, 10, 5);
        let last = everything(today, 9_999).pop().unwrap();
        assert_eq!(last.symbol, "SIM9000");
        assert_eq!(by_name("NSE", "SIM9000", today).unwrap().token, last.token);
        assert_eq!(by_token(last.token, today).unwrap().symbol, "SIM9000");
        assert!(by_name("NSE", "SIM9001", today).is_none() && by_name("BSE", "SIM0001", today).is_none());
        assert!(by_token(u32::MAX, today).is_none() && by_token(0, today).is_none());
        assert_eq!(csv(Some("NSE"), today, 2).lines().count(), 1 + 8 + 2);
    }

    #[test]
    fn the_low_byte_of_a_token_is_its_segment() {
        // Kite Connect docs, WebSocket: nse 1, nfo 2, cds 3, bse 4, bfo 5, mcx 7, indices 9.
        for one in everything(date(2026, 10, 5), 3) {
            let byte = match one.segment {
                "INDICES" => 9,
                "NSE" => 1,
                "NFO-FUT" | "NFO-OPT" => 2,
                "CDS-FUT" => 3,
                "BSE" => 4,
                "BFO-FUT" => 5,
                _ => 7,
            };
            assert_eq!(one.token & 0xff, byte, "{}", one.symbol);
        }
    }
}
