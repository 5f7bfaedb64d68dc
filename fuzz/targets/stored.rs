//! Whatever becomes of a stored byte: no row is believed that is not as it was written, and no text of an event stops a reader.
#![no_main]

use firstbell::record;
use firstbell_core::event::Event;
use firstbell_core::state::State;
use firstbell_fuzz::Feed;
use firstbell_fuzz::kept::{Kept, LOOSE, Outcome};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

thread_local! {
    static KEPT: Kept = Kept::write();
}

fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    match feed.byte() % 4 {
        0 => texts(&String::from_utf8_lossy(feed.piece(usize::MAX))),
        _ => KEPT.with(|kept| changed(kept, &mut feed)),
    }
});

/// Lines that may be events or states.
fn texts(text: &str) {
    let mut events: Vec<(Timestamp, Event)> = Vec::new();
    for line in text.lines() {
        if let Ok(event) = record::read(line) {
            let again = record::read(&record::write(&event)).expect("our own words");
            assert_eq!(again, event, "it is read otherwise when we wrote it");
            let at = Timestamp::from_second(1_795_404_600 + 60 * i64::try_from(events.len()).expect("a few"));
            events.push((at.expect("in 2026"), event));
        }
        if let Ok(state) = record::read_state(line) {
            round(&state);
        }
    }
    round(&State::of(&events));
}

fn round(state: &State) {
    let text = record::write_state(state);
    let again = record::read_state(&text).expect("our own words");
    assert_eq!(&again, state, "{text}");
    assert_eq!(record::write_state(&again), text);
}

/// One cell of one row is another one than was written.
fn changed(kept: &Kept, feed: &mut Feed<'_>) {
    let Some(change) = kept.change(feed) else { return };
    let Outcome { flaw, history, state, tokens, secret } = kept.look();
    let place = (change.table, change.column);
    kept.undo(&change);
    if matches!(change.table, "event" | "snapshot") && !LOOSE.contains(&place) {
        assert!(flaw, "nobody saw that {place:?} was changed");
    }
    // Without its last row a history is whole in itself; only the mark knows better.
    assert!(history.is_none_or(|found| kept.history.starts_with(&found)), "{place:?}: a changed history");
    assert!(
        state.is_none_or(|found| found == kept.states.0 || found == kept.states.1),
        "{place:?}: a changed state"
    );
    for (found, written) in tokens.iter().zip(&kept.tokens) {
        assert!(
            found.as_ref().is_none_or(|found| found == written),
            "{place:?}: {found:?} and not {written:?}"
        );
    }
    assert!(secret.is_none_or(|found| found == kept.secret), "{place:?}: a changed secret");
}
