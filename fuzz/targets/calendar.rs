//! Whatever stands in a list of trading days: every fault has a line, and what is accepted changes its own year and nothing else.
#![no_main]

use firstbell_core::calendar::{Calendar, Closed, Day, Exchange};
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let edition = match Calendar::read(&text) {
        Ok(edition) => edition,
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a word");
            for fault in &faults {
                let number =
                    fault.strip_prefix("line ").and_then(|rest| rest.split(": ").next()?.parse().ok());
                let number: usize = number.unwrap_or_else(|| panic!("no line: {fault:?}"));
                assert!((1..=text.split('\n').count()).contains(&number), "there is no such line: {fault:?}");
                assert!(!fault.contains(char::is_control), "not for a terminal: {fault:?}");
            }
            return;
        }
    };
    assert_eq!(edition, Calendar::read(&text).expect("it was read once"), "read twice, it says two things");
    let (exchange, year) = (edition.exchange(), edition.year());
    assert!((2000..=2199).contains(&year));
    let own = Calendar::default().with(edition.clone());
    let before = Calendar::compiled();
    let laid = before.clone().with(edition);
    assert!(laid.knows(exchange, year) && own.knows(exchange, year));
    for day in days(year, 1.day()) {
        let (alone, over) = (own.day(exchange, day), laid.day(exchange, day));
        shown(alone, day);
        // A day that the list names is as the list says; another one as it was before, or ordinary.
        let ordinary = matches!(alone, Day::Trades | Day::Closed { why: Closed::Weekend, .. });
        assert!(over == alone || (ordinary && over == before.day(exchange, day)), "{day}: {over:?}");
        let _morning = laid.morning(&[exchange], day);
    }
    for (other, near) in
        Exchange::ALL.iter().flat_map(|other| [year - 1, year, year + 1].map(|near| (*other, near)))
    {
        if (other, near) != (exchange, year) {
            assert!(
                days(near, 7.days()).all(|day| laid.day(other, day) == before.day(other, day)),
                "{other} {near}"
            );
        }
    }
});

fn days(year: i16, step: Span) -> impl Iterator<Item = Date> {
    date(year, 1, 1).series(step).take_while(move |day| day.year() == year)
}

/// Hours that fit, a name for one line of a terminal, and no evening on a weekend.
fn shown(day: Day<'_>, date: Date) {
    let (Day::Session { name, .. } | Day::Evening { name }) = day else { return };
    assert!(!name.trim().is_empty() && !name.contains(char::is_control), "{name:?}");
    if let Day::Session { opens: Some(opens), closes: Some(closes), .. } = day {
        assert!(opens < closes, "{date}: closes before it opens");
    }
    assert!(!(matches!(day, Day::Evening { .. }) && date.weekday().to_monday_one_offset() > 5), "{date}");
}
