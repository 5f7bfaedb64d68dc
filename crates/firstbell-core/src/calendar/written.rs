//! A list as it stands in its file: every value with its line, every fault at once, and nothing in it that would not be
//! understood.

use std::ops::Range;

use toml::de::DeValue;

use super::part::{Faults, Part, date, flag, plain, text_of, time, whole_number};
use super::{Edition, Exchange, Kind, Listed, is_weekend};

/// The form of the file that this firstbell reads.
const FORM: i64 = 1;
/// Names are printed in a line of a terminal.
const NAME_MAX: usize = 80;
/// Sources and reasons are a sentence or two.
const SENTENCE_MAX: usize = 400;

/// Reads a whole file.
pub(super) fn read(text: &str) -> Result<Edition, Vec<String>> {
    let faults = Faults::of(text);
    let mut head = faults.root();
    if let Some((form, span)) = head.required("form", whole_number)
        && form != FORM
    {
        faults.add(&span, &format!("form {form} is not known; this firstbell reads form {FORM}"));
    }
    let exchange = head.required("exchange", |v| text_of(v)?.parse::<Exchange>());
    let year = head.required("year", |v| match whole_number(v)? {
        year @ 2000..=2199 => i16::try_from(year).map_err(|e| e.to_string()),
        _ => Err("must be a year from 2000 to 2199".into()),
    });
    let year = year.map(|(year, _)| year);
    head.required("sources", sources);
    let replace = head.optional("replace", flag).is_some_and(|(replace, _)| replace);
    let mut written = Vec::new();
    for part in head.days() {
        written.extend(read_day(part, year));
    }
    head.end(&["form", "exchange", "year", "sources", "replace", "day"]);
    let days = settle(written, &faults);
    let faults = faults.lines();
    match (exchange, year) {
        (Some((exchange, _)), Some(year)) if faults.is_empty() => {
            Ok(Edition::new(exchange, year, replace, days))
        }
        _ => Err(faults),
    }
}

/// A day as it was written, with its place.
struct WrittenDay {
    day: Listed,
    span: Range<usize>,
}

fn read_day(mut part: Part<'_, '_>, year: Option<i16>) -> Option<WrittenDay> {
    let date = part.required("date", date);
    if let Some((date, span)) = &date {
        part.label = format!("{date}: ");
        if year.is_some_and(|year| year != date.year()) {
            part.fault(span, "the date is not of the file's year");
        }
    }
    let name = part.required("name", |v| plain(text_of(v)?, NAME_MAX));
    let kind = part.required("kind", |v| match text_of(v)? {
        "closed" => Ok("closed"),
        "evening" => Ok("evening"),
        "session" => Ok("session"),
        "trades" => Ok("trades"),
        _ => Err("must be closed, evening, session or trades".into()),
    });
    let opens = part.optional("opens", time);
    let closes = part.optional("closes", time);
    if let (Some((opens, _)), Some((closes, span))) = (&opens, &closes)
        && opens >= closes
    {
        part.fault(span, "closes is not later than opens");
    }
    let sure = part.optional("sure", flag).is_none_or(|(sure, _)| sure);
    let why = part.optional("why", |v| plain(text_of(v)?, SENTENCE_MAX));
    if sure == why.is_some() {
        let what = if sure { "why belongs to sure = false" } else { "sure = false needs a why" };
        part.fault(&part.span, what);
    }
    if let Some((kind @ ("closed" | "evening" | "trades"), _)) = &kind
        && let Some((_, span)) = opens.as_ref().or(closes.as_ref())
    {
        part.fault(span, &format!("opens and closes belong to a session, not to kind {kind}"));
    }
    let span = part.span.clone();
    part.end(&["date", "name", "kind", "opens", "closes", "sure", "why"]);
    let kind = match kind?.0 {
        "closed" => Kind::Closed { sure },
        "evening" => Kind::Evening,
        "trades" => Kind::Trades,
        _ => Kind::Session { opens: opens.map(|o| o.0), closes: closes.map(|c| c.0) },
    };
    Some(WrittenDay { day: Listed { date: date?.0, name: name?.0, kind }, span })
}

/// Brings the days into order, each date once. A session on a weekday stands beside the holiday that it interrupts, as
/// the exchanges write it, and wins.
fn settle(mut written: Vec<WrittenDay>, faults: &Faults<'_>) -> Vec<Listed> {
    let rank = |kind: &Kind| match kind {
        Kind::Closed { .. } => 0,
        Kind::Evening => 1,
        Kind::Trades => 2,
        Kind::Session { .. } => 3,
    };
    written.sort_by_key(|w| (w.day.date, rank(&w.day.kind), w.span.start));
    let mut days: Vec<Listed> = Vec::new();
    for WrittenDay { day, span } in written {
        let before = days.pop_if(|before| before.date == day.date);
        let fault = |what: &str| faults.add(&span, &format!("{}: {what}", day.date));
        match (before.as_ref().map(|b| b.kind), day.kind) {
            (None | Some(Kind::Closed { .. }), Kind::Session { .. })
                if before.is_some() || is_weekend(day.date) => {}
            (None, Kind::Session { .. }) => {
                fault("a session on an ordinary weekday; where the day is a holiday, list it as closed too")
            }
            (None, Kind::Evening | Kind::Trades) if is_weekend(day.date) => {
                fault("a weekend day is open for a session only");
            }
            (None, _) => {}
            (Some(_), _) => fault("the date stands here twice; only a holiday and its session share one"),
        }
        days.push(day);
    }
    days
}

fn sources(value: &DeValue<'_>) -> Result<(), String> {
    let why = "must be a list of texts that say where the list comes from";
    let DeValue::Array(items) = value else { return Err(why.into()) };
    if items.is_empty() {
        return Err("is empty: say where the list comes from".into());
    }
    items.iter().try_for_each(|item| plain(text_of(item.get_ref())?, SENTENCE_MAX).map(drop))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        read(text).err().unwrap_or_default()
    }

    #[test]
    fn every_fault_comes_at_once_with_its_line() {
        let text = r#"form = 2
exchange = "lse"
year = 2026
sources = []
colour = "red"
[[day]]
date = "2026-02-30"
name = ""
kind = "open"
[[day]]
date = "2025-01-26"
name = "Republic Day"
kind = "closed"
opens = "09:15"
[[day]]
date = "2026-03-03"
name = "Holi"
kind = "closed"
sure = false
[[day]]
date = 2026-03-03
name = "Holi"
kind = "closed"
why = "twice"
[[day]]
date = "2026-11-08"
name = "Muhurat"
kind = "session"
opens = "19:15"
closes = "18:00"
closed = true
[[day]]
date = "2026-11-11"
name = "Muhurat"
kind = "session"
opens = "9:15"
[[day]]
date = "2026-11-14"
name = "A Saturday"
kind = "evening"
[[day]]
kind = 7
"#;
        let want = [
            "line 1: form 2 is not known",
            "line 2: exchange is not a known exchange; known: nse, bse, mcx",
            "line 4: sources is empty",
            "line 5: colour is not known; known here: form, exchange",
            "line 7: date must be a date that exists",
            "line 8: name must be one line of 1 to 80",
            "line 9: kind must be closed, evening, session or trades",
            "line 11: 2025-01-26: the date is not of the file's year",
            "line 14: 2025-01-26: opens and closes belong to a session, not to kind closed",
            "line 15: 2026-03-03: sure = false needs a why",
            "line 20: 2026-03-03: the date stands here twice",
            "line 20: 2026-03-03: why belongs to sure = false",
            "line 30: 2026-11-08: closes is not later than opens",
            "line 31: 2026-11-08: closed is not known",
            "line 32: 2026-11-11: a session on an ordinary weekday",
            "line 36: 2026-11-11: opens must be a time in India",
            "line 37: 2026-11-14: a weekend day is open for a session only",
            "line 41: date is missing",
            "line 41: name is missing",
            "line 42: kind must be a text in quotes",
        ];
        let found = faults(text);
        for (line, start) in found.iter().zip(want) {
            assert!(line.starts_with(start), "{line}\nis not\n{start}\nin {found:#?}");
        }
        assert_eq!(found.len(), want.len(), "{found:#?}");
    }

    #[test]
    fn what_is_missing_and_what_is_no_list_is_said() {
        let missing = ["exchange is missing", "form is missing", "sources is missing", "year is missing"];
        assert_eq!(faults(""), missing.map(|what| format!("line 1: {what}")));
        assert!(faults("form = \nyear = 1999\n")[0].starts_with("line 1: "));
        let head = "form = 1\nexchange = \"nse\"\nyear = 2026\nsources = [\"x\"]\n";
        assert!(faults(&format!("{head}day = 7"))[0].contains("day must be a list of tables"));
        assert!(faults(&format!("{head}day = [7]"))[0].contains("a day must be a table"));
        assert_eq!(faults(head), [""; 0], "a list without a day: every weekday trades");
    }

    #[test]
    fn a_session_stands_beside_the_holiday_that_it_interrupts() {
        let day =
            |kind: &str| format!("[[day]]\ndate = \"2026-11-10\"\nname = \"Diwali\"\nkind = \"{kind}\"\n");
        let list = |kinds: &[&str]| {
            let days: String = kinds.iter().map(|kind| day(kind)).collect();
            format!("form = 1\nexchange = \"mcx\"\nyear = 2026\nsources = [\"x\"]\n{days}")
        };
        for kinds in [["closed", "session"], ["session", "closed"]] {
            let days = read(&list(&kinds)).unwrap().days;
            assert_eq!(
                days.iter().map(|d| d.kind).collect::<Vec<_>>(),
                [Kind::Session { opens: None, closes: None }]
            );
        }
        for kinds in [
            &["session"][..],
            &["session", "session"],
            &["closed", "evening"],
            &["evening", "session"],
            &["closed", "trades"],
        ] {
            assert_eq!(
                faults(&list(kinds)).len(),
                1 + usize::from(kinds == ["session", "session"]),
                "{kinds:?}"
            );
        }
    }
}
