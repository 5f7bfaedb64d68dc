//! Long histories: what is pruned and what snapshots stand for is in the state all the same.

use firstbell::ports::TokenChange;
use firstbell::stores::Place;
use firstbell_core::budget::{Cause, Verdict};
use firstbell_core::event::Event;
use firstbell_core::state::State;
use jiff::{SignedDuration, Timestamp};

use crate::{Machine, Story, at, fp, intent};

/// Numbers that look like chance and are the same in each run (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn event(&mut self) -> Event {
        let cause = if self.roll(2) == 0 { Cause::Password } else { Cause::Code };
        let verdicts =
            [Verdict::Accepted, Verdict::Rejected, Verdict::Blocked, Verdict::Unknown, Verdict::NeverLeft];
        let step = self.roll(1_000_000);
        match self.roll(14) {
            0 => Event::Began { driver: "http".into() },
            1..=4 => Event::Intent {
                cause,
                credential: fp(&format!("c{}", self.roll(5))),
                time_step: (step > 100).then_some(step),
            },
            5..=8 => Event::Judged { cause, verdict: verdicts[self.roll(5) as usize] },
            9 => Event::Exchanging,
            10 => Event::Proven { generation: self.roll(1000) },
            11 => Event::Failed { code: "slow".into(), ask: firstbell_core::failure::Ask::Again },
            12 if self.roll(3) == 0 => Event::Unlocked,
            _ => Event::Restored,
        }
    }
}

/// However a history is cut into records, snapshots and prunings: what it amounts to is the fold of the whole.
#[test]
fn a_snapshot_and_the_rest_amount_to_the_whole() {
    let mut pruned = 0;
    for seed in 0..12 {
        let (machine, mut dice) = (Machine::new(), Dice(seed));
        let place = Place { keep_days: 30, ..Place::of(&machine.state()) };
        let (mut all, mut second, mut may_go) = (Story::new(), 0, 0);
        while all.len() < 1_500 {
            let stores = place.open().unwrap();
            for _ in 0..=dice.roll(6) {
                // The clock runs, stands, and goes back.
                second += i64::try_from(dice.roll(400_000)).unwrap() - 50_000;
                let events: Story = (0..dice.roll(60)).map(|_| (at(second), dice.event())).collect();
                stores.store().record("a", &events, TokenChange::Keep).unwrap();
                all.extend(events);
            }
            if dice.roll(3) == 0 {
                stores.store().attest("a", at(second)).unwrap();
                stores.store().tidy(at(second)).unwrap();
                let day = SignedDuration::from_hours(24);
                let old = |(moment, _): &(Timestamp, Event)| at(second) - day * 30 > *moment;
                may_go = may_go.max(all.iter().take_while(|event| old(event)).count());
            }
            let (state, kept) = (place.open().unwrap(), stores.store().history("a").unwrap());
            assert_eq!(
                state.store().state("a").unwrap(),
                State::of(&all),
                "seed {seed}, {} events",
                all.len()
            );
            assert!(all.ends_with(&kept) && all.len() - kept.len() <= may_go, "seed {seed}");
            let found = stores.store().verify("a").unwrap();
            assert_eq!((found.events + found.pruned, found.flaw), (all.len() as u64, None), "seed {seed}");
        }
        pruned += place.open().unwrap().store().verify("a").unwrap().pruned;
    }
    assert!(pruned > 3_000, "{pruned} of 18,000");
}

#[test]
fn a_history_of_1000_days_opens_from_a_snapshot() {
    let machine = Machine::new();
    let mut all = Story::new();
    for day in 0..1_000 {
        let morning: Story = (0..9).map(|n| (at(day * 86_400 + n), intent(day as u64))).collect();
        machine.open().store().record("a", &morning, TokenChange::Keep).unwrap();
        all.extend(morning);
    }
    let count = |sql: &str| machine.database().query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(count("SELECT count(*) FROM event"), 9_000);
    let after = count("SELECT count(*) FROM event WHERE seq > (SELECT max(seq) FROM snapshot)");
    assert!(after < 300 && count("SELECT count(*) FROM snapshot") == 1, "{after}");
    // That no more than these are read: the ones before may say anything, and only a look at all of them tells.
    machine.database().execute("UPDATE event SET body = 'x' WHERE seq < 8000", []).unwrap();
    assert_eq!(machine.open().store().attest("a", at(0)).unwrap(), State::of(&all));
    assert_eq!(machine.open().store().verify("a").unwrap().flaw.unwrap().seq, 1);
}
