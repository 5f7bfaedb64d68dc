//! A table of a list's file while it is read: each value with its place, each fault kept, no key passed over.

use std::cell::RefCell;
use std::ops::Range;

use jiff::civil::{Date, Time};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Faults, gathered while a file is read.
pub(super) struct Faults<'t> {
    text: &'t str,
    /// Each with the byte at which it stands.
    found: RefCell<Vec<(usize, String)>>,
}

impl<'t> Faults<'t> {
    pub(super) fn of(text: &'t str) -> Faults<'t> {
        Faults { text, found: RefCell::default() }
    }

    /// The whole file. Where its form is wrong, that is a fault too, and what can be read is read.
    pub(super) fn root(&self) -> Part<'_, 't> {
        let (root, errors) = DeTable::parse_recoverable(self.text);
        for e in errors {
            self.add(&e.span().unwrap_or(0..0), e.message());
        }
        Part { label: String::new(), span: 0..0, table: root.into_inner(), faults: self }
    }

    /// All of them, in the order of the file.
    pub(super) fn lines(self) -> Vec<String> {
        let mut found = self.found.into_inner();
        found.sort();
        // Lines are counted in one pass: a large file may be wrong everywhere.
        let (mut line, mut counted) = (1, 0);
        for (place, _) in &mut found {
            let at = (*place).min(self.text.len());
            line += self.text.as_bytes()[counted..at].iter().filter(|b| **b == b'\n').count();
            (counted, *place) = (at, line);
        }
        found.sort();
        found.dedup();
        found.into_iter().map(|(line, what)| format!("line {line}: {what}")).collect()
    }

    pub(super) fn add(&self, span: &Range<usize>, what: &str) {
        self.found.borrow_mut().push((span.start, what.to_owned()));
    }
}

/// A table that is being read.
pub(super) struct Part<'f, 't> {
    /// How its faults begin: the day's date.
    pub(super) label: String,
    pub(super) span: Range<usize>,
    table: DeTable<'t>,
    faults: &'f Faults<'t>,
}

impl<'t> Part<'_, 't> {
    pub(super) fn fault(&self, span: &Range<usize>, what: &str) {
        self.faults.add(span, &format!("{}{what}", self.label));
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'t>>> {
        let found = self.table.keys().find(|k| k.get_ref() == key)?.clone();
        self.table.remove(&found)
    }

    /// A value that may be left out, with its place.
    pub(super) fn optional<T>(
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
    pub(super) fn required<T>(
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
    pub(super) fn days(&mut self) -> Vec<Self> {
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
    pub(super) fn end(self, known: &[&str]) {
        for key in self.table.keys() {
            let what =
                format!("{} is not known; known here: {}", key.get_ref().escape_debug(), known.join(", "));
            self.fault(&key.span(), &what);
        }
    }
}

pub(super) fn text_of<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    match value {
        DeValue::String(text) => Ok(text),
        _ => Err("must be a text in quotes".into()),
    }
}

pub(super) fn whole_number(value: &DeValue<'_>) -> Result<i64, String> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
    .ok_or_else(|| "must be a whole number".into())
}

pub(super) fn flag(value: &DeValue<'_>) -> Result<bool, String> {
    match value {
        DeValue::Boolean(flag) => Ok(*flag),
        _ => Err("must be true or false".into()),
    }
}

/// A date, with quotes or as TOML writes its own.
pub(super) fn date(value: &DeValue<'_>) -> Result<Date, String> {
    let text = match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(moment) => moment.to_string(),
        _ => String::new(),
    };
    let parsed = text.parse::<Date>().ok().filter(|date| date.to_string() == text);
    parsed.ok_or_else(|| "must be a date that exists, such as \"2026-01-26\"".into())
}

pub(super) fn time(value: &DeValue<'_>) -> Result<Time, String> {
    let two = |part: &str| {
        let digits = part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok()).flatten()
    };
    let read = |text: &str| {
        let (hour, minute) = text.split_once(':')?;
        Time::new(two(hour)?, two(minute)?, 0, 0).ok()
    };
    read(text_of(value)?).ok_or_else(|| "must be a time in India, such as \"09:15\"".into())
}

/// One line for a terminal: no control characters, not empty, not without end.
pub(super) fn plain(text: &str, most: usize) -> Result<Box<str>, String> {
    let fits = !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control);
    if fits { Ok(text.into()) } else { Err(format!("must be one line of 1 to {most} characters")) }
}
