//! The words of a notice, for somebody who reads them on a telephone with the market about to open.

use jiff::Timestamp;
use jiff::civil::Time;

use super::{Incident, Notice, Owner, Severity};
use crate::decide::{self, Decision, Reason, Step, View};
use crate::failure::{Ask, Failure};
use crate::token::{date_in_india, in_india, ist};

/// The cash market opens (NSE and BSE, "Market timings").
const OPENS: Time = Time::constant(9, 15, 0, 0);

/// Something is wrong.
pub(super) fn trouble(
    view: &View<'_>,
    owner: &Owner<'_>,
    (incident, severity): (Incident, Severity),
    now: Timestamp,
) -> Notice {
    let account = owner.account;
    let decision = decide::prospect(view, now);
    let (title, lines) = match incident {
        Incident::NoToken => {
            let (what, cure) = happened(view, &decision, now);
            let lines = [what, means(now), doing(&decision, now), format!("You can: {cure}")];
            (format!("{account}: no token yet"), lines.to_vec())
        }
        // Words on the side have a file of their own.
        _ => {
            let lacks = view.state.lacks.join(", ");
            let token = match decide::serve(view, now) {
                Ok(()) => "The token is good and is handed out.",
                Err(_) => "The morning’s login has not begun.",
            };
            let cure = address(view, owner, now).unwrap_or_else(|| {
                "You can: look at firstbell status and at the log, and mend what is named.".to_owned()
            });
            (
                format!("{account}: not all is ready"),
                vec![format!("Missing: {lacks}."), token.to_owned(), doing(&decision, now), cure],
            )
        }
    };
    Notice { incident, severity, over: false, title, body: lines.join("\n") }
}

/// All is well again.
pub(super) fn over(view: &View<'_>, owner: &Owner<'_>, now: Timestamp) -> Notice {
    let account = owner.account;
    let told = view.state.told.as_ref();
    let incident = told.map_or(Incident::NoToken, |told| told.incident);
    let body = format!(
        "A proven token is handed out since {}. Nothing is left for you to do.",
        clock(view.state.proven_at.unwrap_or(now)),
    );
    let title = format!("{account}: over, the token is good");
    Notice { incident, severity: Severity::Information, over: true, title, body }
}

/// Orders come from another address than the registered one: what the owner can do, and whether this week.
fn address(view: &View<'_>, owner: &Owner<'_>, now: Timestamp) -> Option<String> {
    view.state.lacks.iter().find(|lack| *lack == "egress address")?;
    let cure = "You can: trade from the registered address, or register the new one on the developer console";
    Some(match owner.dates.address_fixed_until(date_in_india(now)) {
        Some(next) => {
            format!(
                "{cure}; it was changed this week already, and one change a week is allowed: from {next} on."
            )
        }
        None => format!("{cure} (one change a calendar week is allowed)."),
    })
}

/// What happened, and what the owner can do about it.
fn happened(view: &View<'_>, decision: &Decision, now: Timestamp) -> (String, String) {
    if let Reason::Stopped(stop) = decision.because {
        let failure = Failure::Stopped(stop);
        return (format!("{}.", capital(&stop.to_string())), failure.cure());
    }
    if decision.because == Reason::Fought {
        let what = "Today’s token was replaced twice within half an hour: another program logs in with this API key.";
        return (what.into(), "end that program, then run firstbell unlock.".into());
    }
    if let (Reason::Replaced, Some(died)) = (decision.because, view.state.died_at) {
        let what =
            format!("At {} Zerodha refused today’s token: another login may have replaced it.", clock(died));
        return (what, "see whether another program logs in with this API key.".into());
    }
    let lasting = view.state.trouble.as_ref().filter(|_| decision.because == Reason::Person);
    if decision.because == Reason::Person && lasting.is_none() {
        let what = "Nobody has logged in yet.";
        return (what.into(), "open the newest link, or run firstbell login --assisted.".into());
    }
    let Some(trouble) = &view.state.trouble else {
        return ("No login has ended yet.".into(), "look at firstbell status.".into());
    };
    let (at, stays) = (moment(trouble.at, now), trouble.ask == Ask::Stop);
    match Failure::of_code(&trouble.code) {
        Some(failure) => {
            (format!("At {at} the login failed: {}.", failure.plain()), cure(&failure, trouble.ask))
        }
        None => (format!("At {at} the login failed: {}.", trouble.code.replace('-', " ")), {
            let on = if stays { " Then run firstbell unlock." } else { "" };
            format!(
                "log in once by hand at kite.zerodha.com; firstbell history --last shows what stood in the way.{on}"
            )
        }),
    }
}

/// While firstbell goes on by itself there is little for a person to do.
fn cure(failure: &Failure, asked: Ask) -> String {
    match failure {
        Failure::Unreachable { .. } if matches!(asked, Ask::Again | Ask::Wait) => {
            "look at this computer’s connection; firstbell goes on by itself.".into()
        }
        _ if matches!(asked, Ask::Again | Ask::Wait) => "wait: firstbell goes on by itself.".into(),
        other => other.way_on(asked),
    }
}

fn means(now: Timestamp) -> String {
    let opens = in_india(date_in_india(now), OPENS);
    let minutes = opens.duration_since(now).as_mins();
    match minutes {
        1.. => format!("No token; the market opens in {minutes} minutes."),
        0 => "No token; the market opens now.".into(),
        -119.. => format!("No token, and the market opened {} minutes ago.", -minutes),
        _ => format!("No token, and the market opened {} hours ago.", -minutes / 60),
    }
}

fn doing(decision: &Decision, now: Timestamp) -> String {
    match decision.step {
        Step::Login if decision.at <= now => "firstbell is logging in now.".into(),
        Step::Invite if decision.at <= now => "firstbell sends you a link to log in by.".into(),
        Step::Invite => {
            format!("firstbell sends you a link to log in by; the next one at {}.", moment(decision.at, now))
        }
        Step::Login => format!("firstbell logs in at {}.", moment(decision.at, now)),
        _ if decision.because.calls_for_a_human() => "firstbell does not try again by itself.".into(),
        _ => format!("firstbell goes on at {}.", moment(decision.at.max(now), now)),
    }
}

/// The time, and the date where it is another day.
fn moment(at: Timestamp, now: Timestamp) -> String {
    match date_in_india(at) == date_in_india(now) {
        true => clock(at),
        false => format!("{} on {}", clock(at), date_in_india(at)),
    }
}

pub(super) fn clock(at: Timestamp) -> String {
    ist().to_datetime(at).time().strftime("%H:%M:%S").to_string()
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
