//! A list as it stands in its file: every value with its line, every fault at once, and nothing in it that would not be
//! understood.

use std::cell::RefCell;
use std::ops::Range;

use jiff::civil::{Date, Time};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Edition, Exchange, Kind, Listed, is_weekend};

/// The form of the file that this firstbell reads.
const FORM: i64 = 1;
/// Names are printed in a line of a terminal.
const NAME_MAX: usize = 80;
/// Sources and reasons are a sentence or two.
const SENTENCE_MAX: usize = 400;

/// Reads a whole file.
pub(super) fn read(text: &str) -> Result<Edition, Vec<String>> {
    let faults = Faults { text, found: RefCell::default() };
    let (root, errors) = DeTable::parse_recoverable(text);
    for e in errors {
        faults.add(&e.span().unwrap_or(0..0), e.message());
    }
    let mut head = Part { label: String::new(), span: 0..0, table: root.into_inner(), faults: &faults };
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
    match (exchange, year, faults.found.into_inner()) {
        (Some((exchange, _)), Some(year), found) if found.is_empty() => {
            Ok(Edition { exchange, year, replace, days })
        }
        (.., mut found) => {
            found.sort();
            found.dedup();
            Err(found.into_iter().map(|(line, what)| format!("line {line}: {what}")).collect())
        }
    }
}

/// Faults, gathered while a file is read.
struct Faults<'t> {
    text: &'t str,
    found: RefCell<Vec<(usize, String)>>,
}

impl Faults<'_> {
    fn add(&self, span: &Range<usize>, what: &str) {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        self.found.borrow_mut().push((line, what.to_owned()));
    }
}

/// A table that is being read.
struct Part<'f, 't> {
    /// How its faults begin: the day's date.
    label: String,
    span: Range<usize>,
    table: DeTable<'t>,
    faults: &'f Faults<'t>,
}

impl<'t> Part<'_, 't> {
    fn fault(&self, span: &Range<usize>, what: &str) {
        self.faults.add(span, &format!("{}{what}", self.label));
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'t>>> {
        let found = self.table.keys().find(|k| k.get_ref() == key)?.clone();
        self.table.remove(&found)
    }

    /// A value that may be left out, with its place.
    fn optional<T>(
        &mut self,
        key: &str,
        read: impl Fn(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<(T, Range<usize>)> {
        let value = self.take(key)?;
        match read(value.get_ref()) {
            Ok(read) => Some((read, value.span())),
            Err(why) => {
                self.fault(&value.span(), &format!("{key} {why}"));
                None
            }
        }
    }

    /// A value that must be there, with its place.
    fn required<T>(
        &mut self,
        key: &str,
        read: impl Fn(&DeValue<'t>) -> Result<T, String>,
    ) -> Option<(T, Range<usize>)> {
        if !self.table.contains_key(key) {
            self.fault(&self.span, &format!("{key} is missing"));
        }
        self.optional(key, read)
    }

    /// The tables under `[[day]]`.
    fn days(&mut self) -> Vec<Self> {
        let Some(value) = self.take("day") else { return Vec::new() };
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            self.fault(&span, "day must be a list of tables, each under [[day]]");
            return Vec::new();
        };
        let mut parts = Vec::new();
        for item in items {
            let span = item.span();
            match item.into_inner() {
                DeValue::Table(table) => {
                    parts.push(Part { label: String::new(), span, table, faults: self.faults });
                }
                _ => self.fault(&span, "a day must be a table under [[day]]"),
            }
        }
        parts
    }

    /// Reports every key that nobody asked for.
    fn end(self, known: &[&str]) {
        for key in self.table.keys() {
            let what = format!("{} is not known; known here: {}", key.get_ref(), known.join(", "));
            self.fault(&key.span(), &what);
        }
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
        _ => Err("must be closed, evening or session".into()),
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
    if let Some((kind @ ("closed" | "evening"), _)) = &kind
        && let Some((_, span)) = opens.as_ref().or(closes.as_ref())
    {
        part.fault(span, &format!("opens and closes belong to a session, not to kind {kind}"));
    }
    let span = part.span.clone();
    part.end(&["date", "name", "kind", "opens", "closes", "sure", "why"]);
    let kind = match kind?.0 {
        "closed" => Kind::Closed { sure },
        "evening" => Kind::Evening,
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
        Kind::Session { .. } => 2,
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
            (None, Kind::Evening) if is_weekend(day.date) => fault("no evening is open on a weekend"),
            (None, _) => {}
            (Some(_), _) => fault("the date stands here twice; only a holiday and its session share one"),
        }
        days.push(day);
    }
    days
}

fn text_of<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        _ => Err("must be a text in quotes".into()),
    }
}

fn whole_number(value: &DeValue<'_>) -> Result<i64, String> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
    .ok_or_else(|| "must be a whole number".into())
}

fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(flag) => Ok(*flag),
        _ => Err("must be true or false".into()),
    }
}

/// A date, with quotes or as TOML writes its own.
fn date(value: &DeValue<'_>) -> Result<Date, String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        _ => String::new(),
    };
    let parsed = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    parsed.ok_or_else(|| "must be a date that exists, such as \"2026-01-26\"".into())
}

fn time(value: &DeValue<'_>) -> Result<Time, String> {
    let read = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        let digits = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        let parts = [hour, minute].into_iter().all(digits).then_some(())?;
        let () = parts;
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    };
    read(text_of(value)?).ok_or_else(|| "must be a time in India, such as \"09:15\"".into())
}

fn sources(value: &DeValue<'_>) -> Result<(), String> {
    let why = "must be a list of texts that say where the list comes from";
    let DeValue::Array(items) = value else { return Err(why.into()) };
    if items.is_empty() {
        return Err("is empty: say where the list comes from".into());
    }
    items.iter().try_for_each(|item| plain(text_of(item.get_ref())?, SENTENCE_MAX).map(drop))
}

/// One line for a terminal: no control characters, not empty, not without end.
fn plain(text: &str, most: usize) -> Result<Box<str>, String> {
    let fits = !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    if fits { Ok(text.into()) } else { Err(format!("must be one line of 1 to {most} characters")) }
}
