//! Failing mornings by the thousand: every subset of the channels down, in every order of the owner's, each in its own way and
//! at its own time, while the process dies now and then. Somebody is told through what remains, within a minute, no channel is
//! asked too often, and the end is told once.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::decide::View;
use firstbell_core::event::Event;
use firstbell_core::failure::Ask;
use firstbell_core::notice::{self, A_DAY, Notice, Owner, Severity};
use firstbell_core::outbox::{Answer, Key, Next, Outbox, Route};
use firstbell_core::schedule::{Assisted, Hours, Schedule};
use firstbell_core::state::State;
use firstbell_core::token::{Flush, Life};
use jiff::{SignedDuration, Timestamp};

const FLUSH: Flush = Flush { begins_h: 5, ends_h: 8 };
const OWNER: &str = "main";
const CHANNELS: usize = 4;
/// Moments here are milliseconds since midnight in India.
const MINUTE: i64 = 60_000;
const HALF_PAST_EIGHT: i64 = 510 * MINUTE;
const END: i64 = 600 * MINUTE;
/// How long the daemon waits for one channel (`alerts::TIME`).
const TIME: i64 = 12_000;
const PATIENCE_MS: i64 = 60_000;
const PATIENCE: SignedDuration = SignedDuration::from_millis(PATIENCE_MS);
/// The promise is a minute, with eleven channels; four leave half of it.
const HEARD: i64 = 30_000;
/// No channel is asked for the same thing more often.
const PAUSE: i64 = 20_000;

/// How a channel is out of order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ill {
    Refuses,
    Hangs,
    /// Asks to be left alone for so long.
    Patience(i64),
}

/// A channel of this morning: ill from one moment to another, else well.
#[derive(Clone, Copy, Debug)]
struct Far {
    ill: Option<(i64, i64, Ill)>,
    proves: bool,
    takes_ms: i64,
}

impl Far {
    fn ill_at(&self, t: i64) -> Option<Ill> {
        self.ill.filter(|(from, until, _)| (*from..*until).contains(&t)).map(|(.., ill)| ill)
    }

    fn answers(&self, t: i64) -> (i64, Answer) {
        match self.ill_at(t) {
            None if self.proves => (t + self.takes_ms, Answer::Proven),
            None => (t + self.takes_ms, Answer::Taken),
            Some(Ill::Refuses) => (t + self.takes_ms, Answer::Failed(None)),
            Some(Ill::Hangs) => (t + TIME, Answer::Failed(None)),
            Some(Ill::Patience(ms)) => {
                (t + self.takes_ms, Answer::Failed(Some(SignedDuration::from_millis(ms))))
            }
        }
    }
}

struct Chance(u64);

impl Chance {
    fn draw(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn from(&mut self, from: i64, until: i64) -> i64 {
        from + i64::try_from(self.draw(u64::try_from(until - from).unwrap())).unwrap()
    }
}

fn at(t: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-25T00:00:00+05:30".parse().unwrap();
    midnight + SignedDuration::from_millis(t)
}

/// One morning.
struct Morning {
    fars: Vec<Far>,
    routes: Vec<Route>,
    state: State,
    token: Option<Life>,
    outbox: Outbox,
    /// What is on its way: when it is answered, through which channel, and what.
    sent: Vec<(i64, usize, Key, Answer)>,
    /// What each channel took.
    taken: Vec<(usize, Key, i64)>,
    /// Since when each notice is due.
    due: BTreeMap<String, (i64, Key)>,
    held: Vec<i64>,
    /// Each wait that was asked for: by whom, from when, until when.
    holds: Vec<(usize, i64, i64)>,
    /// When each channel was last asked for each notice.
    asked: BTreeMap<(usize, String), i64>,
}

impl Morning {
    fn of(chance: &mut Chance, down: u64, order: &[u8; CHANNELS]) -> Morning {
        let far = |i: usize, chance: &mut Chance| {
            let ill = [Ill::Refuses, Ill::Hangs, Ill::Patience(chance.from(5_000, 400_000))];
            let how = ill[usize::try_from(chance.draw(3)).unwrap()];
            let (from, until) = match chance.draw(2) {
                0 => (0, END),
                _ => {
                    let from = chance.from(HALF_PAST_EIGHT, HALF_PAST_EIGHT + 40 * MINUTE);
                    (from, from + chance.from(MINUTE, 20 * MINUTE))
                }
            };
            let ill = (down & (1 << i) != 0).then_some((from, until, how));
            Far { ill, proves: chance.draw(4) == 0, takes_ms: chance.from(20, 4_000) }
        };
        let fars: Vec<Far> = (0..CHANNELS).map(|i| far(i, chance)).collect();
        let route = |i: usize| Route {
            name: format!("{i}"),
            severity: Severity::Information,
            order: order[i],
            quiet: None,
        };
        Morning {
            fars,
            routes: (0..CHANNELS).map(route).collect(),
            state: State::default(),
            token: None,
            outbox: Outbox::default(),
            sent: Vec::new(),
            taken: Vec::new(),
            due: BTreeMap::new(),
            held: vec![0; CHANNELS],
            holds: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    fn notices(&self, t: i64) -> (Option<Notice>, Option<Notice>) {
        let hours = Hours { spread: SignedDuration::ZERO, ..Hours::default() };
        let schedule = Schedule {
            hours,
            exchanges: Exchange::USUAL.to_vec(),
            flush: FLUSH,
            assisted: Assisted::Never,
            seed: 1,
        };
        let view = View {
            schedule: &schedule,
            calendar: Calendar::compiled(),
            state: &self.state,
            admitted: Ok(()),
            token: self.token,
            pending: false,
            probe: None,
        };
        let owner = Owner { account: OWNER, ..Owner::default() };
        (notice::due(&view, &owner, at(t)), notice::open(&view, &owner, at(t)))
    }

    /// As the crier does: what is new, else what is still true.
    fn step(&mut self, t: i64) -> Option<i64> {
        let (due, open) = self.notices(t);
        if let Some(notice) = &due {
            let key = (notice.incident, notice.severity, notice.over);
            self.due.entry(format!("{key:?}")).or_insert((t, key));
        }
        let Some(notice) = due.or(open) else {
            self.outbox.rest();
            return None;
        };
        let key = (notice.incident, notice.severity, notice.over);
        self.outbox.turn_to(key, self.state.told.as_ref(), at(t));
        loop {
            match self.outbox.next(&self.routes, PATIENCE, at(t)) {
                Next::Send(names) => {
                    for name in names {
                        let i: usize = name.parse().unwrap();
                        assert!(t >= self.held[i], "channel {i} asked to be left alone");
                        let before = self.asked.insert((i, format!("{key:?}")), t);
                        assert!(before.is_none_or(|before| t >= before + PAUSE), "a storm at channel {i}");
                        self.outbox.ask(&name, at(t));
                        let (when, answer) = self.fars[i].answers(t);
                        self.sent.push((when, i, key, answer));
                    }
                }
                Next::Wait(moment) => {
                    return Some(moment.duration_since(at(0)).as_millis().try_into().unwrap());
                }
                Next::Listen | Next::Done => return None,
            }
        }
    }

    fn answered(&mut self, t: i64, (_, i, key, answer): (i64, usize, Key, Answer)) {
        if let Answer::Failed(Some(wait)) = answer {
            self.held[i] = t + i64::try_from(wait.as_millis()).unwrap();
            self.holds.push((i, t, self.held[i]));
        }
        self.outbox.hear(key, &i.to_string(), answer, at(t));
        if !matches!(answer, Answer::Failed(_)) {
            self.taken.push((i, key, t));
            let (incident, severity, over) = key;
            let (channel, proven) = (Some(i.to_string()), answer == Answer::Proven);
            self.state.take(at(t), &Event::Told { incident, severity, over, channel, proven });
        }
    }

    /// Lives it: what is wrong begins at half past eight and ends, or not, at a moment of chance.
    fn live(&mut self, chance: &mut Chance) {
        let ends = (chance.draw(4) > 0).then(|| chance.from(HALF_PAST_EIGHT + 5_000, END - 10 * MINUTE));
        let mut deaths: Vec<i64> = (0..chance.draw(3)).map(|_| chance.from(HALF_PAST_EIGHT, END)).collect();
        let fails: Vec<i64> =
            [2_000, 5_000, 10_000, 60_000, 600_000, 1_200_000].map(|ms| HALF_PAST_EIGHT + ms).into();
        let mut t = HALF_PAST_EIGHT;
        let mut failed = 0;
        while t < END {
            while failed < fails.len() && fails[failed] <= t && self.token.is_none() {
                self.state.take(at(t), &Event::Failed { code: "unreachable".into(), ask: Ask::Again });
                failed += 1;
            }
            if ends.is_some_and(|ends| ends <= t) && self.token.is_none() {
                self.state.take(at(t), &Event::Proven { generation: 1 });
                self.token = Some(Life::of(at(t), FLUSH));
            }
            if let Some(place) = deaths.iter().position(|death| *death <= t) {
                deaths.swap_remove(place);
                // What was on its way arrived or not, and nobody heard which; who wanted patience is forgotten.
                (self.outbox, self.held) = (Outbox::default(), vec![0; CHANNELS]);
                self.asked.clear();
                self.sent.clear();
            }
            while let Some(place) = self.sent.iter().position(|(when, ..)| *when <= t) {
                let answer = self.sent.swap_remove(place);
                self.answered(t, answer);
            }
            let waits = self.step(t);
            let lasting = self.token.is_none();
            let next = [fails.get(failed).copied().filter(|_| lasting), ends.filter(|_| lasting), waits];
            // A warning becomes critical at a quarter to nine.
            let graver = [Some(HALF_PAST_EIGHT + 15 * MINUTE)];
            let moments = next.into_iter().chain(graver).flatten().chain(deaths.iter().copied());
            let moments = moments.chain(self.sent.iter().map(|(when, ..)| *when)).filter(|at| *at > t);
            t = moments.min().unwrap_or(END);
        }
        self.check(ends, chance.0);
    }

    fn check(&self, ends: Option<i64>, seed: u64) {
        let say = || {
            format!(
                "seed {seed}: {:?} {:?} taken {:?} due {:?}",
                self.fars, self.routes, self.taken, self.due
            )
        };
        // A channel that is well for this minute and a moment: it would take what it is asked to.
        let well = |i: usize, from: i64| {
            (from..from + MINUTE).step_by(250).all(|t| self.fars[i].ill_at(t).is_none())
                && !self
                    .holds
                    .iter()
                    .any(|(j, since, until)| *j == i && *since <= from + MINUTE && *until > from)
        };
        for (since, key) in self.due.values().copied() {
            let over = key.2;
            let still = !over && ends.is_some_and(|ends| ends < since + MINUTE);
            let graver = key.1 < Severity::Critical && since + MINUTE > HALF_PAST_EIGHT + 15 * MINUTE;
            let hears = |i: usize| !over || self.taken.iter().any(|(j, (.., o), _)| *j == i && !o);
            let somebody = (0..CHANNELS).any(|i| hears(i) && well(i, since));
            let told = self.taken.iter().any(|(_, k, t)| *k == key && *t <= since + HEARD);
            let late = since + MINUTE > END;
            assert!(told || !somebody || still || graver || late, "nobody heard {key:?}; {}", say());
        }
        let mut counts = BTreeMap::new();
        for (i, key, _) in &self.taken {
            *counts.entry((*i, format!("{key:?}"))).or_insert(0_u32) += 1;
        }
        assert!(counts.values().all(|n| *n == 1), "told twice; {}", say());
        assert!(self.state.told.as_ref().is_none_or(|told| told.times <= 2 * A_DAY), "{}", say());
        let said: Vec<_> = self.taken.iter().filter(|(_, key, _)| key.2).collect();
        let unsaid: Vec<_> = self.taken.iter().filter(|(_, key, _)| !key.2).collect();
        assert!(said.is_empty() || ends.is_some(), "over before it was over; {}", say());
        for (i, ..) in said {
            assert!(unsaid.iter().any(|(j, ..)| i == j), "the end of what {i} never heard of; {}", say());
        }
        self.check_orders(ends, &say);
    }

    /// What was taken and not proven to have arrived goes to the next order in its time, if it is not over by then.
    fn check_orders(&self, ends: Option<i64>, say: &dyn Fn() -> String) {
        let mut orders: Vec<u8> = self.routes.iter().map(|route| route.order).collect();
        orders.sort_unstable();
        orders.dedup();
        for (_, key) in self.due.values().filter(|(_, key)| !key.2) {
            let took = |i: usize| self.taken.iter().find(|(j, k, _)| *j == i && k == key).map(|(.., t)| *t);
            let first = (0..CHANNELS).filter(|i| self.routes[*i].order == orders[0]).filter_map(took).min();
            let (Some(first), Some(second)) = (first, orders.get(1)) else { continue };
            let until = first + PATIENCE_MS + HEARD;
            let proven = (0..CHANNELS).any(|i| self.fars[i].proves && took(i).is_some());
            let graver = key.1 < Severity::Critical && until > HALF_PAST_EIGHT + 15 * MINUTE;
            if proven || graver || until > END || ends.is_some_and(|ends| ends < until) {
                continue;
            }
            for i in (0..CHANNELS).filter(|i| self.routes[*i].order == *second && self.fars[*i].ill.is_none())
            {
                assert!(took(i).is_some_and(|t| t <= until), "{i} did not hear {key:?}; {}", say());
            }
        }
    }
}

/// Four channels: all together, one after another in each order, and in pairs.
fn orders() -> Vec<[u8; CHANNELS]> {
    let mut orders = vec![[1; CHANNELS], [1, 1, 2, 2], [2, 1, 2, 1], [1, 2, 2, 3]];
    for code in 0..256_u32 {
        let order = [0, 2, 4, 6].map(|shift| u8::try_from(1 + (code >> shift & 3)).unwrap());
        let mut sorted = order;
        sorted.sort_unstable();
        if sorted == [1, 2, 3, 4] {
            orders.push(order);
        }
    }
    orders
}

#[test]
fn somebody_is_told_whatever_is_down() {
    let mut mornings = 0;
    for order in orders() {
        for down in 0..(1 << CHANNELS) {
            for round in 0..48_u64 {
                let seed = (u64::from(order[0]) << 40) ^ (u64::from(order[1]) << 32) ^ (down << 8) ^ round;
                let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
                chance.draw(2);
                Morning::of(&mut chance, down, &order).live(&mut chance);
                mornings += 1;
            }
        }
    }
    assert!(mornings >= 20_000, "{mornings}");
}
