//! Who is told next: the owner's order of channels, what each of them answered, and the next one where that is not enough.

mod route;
mod tried;
mod weekly;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

pub use self::route::{Quiet, Route};
use self::tried::{BESIDE, Outcome, Try, pause};
pub use self::weekly::test_at;
use crate::incident::{Incident, Severity, Told};
use crate::token::date_in_india;

/// A channel that has not answered within this is not waited for: the next ones are told beside it.
pub const STEP: SignedDuration = SignedDuration::from_secs(5);
/// What a channel said of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is on its way; whether it arrived is not known.
    Taken,
    /// It arrived.
    Proven,
    /// It is not: failed, refused, or nobody answered. How long the channel wants to be left alone.
    Failed(Option<SignedDuration>),
}

/// What makes two notices the same one.
pub type Key = (Incident, Severity, bool);

/// What is to be done for a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Hand the message to these channels.
    Send(Vec<String>),
    /// Look again at this moment, or when a channel answers.
    Wait(Timestamp),
    /// Look again when a channel answers.
    Listen,
    /// Nothing more.
    Done,
}

/// One notice on its way, and what each channel said of it.
#[derive(Clone, Debug, Default)]
pub struct Outbox {
    key: Option<Key>,
    tries: BTreeMap<String, Try>,
    /// Whom a channel that asked for patience is left alone until, whatever the notice.
    held: BTreeMap<String, Timestamp>,
    /// Who is to hear that it is over.
    heard: Vec<String>,
}

impl Outbox {
    /// Turns to a notice; to the same one again changes nothing. What the history says was taken is not sent again.
    pub fn turn_to(&mut self, key: Key, told: Option<&Told>, now: Timestamp) {
        if self.key == Some(key) {
            return;
        }
        self.key = Some(key);
        self.tries.clear();
        let heard = told.filter(|told| told.incident == key.0).map_or(&[][..], |told| &told.heard);
        self.heard = heard.iter().map(|heard| heard.channel.clone()).collect();
        let same = told.is_some_and(|told| (told.incident, told.severity, told.over) == key);
        // Of an end it is not kept who heard it, only that somebody did.
        // What was heard on another day is of another morning.
        let today = |at: Timestamp| at <= now && date_in_india(at) == date_in_india(now);
        for heard in heard.iter().filter(|h| same && !key.2 && h.severity == key.1 && today(h.at)) {
            let outcome = if heard.proven { Outcome::Proven } else { Outcome::Taken(heard.at) };
            self.tries.insert(heard.channel.clone(), Try { at: heard.at, times: 1, outcome: Some(outcome) });
        }
    }

    /// Nothing is on its way any more.
    pub fn rest(&mut self) {
        self.key = None;
        self.tries.clear();
    }

    /// What is on its way.
    pub fn key(&self) -> Option<Key> {
        self.key
    }

    /// A channel was handed the message.
    pub fn ask(&mut self, channel: &str, now: Timestamp) {
        let mut tried = self.tries.get(channel).copied().unwrap_or(Try { at: now, times: 0, outcome: None });
        (tried.times, tried.outcome) = (tried.times.saturating_add(1), None);
        self.tries.insert(channel.to_owned(), tried);
    }

    /// It answered, about this notice or one before it.
    pub fn hear(&mut self, key: Key, channel: &str, answer: Answer, now: Timestamp) {
        if let Answer::Failed(Some(wait)) = answer {
            self.held.insert(channel.to_owned(), now + wait);
        }
        let Some(tried) = self.tries.get_mut(channel).filter(|_| self.key == Some(key)) else { return };
        tried.outcome = Some(match answer {
            Answer::Taken => Outcome::Taken(now),
            Answer::Proven => Outcome::Proven,
            Answer::Failed(_) => Outcome::Failed(now + pause(tried.times)),
        });
    }

    /// Whether any channel took it.
    pub fn is_taken(&self) -> bool {
        self.tries.values().any(|tried| matches!(tried.outcome, Some(Outcome::Taken(_) | Outcome::Proven)))
    }

    /// Whether any channel is for what is on its way.
    pub fn has_ears(&self, routes: &[Route]) -> bool {
        self.key.is_some_and(|(_, severity, over)| routes.iter().any(|r| self.is_for(r, severity, over)))
    }

    /// What is next. A notice that nobody proved to have arrived goes to the next order after `patience`.
    pub fn next(&self, routes: &[Route], patience: SignedDuration, now: Timestamp) -> Next {
        let Some((_, severity, over)) = self.key else { return Next::Done };
        let wanted: Vec<&Route> = routes.iter().filter(|route| self.is_for(route, severity, over)).collect();
        let mut moments = Vec::new();
        let awake = |route: &&&Route| {
            // Whoever was woken for the trouble hears that he may sleep again.
            let wakes = severity == Severity::Critical || over;
            let ends = route.quiet.filter(|_| !wakes).and_then(|q| q.ends_at(now));
            ends.is_none()
        };
        let awake: Vec<&Route> = wanted.iter().filter(awake).copied().collect();
        if awake.is_empty() {
            // Everybody sleeps: who wakes first hears it.
            let wakes = wanted.iter().filter_map(|route| route.quiet?.ends_at(now)).min();
            return wakes.map_or(Next::Done, Next::Wait);
        }
        if self.tries.values().any(|tried| matches!(tried.outcome, Some(Outcome::Proven))) {
            return Next::Done;
        }
        let open = self.open(&awake, (patience, over), now, &mut moments);
        let mut send = Vec::new();
        for route in open {
            match self.due(route, now) {
                Some(at) if at <= now => send.push(route.name.clone()),
                Some(at) => moments.push(at),
                None => {}
            }
        }
        let listening = self.tries.values().any(|tried| tried.outcome.is_none());
        match moments.into_iter().min() {
            _ if !send.is_empty() => Next::Send(send),
            Some(at) => Next::Wait(at),
            None if listening => Next::Listen,
            None => Next::Done,
        }
    }

    fn is_for(&self, route: &Route, severity: Severity, over: bool) -> bool {
        match over {
            true => self.heard.contains(&route.name),
            false => severity >= route.severity,
        }
    }

    /// The channels whose turn has come: those of the first order, and of each next one when the ones before are not enough.
    fn open<'r>(
        &self,
        routes: &[&'r Route],
        (patience, over): (SignedDuration, bool),
        now: Timestamp,
        moments: &mut Vec<Timestamp>,
    ) -> Vec<&'r Route> {
        let mut orders: Vec<u8> = routes.iter().map(|route| route.order).collect();
        orders.sort_unstable();
        orders.dedup();
        let mut open = Vec::new();
        for order in orders {
            let these: Vec<&Route> = routes.iter().filter(|route| route.order == order).copied().collect();
            open.extend(&these);
            let turn = if over { Some(now) } else { self.turn(&open, patience, now) };
            if turn.is_none_or(|at| at > now) {
                moments.extend(turn.filter(|_| open.len() < routes.len()));
                break;
            }
        }
        open
    }

    /// When the next order has its turn; none before these were even asked.
    fn turn(&self, open: &[&Route], patience: SignedDuration, now: Timestamp) -> Option<Timestamp> {
        let tries: Vec<Try> = open.iter().filter_map(|route| self.tries.get(&route.name).copied()).collect();
        let unasked = open.len() - tries.len();
        let held = open.iter().filter(|r| !self.tries.contains_key(&r.name) && self.is_held(r, now)).count();
        if unasked > held {
            return None;
        }
        if let Some(taken) = tries.iter().filter_map(Try::taken_at).min() {
            return Some(taken + patience);
        }
        let slow = tries.iter().filter(|tried| tried.outcome.is_none()).map(|tried| tried.at + STEP);
        Some(slow.max().unwrap_or(now))
    }

    /// When a channel whose turn it is is asked; none where it was, or where somebody else took the message meanwhile.
    fn due(&self, route: &Route, now: Timestamp) -> Option<Timestamp> {
        let held = self.held.get(&route.name).copied().unwrap_or(Timestamp::MIN);
        match self.tries.get(&route.name) {
            None => Some(now.max(held)),
            Some(Try { outcome: Some(Outcome::Failed(again)), times, .. })
                if !self.is_taken() || *times < BESIDE =>
            {
                Some((*again).max(held))
            }
            Some(_) => None,
        }
    }

    fn is_held(&self, route: &Route, now: Timestamp) -> bool {
        self.held.get(&route.name).is_some_and(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::Time;

    use super::*;
    use crate::event::Event;
    use crate::state::State;

    const TROUBLE: Key = (Incident::NoToken, Severity::Warning, false);
    const GRAVE: Key = (Incident::NoToken, Severity::Critical, false);
    const OVER: Key = (Incident::NoToken, Severity::Information, true);
    const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

    fn at(time: &str) -> Timestamp {
        format!("2026-11-25T{time}+05:30").parse().unwrap()
    }

    fn route(name: &str, order: u8) -> Route {
        Route { name: name.into(), severity: Severity::Information, order, quiet: None }
    }

    fn next(outbox: &Outbox, routes: &[Route], time: &str) -> Next {
        outbox.next(routes, PATIENCE, at(time))
    }

    fn sends(outbox: &mut Outbox, routes: &[Route], time: &str) -> Vec<String> {
        let Next::Send(names) = next(outbox, routes, time) else { return Vec::new() };
        names.iter().for_each(|name| outbox.ask(name, at(time)));
        names
    }

    fn outbox() -> Outbox {
        let mut outbox = Outbox::default();
        outbox.turn_to(TROUBLE, None, at("08:30:00"));
        outbox
    }

    #[test]
    fn channels_of_one_order_are_told_together_and_the_next_ones_when_nobody_proved_it_in_time() {
        let (routes, mut outbox) = ([route("a", 1), route("b", 1), route("c", 2)], outbox());
        assert_eq!(sends(&mut outbox, &routes, "08:30:00"), ["a", "b"]);
        outbox.hear(TROUBLE, "a", Answer::Taken, at("08:30:01"));
        outbox.hear(TROUBLE, "b", Answer::Failed(None), at("08:30:02"));
        assert_eq!(next(&outbox, &routes, "08:30:03"), Next::Wait(at("08:30:22")));
        assert_eq!(sends(&mut outbox, &routes, "08:31:01"), ["b", "c"]);
        outbox.hear(TROUBLE, "b", Answer::Failed(None), at("08:31:02"));
        outbox.hear(TROUBLE, "c", Answer::Taken, at("08:31:02"));
        for time in ["08:31:30", "08:32:00"] {
            assert_eq!(sends(&mut outbox, &routes, time), ["b"], "a blip is no reason to leave b out");
            outbox.hear(TROUBLE, "b", Answer::Failed(None), at(time));
        }
        assert_eq!(next(&outbox, &routes, "08:45:00"), Next::Done, "others have it");
    }

    #[test]
    fn what_arrived_goes_no_further() {
        let (routes, mut outbox) = ([route("a", 1), route("b", 2)], outbox());
        assert_eq!(sends(&mut outbox, &routes, "08:30:00"), ["a"]);
        outbox.hear(TROUBLE, "a", Answer::Proven, at("08:30:01"));
        assert_eq!(next(&outbox, &routes, "08:59:00"), Next::Done);
    }

    #[test]
    fn a_channel_that_fails_or_hangs_is_not_waited_for() {
        let (routes, mut outbox) = ([route("a", 1), route("b", 2), route("c", 3)], outbox());
        assert_eq!(sends(&mut outbox, &routes, "08:30:00"), ["a"]);
        assert_eq!(next(&outbox, &routes, "08:30:01"), Next::Wait(at("08:30:05")));
        assert_eq!(sends(&mut outbox, &routes, "08:30:05"), ["b"]);
        outbox.hear(TROUBLE, "b", Answer::Failed(None), at("08:30:06"));
        assert_eq!(sends(&mut outbox, &routes, "08:30:06"), ["c"]);
        outbox.hear(TROUBLE, "a", Answer::Failed(None), at("08:30:12"));
        outbox.hear(TROUBLE, "c", Answer::Failed(Some(SignedDuration::from_secs(90))), at("08:30:13"));
        assert_eq!(sends(&mut outbox, &routes, "08:30:26"), ["b"], "each in its turn, until one takes it");
        assert_eq!(sends(&mut outbox, &routes, "08:30:32"), ["a"]);
        outbox.hear(TROUBLE, "a", Answer::Failed(None), at("08:30:33"));
        outbox.hear(TROUBLE, "b", Answer::Failed(None), at("08:30:33"));
        assert_eq!(sends(&mut outbox, &routes, "08:30:53"), ["a", "b"], "c asked for patience");
        assert_eq!(sends(&mut outbox, &routes, "08:31:43"), ["c"]);
    }

    #[test]
    fn patience_that_was_asked_for_holds_for_the_next_notice_too() {
        let (routes, mut outbox) = ([route("a", 1), route("b", 2)], outbox());
        sends(&mut outbox, &routes, "08:44:00");
        outbox.hear(TROUBLE, "a", Answer::Failed(Some(SignedDuration::from_mins(5))), at("08:44:01"));
        outbox.turn_to(GRAVE, None, at("08:45:00"));
        assert_eq!(sends(&mut outbox, &routes, "08:45:00"), ["b"], "nobody waits for a");
        assert_eq!(next(&outbox, &routes, "08:45:01"), Next::Wait(at("08:49:01")));
    }

    #[test]
    fn quiet_hours_hold_back_all_but_what_is_critical() {
        let night = Quiet { from: Time::constant(22, 0, 0, 0), until: Time::constant(7, 0, 0, 0) };
        let routes = [Route { quiet: Some(night), ..route("a", 1) }];
        let mut outbox = outbox();
        assert_eq!(next(&outbox, &routes, "06:59:59"), Next::Wait(at("07:00:00")));
        let tomorrow: Timestamp = "2026-11-26T07:00+05:30".parse().unwrap();
        assert_eq!(next(&outbox, &routes, "22:00:00"), Next::Wait(tomorrow));
        assert_eq!(sends(&mut outbox, &routes, "07:00:00"), ["a"]);
        outbox.turn_to(GRAVE, None, at("08:45:00"));
        assert_eq!(sends(&mut outbox, &routes, "23:00:00"), ["a"]);
        let day = Quiet { from: Time::constant(12, 0, 0, 0), until: Time::constant(13, 0, 0, 0) };
        assert_eq!(day.ends_at(at("12:30:00")), Some(at("13:00:00")));
        assert_eq!((day.ends_at(at("11:59:00")), day.ends_at(at("13:00:00"))), (None, None));
    }

    #[test]
    fn severity_chooses_and_who_heard_of_the_trouble_hears_its_end() {
        let grave = Route { severity: Severity::Critical, ..route("grave", 1) };
        let (routes, mut state) = ([route("a", 1), grave, route("later", 2)], State::default());
        let mut outbox = outbox();
        assert_eq!(sends(&mut outbox, &routes, "08:30:00"), ["a"]);
        outbox.turn_to(GRAVE, None, at("08:45:00"));
        assert_eq!(sends(&mut outbox, &routes, "08:45:00"), ["a", "grave"]);
        let mut told = |time: &str, (incident, severity, over): Key, channel: &str| {
            let (channel, proven) = (Some(channel.to_owned()), false);
            state.take(at(time), &Event::Told { incident, severity, over, channel, proven });
            state.told.clone().unwrap()
        };
        told("08:30:00", TROUBLE, "a");
        let told = told("08:45:00", GRAVE, "grave");
        assert_eq!(told.times, 2);
        outbox.turn_to(OVER, Some(&told), at("08:59:00"));
        assert_eq!(sends(&mut outbox, &routes, "08:59:00"), ["a", "grave"]);
    }

    #[test]
    fn another_process_goes_on_where_the_one_before_ended() {
        let (routes, mut state) = ([route("a", 1), route("b", 2)], State::default());
        let (incident, severity, over) = TROUBLE;
        let event = Event::Told { incident, severity, over, channel: Some("a".into()), proven: false };
        state.take(at("08:30:00"), &event);
        let mut outbox = Outbox::default();
        outbox.turn_to(TROUBLE, state.told.as_ref(), at("08:30:30"));
        assert_eq!(next(&outbox, &routes, "08:30:30"), Next::Wait(at("08:31:00")));
        assert_eq!(sends(&mut outbox, &routes, "08:31:00"), ["b"]);
    }

    #[test]
    fn what_was_heard_yesterday_is_of_another_morning() {
        let (routes, mut state) = ([route("a", 1)], State::default());
        let (incident, severity, over) = GRAVE;
        let event = Event::Told { incident, severity, over, channel: Some("a".into()), proven: true };
        let yesterday: Timestamp = "2026-11-24T08:50:00+05:30".parse().unwrap();
        state.take(yesterday, &event);
        let mut outbox = Outbox::default();
        outbox.turn_to(GRAVE, state.told.as_ref(), at("08:50:00"));
        assert_eq!(sends(&mut outbox, &routes, "08:50:00"), ["a"]);
    }

    #[test]
    fn without_channels_nobody_has_ears() {
        assert!(!outbox().has_ears(&[]));
        assert!(!outbox().has_ears(&[Route { severity: Severity::Critical, ..route("a", 1) }]));
        assert!(outbox().has_ears(&[route("a", 9)]));
        assert_eq!(next(&outbox(), &[], "08:30:00"), Next::Done);
    }
}
