//! `firstbell next`: the coming mornings of each account, and why each is one. All times are India's, whatever the host's
//! zone is.

use std::path::Path;

use clap::Args;
use firstbell_core::brokers::kite::Kite;
use firstbell_core::calendar::{Calendar, Exchange, Morning};
use firstbell_core::schedule::{Assisted, Hours, Schedule, Slot};
use firstbell_core::token::{date_in_india, in_india, ist};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use serde_json::{Value, json};

use super::context::{Context, schedule_of};
use super::exit::Exit;
use super::say;
use crate::clock::MachineClock;
use crate::config::{self, Account, Environment};
use crate::ports::Clock;
use crate::shape::india;

#[derive(Debug, Args)]
pub(super) struct NextArgs {
    /// The account's name in the configuration; without it, all of them.
    account: Option<String>,
    /// How many mornings.
    #[arg(short, long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    number: u16,
    /// From this moment on, instead of now: 2026-11-24T08:00:00+05:30, or 2026-11-24T08:00 or 2026-11-24 in India.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<Timestamp>,
}

/// What is shown of one account.
struct Outlook<'a> {
    name: &'a str,
    schedule: Schedule,
    calendar: &'a Calendar,
}

/// A line of it.
enum Row {
    Login {
        slot: Slot,
        why: String,
    },
    /// Days in a row that rest for the same reason.
    Rest {
        from: Date,
        to: Date,
        why: String,
    },
}

pub(super) fn run(named: Option<&Path>, env: Environment, args: &NextArgs, as_json: bool) -> Exit {
    let place = config::place(named, &env);
    let unwritten = named.is_none() && !env.contains_key("FIRSTBELL_CONFIG") && !place.exists();
    let at = args.at.unwrap_or_else(|| MachineClock::start().now());
    if unwritten {
        return match &args.account {
            Some(name) => {
                Exit::usage(&format!("there is no account {name:?}: {} is not there", place.display()))
            }
            None => {
                say::error(&format!(
                    "{} is not there: the usual exchanges and hours are shown",
                    place.display()
                ));
                show(&[usual()], at, args.number, as_json)
            }
        };
    }
    let context = match Context::load(named, env) {
        Ok(context) => context,
        Err(faults) => return Exit::configuration(&faults),
    };
    let accounts = match &args.account {
        None => context.config.accounts.iter().collect(),
        name => match context.account(name.as_deref()) {
            Ok(account) => vec![account],
            Err(exit) => return exit,
        },
    };
    let kite = context.kite();
    let outlook = |account| outlook(account, &context, &kite);
    let outlooks: Vec<_> = accounts.into_iter().map(outlook).collect();
    show(&outlooks, at, args.number, as_json)
}

fn outlook<'a>(account: &'a Account, context: &'a Context, kite: &Kite) -> Outlook<'a> {
    let schedule = schedule_of(&context.config, account, kite);
    Outlook { name: &account.name, schedule, calendar: &context.config.calendar }
}

/// The next few mornings of an account, in the same words.
pub(super) fn brief(
    context: &Context,
    (account, kite): (&Account, &Kite),
    at: Timestamp,
    number: u16,
) -> String {
    let outlook = outlook(account, context, kite);
    text(&outlook, &rows(&outlook, at, number))
}

/// What an account that says nothing of its own has.
fn usual() -> Outlook<'static> {
    let (hours, exchanges, flush) = (Hours::default(), Exchange::USUAL.to_vec(), Kite::live().ground().flush);
    Outlook {
        name: "any account",
        schedule: Schedule { hours, exchanges, flush, assisted: Assisted::Never, seed: 0 },
        calendar: Calendar::compiled(),
    }
}

fn show(outlooks: &[Outlook<'_>], at: Timestamp, number: u16, as_json: bool) -> Exit {
    let mut accounts = Vec::new();
    for outlook in outlooks {
        let rows = rows(outlook, at, number);
        let unknown = outlook.calendar.notice_due(&outlook.schedule.exchanges, date_in_india(at));
        if !as_json {
            say::out(&text(outlook, &rows));
        }
        if let Some(year) = unknown {
            say::error(&format!(
                "firstbell: the calendar of {year} is not complete for {}; a weekday that no list covers counts as a \
                 trading day.\n  What to do: look for a newer firstbell, or write a list of your own (calendar).",
                outlook.name
            ));
        }
        accounts.push(report(outlook, &rows, unknown));
    }
    Exit::done(json!({ "at": india(at), "accounts": accounts }))
}

/// The mornings whose login is still to come, and the days of rest before each.
fn rows(outlook: &Outlook<'_>, at: Timestamp, number: u16) -> Vec<Row> {
    let Outlook { schedule, calendar, .. } = outlook;
    let (mut rows, mut found, mut date) = (Vec::new(), 0, date_in_india(at));
    while found < number {
        match (schedule.slot(calendar, date), calendar.morning(&schedule.exchanges, date)) {
            (Some(slot), Morning::Login { why, .. }) if slot.login_at > at => {
                found += 1;
                rows.push(Row::Login { slot, why: why.to_string() });
            }
            (_, Morning::Login { .. }) => {}
            (_, Morning::Rest { why }) => rest(&mut rows, date, why.to_string()),
        }
        let Ok(tomorrow) = date.tomorrow() else { break };
        date = tomorrow;
    }
    rows
}

fn rest(rows: &mut Vec<Row>, date: Date, why: String) {
    match rows.last_mut() {
        Some(Row::Rest { to, why: before, .. }) if *before == why => *to = date,
        _ => rows.push(Row::Rest { from: date, to: date, why }),
    }
}

fn text(outlook: &Outlook<'_>, rows: &[Row]) -> String {
    let exchanges: Vec<String> = outlook.schedule.exchanges.iter().map(ToString::to_string).collect();
    let mut lines = vec![
        format!("{} ({}); all times are India's (+05:30)", outlook.name, exchanges.join(", ")),
        "  day             check  login     deadline  why".to_owned(),
    ];
    lines.extend(rows.iter().map(|row| match row {
        Row::Login { slot, why } => format!(
            "  {:<14}  {:<5}  {:<8}  {:<8}  {why}{}",
            slot.date.strftime("%a %Y-%m-%d").to_string(),
            clock(slot.check_at, "%H:%M"),
            clock(slot.login_at, "%H:%M:%S"),
            clock(slot.deadline_at, "%H:%M"),
            if slot.quiet { "; a failure wakes nobody" } else { "" }
        ),
        Row::Rest { from, to, why } => {
            let days = if from == to { from.strftime("%a %Y-%m-%d") } else { from.strftime("%a–") };
            let last = if from == to { String::new() } else { to.strftime("%a").to_string() };
            format!("  {:<14}  –      –         –         {why}", format!("{days}{last}"))
        }
    }));
    lines.join("\n")
}

/// A moment's time of day in India.
fn clock(at: Timestamp, form: &str) -> String {
    ist().to_datetime(at).strftime(form).to_string()
}

fn report(outlook: &Outlook<'_>, rows: &[Row], unknown: Option<i16>) -> Value {
    let (mut mornings, mut rests) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Row::Login { slot, why } => mornings.push(json!({
                "date": slot.date.to_string(),
                "weekday": slot.date.strftime("%A").to_string(),
                "check_at": india(slot.check_at),
                "login_at": india(slot.login_at),
                "deadline_at": india(slot.deadline_at),
                "quiet": slot.quiet,
                "why": why,
            })),
            Row::Rest { from, to, why } => {
                rests.push(json!({ "from": from.to_string(), "to": to.to_string(), "why": why }));
            }
        }
    }
    let exchanges: Vec<&str> = outlook.schedule.exchanges.iter().map(|exchange| exchange.name()).collect();
    json!({
        "account": outlook.name,
        "exchanges": exchanges,
        "mornings": mornings,
        "rests": rests,
        "unknown_year": unknown,
    })
}

/// A moment with its offset, or a date and time in India, or a date there.
fn parse_time(text: &str) -> Result<Timestamp, String> {
    let local = |date_time: DateTime| in_india(date_time.date(), date_time.time());
    let at = text.parse().or_else(|_| text.parse().map(local));
    let at: Timestamp = at.map_err(|_| {
        "must be a moment as 2026-11-24T08:00:00+05:30, or in India 2026-11-24T08:00 or 2026-11-24".to_owned()
    })?;
    // The years that a calendar's lists can be of.
    match date_in_india(at).year() {
        2000..=2199 => Ok(at),
        _ => Err("must be of a year from 2000 to 2199".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(at: &str, number: u16) -> Vec<String> {
        let outlook = usual();
        let text = text(&outlook, &rows(&outlook, parse_time(at).unwrap(), number));
        text.lines().skip(2).map(str::to_owned).collect()
    }

    #[test]
    fn a_time_is_read_with_its_offset_and_else_as_india_s() {
        let same = ["2026-11-24T08:00:00+05:30", "2026-11-24T02:30Z", "2026-11-24T08:00", "2026-11-24 08:00"];
        for text in same {
            assert_eq!(parse_time(text), parse_time(same[0]), "{text}");
        }
        assert_eq!(parse_time("2026-11-24"), parse_time("2026-11-23T18:30:00Z"));
        for text in ["", "soon", "2026-02-30", "08:00", "1999-12-31T23:59", "2200-01-01", "-009999-01-01"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn mornings_and_the_rest_between_them_are_told_in_order() {
        let lines = told("2026-11-23T08:31", 3);
        let starts =
            ["Tue 2026-11-24  – ", "Wed 2026-11-25  08:20  08:30:", "Thu 2026-11-26", "Fri 2026-11-27"];
        for (line, start) in lines.iter().zip(starts) {
            assert!(line.trim_start().starts_with(start), "{line}");
        }
        assert_eq!(lines.len(), 4);
        let lines = told("2026-11-28", 1);
        assert!(lines[0].starts_with("  Sat–Sun  ") && lines[0].ends_with("closed: weekend"), "{lines:?}");
        let lines = told("2026-05-28", 1);
        assert!(lines[0].ends_with("which may still be moved; a failure wakes nobody"), "{lines:?}");
    }

    #[test]
    fn a_morning_is_coming_until_its_login() {
        assert!(told("2026-11-25T08:29:59", 1)[0].contains("2026-11-25"));
        assert!(told("2026-11-25T08:30:20", 1)[0].contains("2026-11-26"));
    }
}
