//! A configuration as it was written: every value with its line, every fault collected, unknown keys among them.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Faults of one file, gathered while it is read.
#[derive(Debug)]
pub struct Faults {
    file: String,
    text: String,
    found: RefCell<Vec<(usize, String)>>,
    /// Where the form is wrong nothing else is told: what is taken for a key then may be a secret.
    formless: Cell<bool>,
}

impl Faults {
    /// For a file of this name and text.
    pub fn new(file: &str, text: &str) -> Rc<Faults> {
        Rc::new(Faults {
            file: file.into(),
            text: text.into(),
            found: RefCell::default(),
            formless: Cell::new(false),
        })
    }

    fn add(&self, span: &Range<usize>, what: String) {
        if self.formless.get() {
            return;
        }
        let line =
            self.text.as_bytes()[..span.start.min(self.text.len())].iter().filter(|b| **b == b'\n').count();
        self.found.borrow_mut().push((line + 1, what));
    }

    /// All faults as lines for a person, in the order of the file.
    pub fn lines(&self) -> Vec<String> {
        let mut found = self.found.borrow().clone();
        found.sort();
        found.into_iter().map(|(line, what)| format!("{}:{line}: {what}", self.file)).collect()
    }
}

/// A table that is being read. Each key is asked for once; [`Section::end`] reports those nobody asked for.
#[derive(Debug)]
pub struct Section<'t> {
    name: String,
    span: Range<usize>,
    table: DeTable<'t>,
    asked: Vec<String>,
    faults: Rc<Faults>,
}

impl<'t> Section<'t> {
    /// The whole file. Where its form is wrong, that is all that is told.
    pub fn root(text: &'t str, faults: Rc<Faults>) -> Section<'t> {
        let (table, errors) = DeTable::parse_recoverable(text);
        for e in &errors {
            faults.add(&e.span().unwrap_or(0..0), e.message().to_owned());
        }
        faults.formless.set(!errors.is_empty());
        Section { name: String::new(), span: 0..0, table: table.into_inner(), asked: Vec::new(), faults }
    }

    /// A text that may be left out.
    pub fn text(&mut self, key: &str) -> Option<String> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::String(text) => Some(text.into_owned()),
            _ => self.refuse(&span, key, "must be a text in quotes"),
        }
    }

    /// A text that must be there.
    pub fn required(&mut self, key: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            let name = self.path(key);
            self.faults.add(&self.span, format!("{name} is missing"));
        }
        self.text(key)
    }

    /// A yes or no that may be left out.
    pub fn flag(&mut self, key: &str) -> Option<bool> {
        let value = self.take(key)?;
        let span = value.span();
        match value.into_inner() {
            DeValue::Boolean(flag) => Some(flag),
            _ => self.refuse(&span, key, "must be true or false"),
        }
    }

    /// A yes or no, or a text, that `read` understands; yes and no are `true` and `false` to it.
    pub fn switch<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let value = self.take(key)?;
        let span = value.span();
        let text = match value.into_inner() {
            DeValue::Boolean(flag) => flag.to_string(),
            DeValue::String(text) => text.into_owned(),
            _ => return self.refuse(&span, key, "must be true, false or a text in quotes"),
        };
        match read(&text) {
            Ok(value) => Some(value),
            Err(why) => self.refuse(&span, key, &why),
        }
    }

    /// A whole number, `least` or more, that may be left out.
    pub fn number(&mut self, key: &str, least: u64) -> Option<u64> {
        let value = self.take(key)?;
        let span = value.span();
        let read = match value.into_inner() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match read.filter(|number| *number >= least) {
            Some(number) => Some(number),
            None => self.refuse(&span, key, &format!("must be a whole number, {least} or more")),
        }
    }

    /// A text that `read` understands; its error becomes a fault at the value's line.
    pub fn parsed<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let span = self.table.get(key)?.span();
        let text = self.text(key)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(why) => self.refuse(&span, key, &why),
        }
    }

    /// A list of texts that `read` understands, each error a fault at its text's line.
    pub fn texts<T>(&mut self, key: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let value = self.take(key)?;
        let span = value.span();
        let DeValue::Array(items) = value.into_inner() else {
            return self.refuse(&span, key, "must be a list of texts, such as [\"a\", \"b\"]");
        };
        let one = |item: Spanned<DeValue<'t>>| match item.get_ref() {
            DeValue::String(text) => read(text).map_or_else(|why| self.refuse(&item.span(), key, &why), Some),
            _ => self.refuse(&item.span(), key, "must be a text in quotes"),
        };
        Some(items.into_iter().filter_map(one).collect())
    }

    /// A table of texts with free names, each of which `read` understands.
    pub fn pairs<T>(
        &mut self,
        key: &str,
        read: impl Fn(&str, &str) -> Result<T, String>,
    ) -> Vec<(String, T)> {
        let Some(mut section) = self.section(key) else { return Vec::new() };
        let mut names: Vec<String> = section.table.keys().map(|k| k.get_ref().clone().into_owned()).collect();
        names.sort();
        let one = |name: String| section.parsed(&name, |text| read(&name, text)).map(|value| (name, value));
        names.into_iter().filter_map(one).collect()
    }

    /// A table whose form is another program's: as JSON, name by name, of those that `accept` lets pass.
    pub fn foreign(
        &mut self,
        key: &str,
        accept: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<(String, serde_json::Value)> {
        let Some(mut section) = self.section(key) else { return Vec::new() };
        let table = std::mem::take(&mut section.table);
        let mut found = Vec::new();
        for (name, value) in table {
            let name = name.into_inner().into_owned();
            match accept(&name) {
                Ok(()) => found.push((name, as_json(value.into_inner()))),
                Err(why) => section.faults.add(&value.span(), format!("{} {why}", section.name)),
            }
        }
        found
    }

    /// A table below this one.
    pub fn section(&mut self, key: &str) -> Option<Section<'t>> {
        let value = self.take(key)?;
        self.open(key, value)
    }

    /// All tables below this one with a free name, such as `[account.NAME]`.
    pub fn named(&mut self, key: &str) -> Vec<(String, Section<'t>)> {
        let Some(mut section) = self.section(key) else { return Vec::new() };
        let table = std::mem::take(&mut section.table);
        table
            .into_iter()
            .filter_map(|(name, value)| {
                let name = name.into_inner().into_owned();
                section.open(&name, value).map(|s| (name, s))
            })
            .collect()
    }

    /// All tables of an array of tables, such as `[[sink]]`.
    pub fn list(&mut self, key: &str) -> Vec<Section<'t>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let span = value.span();
        match value.into_inner() {
            DeValue::Array(items) => items.into_iter().filter_map(|item| self.open(key, item)).collect(),
            _ => {
                let _: Option<()> = self.refuse(&span, key, "must be a list of tables, each under [[…]]");
                Vec::new()
            }
        }
    }

    /// Whether a table stands at a key that has not been read yet.
    pub fn is_table(&self, key: &str) -> bool {
        self.table.get(key).is_some_and(|value| value.get_ref().is_table())
    }

    /// Whether a key was there and has been read, well or not.
    pub fn asked(&self, key: &str) -> bool {
        self.asked.iter().any(|k| k == key)
    }

    /// A fault of this section as a whole.
    pub fn fault(&self, what: &str) {
        let name = if self.name.is_empty() { String::new() } else { format!("[{}]: ", self.name) };
        self.faults.add(&self.span, format!("{name}{what}"));
    }

    /// Reports every key that nobody asked for, with the ones that are known.
    pub fn end(self, known: &[&str]) {
        for (key, value) in &self.table {
            let span = if key.span().is_empty() { value.span() } else { key.span() };
            let name = self.path(key.get_ref());
            self.faults.add(&span, format!("{name} is not known; known here: {}", known.join(", ")));
        }
    }

    fn take(&mut self, key: &str) -> Option<Spanned<DeValue<'t>>> {
        let found = self.table.keys().find(|k| k.get_ref() == key)?.clone();
        self.asked.push(key.to_owned());
        self.table.remove(&found)
    }

    fn open(&self, key: &str, value: Spanned<DeValue<'t>>) -> Option<Section<'t>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Section {
                name: self.path(key),
                span,
                table,
                asked: Vec::new(),
                faults: Rc::clone(&self.faults),
            }),
            _ => self.refuse(&span, key, "must be a table"),
        }
    }

    fn refuse<T>(&self, span: &Range<usize>, key: &str, why: &str) -> Option<T> {
        let name = self.path(key);
        self.faults.add(span, format!("{name} {why}"));
        None
    }

    /// For messages: a key may hold any sign, and a terminal would obey some.
    fn path(&self, key: &str) -> String {
        let key = key.escape_debug();
        if self.name.is_empty() { key.to_string() } else { format!("{}.{key}", self.name) }
    }
}
fn as_json(value: DeValue<'_>) -> serde_json::Value {
    match value {
        DeValue::String(text) => text.into_owned().into(),
        DeValue::Boolean(flag) => flag.into(),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).unwrap_or(0).into(),
        DeValue::Float(number) => number.as_str().parse::<f64>().unwrap_or(0.0).into(),
        DeValue::Datetime(moment) => moment.to_string().into(),
        DeValue::Array(items) => items.into_iter().map(|item| as_json(item.into_inner())).collect(),
        DeValue::Table(table) => table
            .into_iter()
            .map(|(name, value)| (name.into_inner().into_owned(), as_json(value.into_inner())))
            .collect::<serde_json::Map<_, _>>()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_shown_without_the_signs_that_a_terminal_obeys() {
        let text = "\"\\u001b[2J\" = 1\n";
        let faults = Faults::new("c.toml", text);
        Section::root(text, faults.clone()).end(&["a"]);
        assert_eq!(faults.lines(), ["c.toml:1: \\u{1b}[2J is not known; known here: a"]);
    }
    #[test]
    fn a_value_whose_key_was_lost_is_not_taken_for_one() {
        let text = "password\n= \"hunter2\"\n";
        let faults = Faults::new("c.toml", text);
        Section::root(text, faults.clone()).end(&[]);
        let lines = faults.lines();
        assert!(
            lines[0].starts_with("c.toml:1: ") && lines.iter().all(|l| !l.contains("hunter2")),
            "{lines:?}"
        );
    }
}
