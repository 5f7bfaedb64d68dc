//! When a person is asked to log in, and when that is over.

use firstbell_core::decide::{self, Reason, Step};
use firstbell_core::event::{ASSISTED, Event};
use firstbell_core::failure::{Ask, Stop};
use firstbell_core::schedule::Assisted;

use crate::{Account, at};

fn invited(account: Account, time: &str) -> Account {
    account.after(time, Event::Began { driver: ASSISTED.into() })
}

fn only() -> Account {
    Account::new().assisted(Assisted::Only)
}

#[test]
fn links_follow_each_other_until_it_was_often_enough() {
    let mut account = only();
    account.leads("08:30:00", Step::Invite, "08:30:00", Reason::Person);
    account.leads("08:45:00", Step::Invite, "08:45:00", Reason::Person);
    for (at, then) in [
        ("08:30:00", "08:40:00"),
        ("08:40:00", "08:50:00"),
        ("08:50:00", "09:00:00"),
        ("09:00:00", "09:30:00"),
        ("09:30:00", "10:30:00"),
    ] {
        account = invited(account, at);
        account.leads(at, Step::Invite, then, Reason::Person);
    }
    account = invited(account, "10:30:00");
    account.leads("10:30:00", Step::Look, "+08:20:00", Reason::Person);
}

#[test]
fn a_link_of_another_morning_or_of_a_wrong_clock_is_none_of_this_one() {
    for (time, then) in [
        ("-10:00:00", "08:35:00"),
        ("08:19:59", "08:35:00"),
        ("08:20:00", "08:30:00"),
        ("08:35:01", "08:35:00"),
    ] {
        invited(only(), time).leads("08:35:00", Step::Invite, then, Reason::Person);
    }
    invited(only(), "08:35:00").leads("08:35:00", Step::Invite, "08:45:00", Reason::Person);
}

#[test]
fn nobody_is_asked_once_the_exchanges_are_closed() {
    only().leads("15:39:59", Step::Invite, "15:39:59", Reason::Person);
    only().leads("15:40:00", Step::Look, "+08:20:00", Reason::Person);
    only().leads("20:00:00", Step::Look, "+08:20:00", Reason::Person);
    // Nor in the night, where commodities closed a moment before.
    let mut late = only();
    late.schedule.exchanges.push(firstbell_core::calendar::Exchange::Mcx);
    late.leads("23:54:59", Step::Invite, "23:54:59", Reason::Person);
    late.leads("23:55:00", Step::Look, "+08:20:00", Reason::Person);
}

#[test]
fn a_person_who_wants_to_be_asked_is_asked_where_we_get_no_further() {
    let stuck = |assisted| {
        let mut account = Account::new().assisted(assisted);
        account.admitted = Err(Stop::Password);
        account
    };
    let stopped = Reason::Stopped(Stop::Password);
    stuck(Assisted::Never).leads("08:31:00", Step::Look, "+08:20:00", stopped);
    stuck(Assisted::Last).leads("08:31:00", Step::Invite, "08:31:00", stopped);
    // A token that waits to be proven needs no credential, and neither does a person.
    let mut pending = stuck(Assisted::Last);
    pending.pending = true;
    pending.leads("08:31:00", Step::Login, "08:30:00", Reason::Due);
    stuck(Assisted::Only).leads("08:31:00", Step::Invite, "08:31:00", Reason::Person);
    let human = Account::new().assisted(Assisted::Last).failed("08:31:00", Ask::Stop);
    human.leads("08:32:00", Step::Invite, "08:32:00", Reason::Human);
}

#[test]
fn a_person_is_awaited_while_nothing_else_helps() {
    let awaits = |account: &Account| decide::awaits_person(&account.view(), at("08:32:00"));
    let stuck = |assisted| Account::new().assisted(assisted).failed("08:31:00", Ask::Stop);
    assert!(!awaits(&stuck(Assisted::Never)));
    assert!(awaits(&stuck(Assisted::Last)));
    assert!(awaits(&Account::new().assisted(Assisted::Only)));
    assert!(!awaits(&Account::new().assisted(Assisted::Last)));
    assert!(!awaits(&Account::new().assisted(Assisted::Only).with_token("08:31:00")));
    let fought = Account::new().assisted(Assisted::Last).with_token("08:30:10").died("08:31:00");
    assert!(!awaits(&fought.with_token("08:31:10").died("08:31:50")));
}

#[test]
fn after_the_flush_took_its_token_a_person_is_asked_when_that_is_over() {
    let mut account = Account::new().assisted(Assisted::Only);
    account.schedule.hours.login_at = jiff::civil::time(6, 0, 0, 0);
    account.schedule.hours.deadline = jiff::civil::time(7, 0, 0, 0);
    let account = account.with_token("06:00:05").died("07:10:00");
    account.leads("07:11:00", Step::Invite, "08:00:00", Reason::Weather);
}
