//! Reads a scenario, TOML or JSON of one shape, and reports every fault in it at once, with its place.

mod deeds;
mod habits;
mod switches;
mod when;

use serde_json::{Map, Value};

use crate::clock::ClockOrder;
use crate::faults::Fault;
use crate::settings::Settings;

/// More faults than this are a mistake of whatever writes the scenario.
const MOST_FAULTS: usize = 100;

/// What a scenario asks for.
#[derive(Debug, Default)]
pub(crate) struct Scenario {
    switches: Map<String, Value>,
    /// What is asked of the clock.
    pub(crate) clock: ClockOrder,
    /// The faults, when the scenario speaks of faults at all.
    pub(crate) faults: Option<Vec<Fault>>,
}

impl Scenario {
    /// Changes the settings that the scenario gives, and leaves the others.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        // They were read once already, so there is nothing left to complain about.
        switches::read(&self.switches, settings, &mut Vec::new());
    }
}

/// Reads the text of a scenario file.
pub(crate) fn from_toml(text: &str) -> Result<Scenario, Vec<String>> {
    let value: Value = toml::from_str(text).map_err(|error| vec![error.to_string().trim_end().to_owned()])?;
    from_json(&value)
}

/// Reads a scenario of the same shape in JSON.
pub(crate) fn from_json(value: &Value) -> Result<Scenario, Vec<String>> {
    let Value::Object(given) = value else {
        return Err(vec!["a scenario is one object with `settings`, `clock` and `fault`".to_owned()]);
    };
    let mut complaints = Vec::new();
    let mut scenario = Scenario::default();
    for (key, value) in given {
        match (key.as_str(), value) {
            ("settings", Value::Object(given)) => {
                switches::read(given, &mut Settings::default(), &mut complaints);
                scenario.switches = given.clone();
            }
            ("clock", value) => match serde_json::from_value::<ClockOrder>(value.clone()) {
                Ok(order) => {
                    complaints.extend(order.complaints().into_iter().map(|one| format!("clock.{one}")));
                    scenario.clock = order;
                }
                Err(error) => complaints.push(format!("clock: {error}")),
            },
            ("settings", _) => complaints.push("settings: must be a table".to_owned()),
            ("fault", Value::Array(list)) if list.len() <= MOST_FAULTS => {
                let read = list.iter().enumerate();
                let faults = read.filter_map(|(index, one)| deeds::read(one, index + 1, &mut complaints));
                scenario.faults = Some(faults.collect());
            }
            ("fault", _) => complaints.push(format!("fault: must be a list of at most {MOST_FAULTS} tables")),
            _ => complaints.push(format!("{key}: unknown; a scenario has `settings`, `clock` and `fault`")),
        }
    }
    if complaints.is_empty() { Ok(scenario) } else { Err(complaints) }
}

/// The thing that a text names in a list of names.
fn named<T: Copy>(value: Option<&Value>, names: &[(&str, T)]) -> Option<T> {
    let text = value?.as_str()?;
    names.iter().find(|(name, _)| *name == text).map(|(_, thing)| *thing)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    use super::*;

    #[test]
    fn a_whole_scenario_is_read() {
        let scenario = from_toml(
            "[settings]\nsecond_factor = \"sms\"\nflush = \"07:30\"\ngrant_life_s = 120\ntotp_window = 0\n\
             totp_reuse = true\nsecond_session = \"keep_both\"\nnot_enabled = true\n\
             redirect = \"https://localhost/x?y=1\"\n\
             [[fault]]\nat = \"exchange\"\ncall = 2\ndo = \"status\"\nstatus = 503\nretry_after_s = 5\n\
             [[fault]]\nat = \"login\"\ndo = \"hold\"\nwhen = \"after\"\n",
        )
        .unwrap();
        let mut settings = Settings::default();
        scenario.apply(&mut settings);
        assert_eq!(settings.flush.to_string(), "07:30:00");
        assert_eq!(settings.grant_life_s, 120);
        assert!(settings.totp_reuse && settings.not_enabled);
        assert_eq!(settings.redirect.unwrap().as_str(), "https://localhost/x?y=1");
        assert_eq!(scenario.faults.unwrap().len(), 2);
    }

    #[test]
    fn every_fault_is_told_with_its_place() {
        let complaints = from_toml(
            "surprise = 1\n[settings]\nflush = \"25:00\"\nfactor = \"totp\"\ntotp_window = 99\n\
             [[fault]]\nat = \"finish\"\ndo = \"wrong-code\"\n\
             [[fault]]\nat = \"nowhere\"\ncall = 0\ndo = \"slow\"\nstatus = 503\n\
             [[fault]]\nat = \"login\"\ndo = \"explode\"\nmore = 1\n",
        )
        .unwrap_err();
        let expected = [
            "surprise:",
            "settings.flush:",
            "settings.factor:",
            "settings.totp_window:",
            "fault 1: `wrong-code` cannot happen at `finish`, only at twofa",
            "fault 2: `at` must be one of login-page, login",
            "fault 2: `call`",
            "fault 2: `slow` needs `delay_ms`",
            "fault 2: `status` belongs to",
            "fault 3: `do` must be one of wrong-password",
            "fault 3: `more` is unknown",
        ];
        for start in expected {
            assert!(complaints.iter().any(|one| one.starts_with(start)), "{start} in {complaints:#?}");
        }
        assert_eq!(complaints.len(), expected.len(), "{complaints:#?}");
    }

    /// The README shows whole scenarios; a reader may paste each of them.
    #[test]
    fn what_the_readme_shows_is_read() {
        let readme = include_str!("../../README.md");
        let blocks = readme.split("\n\n").filter(|block| block.starts_with("    ["));
        let texts: Vec<String> = blocks
            .map(|block| block.lines().map(|line| format!("{}\n", line.trim_start())).collect())
            .collect();
        assert!(texts.len() >= 3, "{texts:?}");
        for text in texts {
            assert!(from_toml(&text).is_ok(), "{:?}", from_toml(&text));
        }
    }

    #[test]
    fn what_is_no_scenario_is_refused() {
        assert!(from_toml("[settings\n").unwrap_err()[0].contains("line 1"));
        assert!(from_json(&Value::from(7)).is_err());
        assert!(from_toml("fault = 1\nsettings = 2\n").unwrap_err().len() == 2);
        assert!(from_toml("").unwrap().faults.is_none());
    }

    /// The same cases in every run.
    fn steady(cases: u32) -> ProptestConfig {
        ProptestConfig {
            cases,
            rng_seed: RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    /// Anything that JSON can say, with the words that scenarios know among its keys and texts.
    fn anything() -> impl Strategy<Value = Value> {
        let words = prop::sample::select(vec![
            "settings",
            "fault",
            "clock",
            "at",
            "do",
            "call",
            "status",
            "body",
            "location",
            "login",
            "exchange",
            "slow",
            "delay_ms",
            "hold",
            "when",
            "after",
            "from",
            "until",
            "08:00",
            "probability",
            "seed",
            "drip",
            "every_ms",
            "renamed-ids",
            "login-page",
            "holidays",
            "sessions",
            "2027-01-26",
            "static_ips",
            "127.0.0.1",
            "redirect",
            "postback",
            "http://127.0.0.1:1/",
            "flush",
            "answers",
            "pin",
            "271828",
            "speed",
            "advance_s",
            "set",
            "2026-10-05T08:30:00+05:30",
            "second_factor",
            "sms",
            "page",
            "D",
            "invented_shares",
            "grant_life_s",
        ]);
        let text = prop_oneof![4 => words.clone().prop_map(str::to_owned), 1 => ".{0,12}"];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            prop_oneof![any::<i64>(), -1..100_i64].prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 8, move |inner| {
            let pair = (text.clone(), inner.clone());
            prop_oneof![
                prop::collection::vec(inner, 0..5).prop_map(Value::from),
                prop::collection::vec(pair, 0..8)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(steady(1_500))]

        /// Whatever is read is applied and understood the same way again, or complained about.
        #[test]
        fn no_scenario_ends_its_reader(value in anything(), text in ".{0,200}") {
            let whole = serde_json::json!({"settings": value, "fault": [value], "clock": value});
            for value in [&value, &whole] {
                match from_json(value) {
                    Ok(scenario) => scenario.apply(&mut Settings::default()),
                    Err(complaints) => prop_assert!(!complaints.is_empty()),
                }
                if let Ok(text) = toml::to_string(value) {
                    prop_assert_eq!(from_toml(&text).is_ok(), from_json(value).is_ok());
                }
            }
            if let Err(complaints) = from_toml(&text) {
                prop_assert!(complaints.iter().all(|one| !one.is_empty()));
            }
        }
    }
}
