//! What must hold at every instant of a simulated life, whatever happens in it. Each check names what it found.

use super::broker::Answer;
use super::weather::MINUTE;
use crate::budget::Cause;
use crate::failure::Stop;

/// Two of the broker's five, written here once more on purpose: who watches a number does not take it from the watched.
const TRIES: u8 = 2;
/// As many as were promised, and as many again for a clock that is set over midnight and back.
const MESSAGES_A_DAY: u8 = 24;
/// The same of links.
const LINKS_A_DAY: u8 = 12;

/// What was seen so far, as far as a check needs it.
#[derive(Clone, Debug, Default)]
pub(super) struct Watch {
    /// The password that was refused and not mended since.
    refused: Option<u32>,
    /// Codes of one seed that were refused with none taken in between: a person's login does not make the seed good.
    codes_refused: u8,
    /// Submissions since the last complete success, or the owner's word, that were refused or unclear.
    bad: [u8; 2],
    /// The process died before it wrote down that the broker had taken something: it is more careful now than it must be.
    unheard: bool,
    /// The broker said that the account is blocked.
    blocked: bool,
    last_step: u64,
    last_probe: Option<i64>,
    /// The least the broker said of how many attempts are left, since the owner's word or a success.
    left: [Option<u8>; 2],
    /// The broker asked for rest until this true moment.
    rest_until: i64,
    /// The last two deaths of a token that we know of.
    deaths: [i64; 2],
    /// Links of a day.
    invited: (i64, u8),
    /// Messages of a day, and whether the last one said that it is over.
    cried: (i64, u8),
    over: bool,
    pub(super) paused: bool,
    pub(super) breach: Option<String>,
}

impl Watch {
    fn fail(&mut self, what: String) {
        self.breach.get_or_insert(what);
    }

    fn expect(&mut self, holds: bool, what: &str) {
        if !holds {
            self.fail(what.to_owned());
        }
    }

    /// A login begins that is not the owner's.
    pub(super) fn begins(&mut self, at: i64, morning: i64) {
        self.expect(at >= self.rest_until, "a login began although the broker had asked to wait");
        let [first, second] = self.deaths;
        let fight = first >= morning && second - first < 30 * MINUTE;
        self.expect(!fight, "two tokens died within half an hour, and a third login began");
    }

    pub(super) fn waits(&mut self, until: i64) {
        self.rest_until = until;
    }

    pub(super) fn dies(&mut self, at: i64) {
        self.deaths = [self.deaths[1], at];
    }

    /// A credential leaves.
    pub(super) fn leaves(&mut self, cause: Cause, password: u32) {
        self.expect(!self.paused, "a credential left while the owner wanted none to");
        self.expect(self.bad[cause as usize] < TRIES, "more than two submissions in a row may end badly");
        let told = self.left[cause as usize].is_none_or(|left| left > 3);
        self.expect(told, "the broker said that few attempts are left, and one more was made");
        if cause == Cause::Password {
            self.expect(self.refused != Some(password), "a refused password was sent again");
        }
        self.bad[cause as usize] += 1;
    }

    /// A code leaves; each time step is used once, and later ones only.
    pub(super) fn code_leaves(&mut self, step: u64) {
        self.expect(step > self.last_step, "a time step was used twice, or an older one after a newer");
        self.last_step = self.last_step.max(step);
    }

    pub(super) fn answered(&mut self, cause: Cause, password: u32, answer: Answer) {
        match answer {
            Answer::Taken => {
                self.bad[cause as usize] -= 1;
                if cause == Cause::Code {
                    self.codes_refused = 0;
                }
            }
            Answer::Refused { left } => {
                self.left[cause as usize] = Some(left);
                match cause {
                    Cause::Password => self.refused = Some(password),
                    Cause::Code => self.codes_refused += 1,
                }
            }
            Answer::Blocked => self.blocked = true,
        }
    }

    /// The budget stops; the watch must know of a cause too.
    pub(super) fn stopped(&mut self, stop: Stop) {
        let spent = self.bad.iter().any(|bad| *bad >= TRIES);
        let told = self.left.iter().flatten().any(|left| *left <= 3);
        let refused = self.refused.is_some() || self.blocked || self.codes_refused >= TRIES;
        let holds = spent || told || self.unheard || refused || stop == Stop::Restored;
        self.expect(holds, "the budget stopped, and nothing that was spent says why");
    }

    pub(super) fn blocked_by_us(&mut self, strangers_slips: u8) {
        if strangers_slips == 0 {
            self.fail("the account is blocked, and nobody but us typed anything wrong".into());
        }
    }

    pub(super) fn succeeded(&mut self) {
        (self.rest_until, self.unheard, self.blocked) = (0, false, false);
        (self.bad, self.left) = ([0; 2], [None; 2]);
    }

    /// The owner stored another password, or said that all is well.
    pub(super) fn mended(&mut self) {
        (self.refused, self.codes_refused) = (None, 0);
        (self.rest_until, self.deaths) = (0, [0; 2]);
        self.succeeded();
    }

    pub(super) fn probes(&mut self, at: i64) {
        let paced = self.last_probe.is_none_or(|before| at - before >= MINUTE);
        self.expect(paced, "the broker was asked about a token twice within a minute");
        self.last_probe = Some(at);
    }

    /// Another process does not remember when the broker was asked.
    pub(super) fn forgets_probes(&mut self) {
        self.last_probe = None;
    }

    pub(super) fn loses_news(&mut self) {
        self.unheard = true;
    }

    /// A clock that jumped does not know how long ago anything was, nor does an older history.
    pub(super) fn forgets_times(&mut self) {
        (self.last_probe, self.rest_until, self.deaths) = (None, 0, [0; 2]);
        self.over = false;
    }

    pub(super) fn served(&mut self, dead_for_sure: bool) {
        self.expect(!dead_for_sure, "a token that cannot live any more was handed out");
    }

    pub(super) fn proven(&mut self, lives: bool) {
        self.expect(lives, "the deadline's verdict believed in a token that was dead");
    }

    pub(super) fn replaced(&mut self, proven: bool) {
        self.expect(proven, "a token took the place of another and was not proven");
    }

    /// A link goes to a person.
    pub(super) fn invites(&mut self, day: i64) {
        self.expect(!self.paused, "a person was asked to log in while the owner wanted no logins");
        let (of, times) = self.invited;
        self.invited = (day, if of == day { times + 1 } else { 1 });
        self.expect(self.invited.1 <= LINKS_A_DAY, "a person was sent too many links on one day");
    }

    /// A message goes to a person.
    pub(super) fn cries(&mut self, day: i64, over: bool) {
        let (of, times) = self.cried;
        self.cried = (day, if of == day { times + 1 } else { 1 });
        self.expect(self.cried.1 <= MESSAGES_A_DAY, "a person was told too often on one day");
        self.expect(!(over && self.over), "it was said twice that it is over");
        self.over = over;
    }

    pub(super) fn heard(&mut self, heard: bool) {
        self.expect(heard, "the deadline passed without a token, and no person was told how grave that is");
    }

    pub(super) fn verdict(&mut self, known: bool) {
        self.expect(known, "the deadline passed without a token and without a word");
    }
}
