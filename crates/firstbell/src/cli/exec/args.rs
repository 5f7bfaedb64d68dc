//! What `firstbell exec` is told: how a program is given the token, and what becomes of it when there is another one.

use std::ffi::OsString;

use clap::Args;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};
use rustix::process::Signal;

use super::super::AccountArg;
use crate::shape::Format;
use firstbell_core::token::{date_in_india, in_india};

/// A time that passed since less than this is over; one that passed before is tomorrow's.
const PASSED: SignedDuration = SignedDuration::from_hours(12);

#[derive(Debug, Args)]
pub(in crate::cli) struct ExecArgs {
    #[command(flatten)]
    pub(in crate::cli) account: AccountArg,
    /// Wait for a proven token for as long as it takes, instead of ending where there is none.
    #[arg(long, conflicts_with = "wait_until")]
    pub(super) wait: bool,
    /// Wait for a proven token until this time in India.
    #[arg(long, value_name = "HH:MM", value_parser = read_time)]
    pub(super) wait_until: Option<Time>,
    /// When there is another token: restart the program, send it a signal (hup, usr1, usr2, int, term), or none: firstbell then
    /// becomes the program.
    #[arg(long, value_name = "restart|none|SIGNAL", default_value = "restart", value_parser = OnChange::read)]
    pub(super) on_change: OnChange,
    /// Seconds between asking the program to end and ending it.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=3600))]
    pub(super) grace_s: u16,
    /// The variable that names the API key.
    #[arg(long, value_name = "NAME", default_value = "KITE_API_KEY", value_parser = read_variable)]
    pub(super) key_as: String,
    /// The variable that holds the token.
    #[arg(long, value_name = "NAME", default_value = "KITE_ACCESS_TOKEN", value_parser = read_variable)]
    pub(super) token_as: String,
    /// Give the token through this file descriptor instead, from 3 on: /dev/fd/N always reads as today's token.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(3..=255))]
    pub(super) fd: Option<i32>,
    /// With --fd: plain, json, env or header.
    #[arg(long, value_parser = Format::parse, requires = "fd", default_value = "plain")]
    pub(super) format: Format,
    /// Put `[token]` in the token's place in whatever the program writes. Its output is a pipe then, and no terminal.
    #[arg(long)]
    pub(super) mask: bool,
    /// The program and its arguments.
    #[arg(last = true, required = true)]
    pub(super) command: Vec<OsString>,
}

/// What becomes of a program whose token is not the newest any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnChange {
    /// It is ended and started again.
    Restart,
    /// It hears this signal.
    Signal(Signal),
    /// Nothing.
    Nothing,
}

impl OnChange {
    fn read(text: &str) -> Result<OnChange, String> {
        let name = text.to_ascii_lowercase();
        Ok(match name.strip_prefix("sig").unwrap_or(&name) {
            "restart" => OnChange::Restart,
            "none" => OnChange::Nothing,
            "hup" => OnChange::Signal(Signal::HUP),
            "usr1" => OnChange::Signal(Signal::USR1),
            "usr2" => OnChange::Signal(Signal::USR2),
            "int" => OnChange::Signal(Signal::INT),
            "term" => OnChange::Signal(Signal::TERM),
            _ => return Err("must be restart, none, hup, usr1, usr2, int or term".into()),
        })
    }
}

/// For how long a token is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Not at all.
    No,
    /// Until this moment.
    Until(Timestamp),
    /// Until there is one.
    Ever,
}

impl ExecArgs {
    /// For how long a token is waited for, from this moment on.
    pub(super) fn wait(&self, now: Timestamp) -> Wait {
        match self.wait_until {
            Some(time) => until(time, now),
            None if self.wait => Wait::Ever,
            None => Wait::No,
        }
    }
}

fn until(time: Time, now: Timestamp) -> Wait {
    let today = date_in_india(now);
    let at = in_india(today, time);
    if at > now {
        Wait::Until(at)
    } else if now.duration_since(at) < PASSED {
        Wait::No
    } else {
        Wait::Until(in_india(today.tomorrow().unwrap_or(today), time))
    }
}

fn read_time(text: &str) -> Result<Time, String> {
    let fault = "must be a time in India such as 09:10";
    let (hour, minute) = text.split_once(':').ok_or(fault)?;
    let number = |text: &str| {
        text.parse::<i8>().ok().filter(|_| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit()))
    };
    let time = number(hour).zip(number(minute)).and_then(|(hour, minute)| Time::new(hour, minute, 0, 0).ok());
    time.ok_or_else(|| fault.to_owned())
}

fn read_variable(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let good = plain && text.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if good { Ok(text.to_owned()) } else { Err("must be a variable's name: letters, digits and _".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_has_just_passed_is_not_tomorrow_s() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let nine = read_time("09:10").unwrap();
        let tomorrow = Wait::Until(at("2026-11-24T09:10:00+05:30"));
        assert_eq!(
            until(nine, at("2026-11-23T08:30:00+05:30")),
            Wait::Until(at("2026-11-23T09:10:00+05:30"))
        );
        assert_eq!(until(nine, at("2026-11-23T09:10:00+05:30")), Wait::No);
        assert_eq!(until(nine, at("2026-11-23T20:00:00+05:30")), Wait::No);
        assert_eq!(until(nine, at("2026-11-23T21:10:00+05:30")), tomorrow);
        assert_eq!(until(nine, at("2026-11-24T00:01:00+05:30")), tomorrow);
        for wrong in ["9:10", "24:00", "09:60", "0910", "+9:10", "09:10:00"] {
            assert!(read_time(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_becomes_of_a_program_is_read_as_people_write_it() {
        assert_eq!(OnChange::read("SIGHUP"), Ok(OnChange::Signal(Signal::HUP)));
        assert_eq!(OnChange::read("restart"), Ok(OnChange::Restart));
        assert!(OnChange::read("kill").is_err());
        assert!(read_variable("1X").is_err() && read_variable("A=B").is_err() && read_variable("").is_err());
    }
}
