//! How long it takes to decide for ten thousand accounts, in the states in which accounts are.
#![expect(clippy::disallowed_methods, reason = "a benchmark looks at the clock")]
#![expect(clippy::disallowed_types, reason = "as above: it measures how long deciding takes")]
#![expect(clippy::print_stdout, reason = "a benchmark says what it measured")]

use std::hint::black_box;
use std::time::Instant;

use firstbell_core::calendar::{Calendar, Exchange};
use firstbell_core::decide::{View, decide};
use firstbell_core::event::Event;
use firstbell_core::failure::Ask;
use firstbell_core::schedule::{Assisted, Hours, Schedule};
use firstbell_core::state::State;
use firstbell_core::token::{Flush, Life};
use jiff::{SignedDuration, Timestamp};

const ACCOUNTS: u64 = 10_000;
const ROUNDS: u32 = 20;

fn main() {
    let morning: Timestamp = "2026-11-25T08:30:00+05:30".parse().expect("a moment");
    let flush = Flush { begins_h: 5, ends_h: 8 };
    let kept: Vec<(Schedule, State, Option<Life>)> = (0..ACCOUNTS)
        .map(|n| {
            let hours = Hours::default();
            let schedule = Schedule {
                hours,
                exchanges: Exchange::USUAL.to_vec(),
                flush,
                assisted: Assisted::Never,
                seed: n,
            };
            let mut state = State::default();
            let at = morning - SignedDuration::from_hours(24);
            state.take(at, &Event::Proven { generation: 1 });
            if n % 3 == 0 {
                state.take(morning, &Event::Failed { code: "unreachable".into(), ask: Ask::Again });
            }
            (schedule, state, (n % 2 == 0).then(|| Life::of(at, flush)))
        })
        .collect();
    let mut best_ms = f64::MAX;
    for round in 0..ROUNDS {
        let now = morning + SignedDuration::from_mins(i64::from(round) * 7);
        let began = Instant::now();
        for (schedule, state, token) in &kept {
            let calendar = Calendar::compiled();
            let view = View {
                schedule,
                calendar,
                state,
                admitted: Ok(()),
                token: *token,
                pending: false,
                probe: None,
            };
            black_box(decide(&view, now));
        }
        best_ms = best_ms.min(began.elapsed().as_secs_f64() * 1_000.0);
    }
    println!("{{\"accounts\": {ACCOUNTS}, \"decide_ms\": {best_ms:.2}}}");
}
