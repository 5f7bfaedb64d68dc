//! Every kind of message, word for word as `notices.txt` has it: read that file aloud, as somebody on a train at a quarter to nine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::decide::View;
use firstbell_core::event::{ASSISTED, Event};
use firstbell_core::failure::{Ask, Failure, Part, Stop};
use firstbell_core::notice::{self, Dates, Notice, Owner};
use firstbell_core::schedule::{Assisted, Hours, Schedule};
use firstbell_core::state::State;
use firstbell_core::token::{Flush, Life};
use jiff::{SignedDuration, Timestamp};

const FLUSH: Flush = Flush { begins_h: 5, ends_h: 8 };

fn at(time: &str) -> Timestamp {
    format!("2026-11-25T{time}+05:30").parse().unwrap()
}

/// A morning of an account, and the messages of it.
struct Morning {
    schedule: Schedule,
    state: State,
    token: Option<Life>,
    admitted: Result<(), Stop>,
    dates: Dates,
    said: Vec<String>,
}

impl Morning {
    fn new(assisted: Assisted) -> Morning {
        let hours = Hours { spread: SignedDuration::ZERO, ..Hours::default() };
        let exchanges = Exchange::USUAL.to_vec();
        Morning {
            schedule: Schedule { hours, exchanges, flush: FLUSH, assisted, seed: 1 },
            state: State::default(),
            token: None,
            admitted: Ok(()),
            dates: Dates::default(),
            said: Vec::new(),
        }
    }

    fn happens(&mut self, time: &str, event: &Event) {
        self.state.take(at(time), event);
    }

    fn fails(&mut self, time: &str, code: &str, ask: Ask) {
        self.happens(time, &Event::Failed { code: code.into(), ask });
    }

    fn is_proven(&mut self, time: &str) {
        self.happens(time, &Event::Proven { generation: self.state.generation + 1 });
        self.token = Some(Life::of(at(time), FLUSH));
        self.admitted = Ok(());
    }

    /// What is due at this moment, and is told.
    fn tells(&mut self, time: &str) {
        let owner = Owner { account: "main", morning_line: true, dates: self.dates };
        let view = View {
            schedule: &self.schedule,
            calendar: Calendar::compiled(),
            state: &self.state,
            admitted: self.admitted,
            token: self.token,
            pending: false,
            probe: None,
        };
        let notice = notice::due(&view, &owner, at(time))
            .unwrap_or_else(|| panic!("nothing at {time}: {:?}", self.said));
        let Notice { incident, severity, over, .. } = notice;
        self.happens(time, &Event::Told { incident, severity, over, channel: None, proven: false });
        self.keep(time, &notice);
    }

    fn keep(&mut self, time: &str, notice: &Notice) {
        let lines = notice.body.lines().count();
        assert!(lines <= 5 && notice.body.len() < 600, "more than a phone shows: {notice:?}");
        let Notice { incident, severity, title, body, .. } = notice;
        self.said.push(format!("{time} {severity} ({})\n{title}\n{body}\n", incident.as_str()));
    }
}

fn stories() -> Vec<String> {
    let mut all = Vec::new();
    // Zerodha is down, and comes back.
    let mut day = Morning::new(Assisted::Never);
    for time in ["08:30:02", "08:30:05", "08:30:10"] {
        day.fails(time, "broker-down", Ask::Again);
    }
    day.tells("08:30:10");
    day.fails("08:44:50", "unreachable", Ask::Again);
    day.tells("08:45:00");
    day.happens("08:51:00", &Event::Began { driver: "chrome".into() });
    day.is_proven("08:51:02");
    day.tells("08:51:02");
    day.tells("08:51:03");
    // A token that another login replaced, twice.
    day.happens("09:10:00", &Event::Died { generation: 1 });
    day.is_proven("09:10:03");
    day.happens("09:20:00", &Event::Died { generation: 2 });
    day.token = None;
    day.tells("09:20:00");
    all.append(&mut day.said);

    // What only a person mends.
    for (code, ask, stop) in [
        ("password-rejected", Ask::Stop, Err(Stop::Password)),
        ("code-rejected", Ask::Stop, Err(Stop::Code)),
        ("blocked", Ask::Stop, Err(Stop::Blocked)),
        ("insecure", Ask::Stop, Ok(())),
        ("secret-refused", Ask::Stop, Ok(())),
        ("captcha", Ask::Human, Ok(())),
        ("clock-wrong", Ask::Human, Ok(())),
        ("wrong-return", Ask::Human, Ok(())),
    ] {
        let mut day = Morning::new(Assisted::Never);
        for time in ["08:30:02", "08:32:00", "08:42:00"] {
            day.fails(time, code, ask);
        }
        day.admitted = stop;
        day.tells("08:46:00");
        all.append(&mut day.said);
    }

    // A person is asked: at the end, and every morning.
    let mut day = Morning::new(Assisted::Last);
    day.fails("08:30:02", "password-rejected", Ask::Stop);
    day.admitted = Err(Stop::Password);
    day.happens("08:30:03", &Event::Began { driver: ASSISTED.into() });
    day.tells("08:30:04");
    all.append(&mut day.said);
    let mut day = Morning::new(Assisted::Only);
    day.happens("08:30:00", &Event::Began { driver: ASSISTED.into() });
    day.tells("08:45:00");
    all.append(&mut day.said);

    // Something is missing beforehand, and the address of orders is another one.
    let mut day = Morning::new(Assisted::Never);
    day.happens("08:20:00", &Event::Checked { lacks: vec!["browser".into(), "channel phone".into()] });
    day.tells("08:20:01");
    day.is_proven("08:30:05");
    day.happens("09:00:00", &Event::Assessed { lacks: vec!["egress address".into()] });
    day.dates.address_changed = Some("2026-11-24".parse().unwrap());
    day.tells("09:00:01");
    all.append(&mut day.said);

    // Days to come, and a machine that cannot remember.
    let mut day = Morning::new(Assisted::Never);
    day.dates.password_due = Some("2026-12-05".parse().unwrap());
    day.dates.subscription_until = Some("2026-11-26".parse().unwrap());
    day.tells("08:20:00");
    day.tells("08:20:01");
    let broken = Failure::Broken {
        part: Part::Store,
        why: "the store /var/lib/firstbell/store.db failed: disk full".into(),
        cure: "The disk is full: free some space, then try again.".into(),
    };
    let owner = Owner { account: "main", ..Owner::default() };
    let notice = notice::broken(&owner, &broken, (at("08:31:00"), at("08:30:00")));
    day.keep("08:31:00", &notice);
    all.append(&mut day.said);
    all
}

#[test]
fn every_message_is_as_it_was_read_aloud() {
    let now = stories().join("\n");
    let written = include_str!("notices.txt");
    assert!(now == written, "notices.txt is not what is said; read this aloud, then put it there:\n{now}");
}
