//! What a person gets to know in a simulated life: each message on its way, and the question five minutes after a deadline.

use jiff::Timestamp;

use super::Miss;
use super::life::{ENOUGH, Life};
use super::weather::{DAY, HOUR, MINUTE};
use crate::calendar::Calendar;
use crate::decide;
use crate::event::Event;
use crate::incident::{Incident, Severity};
use crate::notice::{self, A_DAY, Owner};
use crate::schedule::Assisted;

impl Life<'_> {
    /// The moment to look, where somebody listens: a notice grows graver by the clock.
    pub(super) fn heeds(&self, at: Timestamp) -> Timestamp {
        match self.ears {
            true => notice::look_at(&self.view(), self.now()).map_or(at, |grave| at.min(grave)),
            false => at,
        }
    }

    /// Every message arrives at once; how many there are on a day is watched.
    pub(super) fn listen(&mut self) {
        if !self.ears {
            return;
        }
        let Some(notice) =
            notice::due(&self.view(), &Owner { account: "main", ..Owner::default() }, self.now())
        else {
            return;
        };
        self.watch.cries(self.t.div_euclid(DAY), notice.over);
        self.say(|| format!("{}: {}", notice.title, notice.body.replace('\n', " ")));
        let (incident, severity, over) = (notice.incident, notice.severity, notice.over);
        self.note(Event::Told { incident, severity, over, channel: None, proven: false });
    }

    /// Five minutes after the deadline: there is a good token, or a word was said, or nobody could have.
    pub(super) fn verdict(&mut self) {
        let Some(slot) = self.schedule.around(Calendar::compiled(), self.now()) else { return };
        let deadline = slot.deadline_at.as_millisecond();
        let local = self.t + self.off;
        if self.off != 0 || local < deadline || local > deadline + HOUR {
            return;
        }
        self.report.mornings += 1;
        let ready = decide::serve(&self.view(), self.now()).is_ok();
        let told = self.state.assessed_at.is_some_and(|at| at >= slot.deadline_at);
        let away = self.down_until > deadline - MINUTE;
        let late = deadline - ENOUGH;
        let outage = self.day.outage.is_some_and(|(from, to)| from < deadline + ENOUGH && to > late);
        // A login that could begin only now keeps the keeper from speaking until it ends.
        let busy = self.t - self.freed.0.max(self.wrong_until) < MINUTE;
        self.watch.verdict(ready || told || away || busy || self.state.paused);
        if ready {
            self.report.in_time += 1;
            let lives = self.token.is_some_and(|token| self.broker.takes(token.id));
            let undisturbed = self.strangers[1] < deadline - MINUTE && !away && !outage;
            self.watch.proven(lives || !undisturbed);
            return;
        }
        let forgiven = away || busy || self.watch.paused || slot.quiet || self.wrong_until > late - HOUR;
        let told = self.state.told.as_ref().filter(|told| told.at.as_millisecond() > deadline - 2 * HOUR);
        let heard = told.is_some_and(|told| {
            let grave =
                told.incident == Incident::NoToken && told.severity == Severity::Critical && !told.over;
            grave || told.times >= 2 * A_DAY
        });
        self.watch.heard(heard || forgiven || !self.ears);
        let waits = self.state.wait.is_some_and(|(_, until)| until.as_millisecond() > late);
        let causes = [
            (outage, Miss::Outage),
            (self.down_until > late, Miss::Down),
            (self.wrong_until > late, Miss::Clock),
            (self.watch.paused, Miss::Paused),
            (waits, Miss::Waited),
            (self.strangers[0] > deadline - HOUR, Miss::Fought),
            (self.marred.is_some(), self.marred.unwrap_or(Miss::Owner)),
            (self.freed.0 > late, self.freed.1),
            (self.schedule.assisted == Assisted::Only, Miss::Owner),
        ];
        if let Err(stop) = self.view().admitted {
            self.watch.stopped(stop);
        }
        match causes.into_iter().find(|(holds, _)| *holds) {
            Some((_, miss)) => self.report.missed[miss as usize] += 1,
            None if self.view().admitted.is_err() => {
                self.watch.breach = Some("the budget stops, and the world gave no cause".into());
            }
            None => {
                self.watch.breach =
                    Some("the world allowed a token before the deadline, and there is none".into())
            }
        }
    }
}
