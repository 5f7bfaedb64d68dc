//! What one simulated day has in store: outages, lost answers, crashes, jumps of the clock, people who log in by hand.

use super::chance::Chance;

pub(super) const SECOND: i64 = 1_000;
pub(super) const MINUTE: i64 = 60 * SECOND;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// Something that happens at a moment, whatever firstbell does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Happening {
    /// The broker ends all tokens.
    Flush,
    /// The process dies, and another one, of this node or of the second, is there after so many milliseconds.
    Crash {
        down: i64,
    },
    /// The machine sleeps.
    Suspend {
        ms: i64,
    },
    /// Somebody sets the clock this much wrong.
    Jump {
        off: i64,
    },
    /// The clock is right again.
    Right,
    /// A person follows the link that he was sent.
    Helper,
    /// The owner, or another program of his, logs in by hand.
    Stranger,
    /// The owner mistypes the password this often.
    Slips {
        times: u8,
    },
    /// The password is changed at the broker, and nobody tells firstbell.
    NewPassword,
    /// The owner looks after what firstbell stopped for.
    Mend,
    /// The owner pauses, and resumes.
    Pause,
    Resume,
    /// The state folder is put back from a backup of some days ago.
    Restore,
    /// A program asks for the token.
    Serve,
    /// The moment in which somebody must know how the morning went.
    Verdict,
}

/// Where a login of this day goes wrong, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    LostPassword {
        counted: bool,
    },
    LostCode {
        counted: bool,
    },
    WrongCode,
    LostExchange {
        minted: bool,
    },
    GrantRefused,
    DeadOnArrival,
    ProofDown,
    DiskFull,
    CrashAt(u8),
    Wait {
        s: i64,
    },
    UnknownPage,
    BadCertificate,
    /// A backup is put back a moment after the login, and the owner says at once that all is well.
    RestoredAtOnce,
}

/// One day.
#[derive(Clone, Debug, Default)]
pub(super) struct Day {
    /// The broker does not answer from .. to.
    pub(super) outage: Option<(i64, i64)>,
    pub(super) fault: Option<Fault>,
    /// The one after that.
    then: Option<Fault>,
    /// In the order of time, the next one last.
    pub(super) happenings: Vec<(i64, Happening)>,
}

impl Day {
    /// The day that begins at midnight in India at `midnight`, a moment in milliseconds since 1970. What is left of
    /// earlier days stays.
    pub(super) fn draw(chance: &mut Chance, midnight: i64, into: &mut Day) {
        (into.outage, into.fault, into.then) = (None, None, None);
        let drawn = &mut into.happenings;
        drawn.push((chance.from(5 * HOUR..7 * HOUR + 50 * MINUTE), Happening::Flush));
        drawn.push((9 * HOUR + 5 * MINUTE, Happening::Verdict));
        drawn.push((chance.from(0..DAY), Happening::Serve));
        if chance.happens(400) {
            let early = chance.from(8 * HOUR..9 * HOUR + 30 * MINUTE);
            let wide = chance.from(0..DAY);
            match chance.from(0..27) {
                0 => into.outage = Some((early, early + chance.from(SECOND..2 * HOUR))),
                1 => into.outage = Some((8 * HOUR, 8 * HOUR + chance.from(25 * MINUTE..58 * MINUTE))),
                kind @ 12.. => {
                    into.fault = Some(fault(chance, kind));
                    into.then = chance.happens(300).then(|| fault(chance, kind));
                    into.outage = chance.happens(200).then(|| (early, early + chance.from(SECOND..HOUR)));
                }
                kind => happen(chance, kind, (early, wide), drawn),
            }
        }
        into.outage = into.outage.map(|(from, to)| (from + midnight, to + midnight));
        let begun = drawn.iter_mut().filter(|(moment, _)| *moment < 3 * DAY);
        begun.for_each(|(moment, _)| *moment += midnight);
        drawn.sort_unstable_by_key(|(moment, _)| std::cmp::Reverse(*moment));
    }

    /// The fault struck.
    pub(super) fn spent(&mut self) {
        self.fault = self.then.take();
    }

    /// Puts something in its place among what is to come.
    pub(super) fn add(&mut self, moment: i64, what: Happening) {
        let place = self.happenings.partition_point(|(other, _)| *other > moment);
        self.happenings.insert(place, (moment, what));
    }
}

fn happen(chance: &mut Chance, kind: i64, (early, wide): (i64, i64), drawn: &mut Vec<(i64, Happening)>) {
    match kind {
        2 => drawn.push((early, Happening::Crash { down: chance.from(0..20 * MINUTE) })),
        3 => drawn.push((wide, Happening::Crash { down: chance.from(0..20 * HOUR) })),
        4 => drawn.push((wide, Happening::Suspend { ms: chance.from(0..12 * HOUR) })),
        5 => {
            drawn.push((wide, Happening::Jump { off: chance.from(-400 * DAY..400 * DAY) }));
            drawn.push((wide + chance.from(MINUTE..6 * HOUR), Happening::Right));
        }
        6 => drawn.push((wide, Happening::Stranger)),
        7 => drawn.extend((0..4).map(|n| (early + n * 9 * MINUTE, Happening::Stranger))),
        8 => drawn.push((early, Happening::Slips { times: 1 + u8::from(chance.happens(500)) })),
        9 => drawn.push((wide, Happening::NewPassword)),
        10 => {
            drawn.push((wide, Happening::Pause));
            drawn.push((wide + chance.from(MINUTE..DAY), Happening::Resume));
        }
        _ => drawn.push((wide, Happening::Restore)),
    }
}

fn fault(chance: &mut Chance, kind: i64) -> Fault {
    let coin = chance.happens(500);
    match kind {
        12 => Fault::LostPassword { counted: coin },
        13 => Fault::LostCode { counted: coin },
        14 => Fault::WrongCode,
        15 => Fault::LostExchange { minted: coin },
        16 => Fault::GrantRefused,
        17 => Fault::DeadOnArrival,
        18 => Fault::ProofDown,
        19 => Fault::DiskFull,
        20 => Fault::Wait { s: chance.from(1..3_000) },
        21 => Fault::UnknownPage,
        22 => Fault::BadCertificate,
        23 => Fault::RestoredAtOnce,
        _ => Fault::CrashAt(u8::try_from(chance.from(0..10)).expect("it is less than ten")),
    }
}
