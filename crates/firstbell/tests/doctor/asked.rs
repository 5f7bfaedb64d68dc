//! The command's answer, with all that is promised of its form.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{Ended, Home};

/// All that is promised of the form, whatever is found; then the findings.
pub(crate) fn findings(ended: &Ended) -> Vec<Value> {
    let said = ended.json();
    let all = said["findings"].as_array().unwrap().clone();
    let mut ids = BTreeSet::new();
    for found in &all {
        let text = |key: &str| found[key].as_str().unwrap_or_else(|| panic!("{key}: {found}"));
        let snake = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(text("id").chars().all(snake), "{found}");
        assert!(ids.insert(text("id").to_owned()), "twice: {found}");
        assert!(["good", "warning", "bad"].contains(&text("grade")) && !text("what").is_empty(), "{found}");
        assert!(found["mend"].is_string() || found["mend"].is_null(), "{found}");
        assert!(text("grade") != "bad" || found["mend"].is_string(), "bad, and nothing mends it: {found}");
        assert_eq!(found.as_object().unwrap().len(), 5, "{found}");
    }
    let bad = all.iter().filter(|found| found["grade"] == "bad").count();
    assert_eq!((ended.code, said["ok"] == true), if bad > 0 { (7, false) } else { (0, true) }, "{ended:?}");
    all
}

pub(crate) fn doctor(home: &Home) -> Vec<Value> {
    findings(&home.run(&["doctor", "--json"]))
}

pub(crate) fn one<'a>(all: &'a [Value], id: &str) -> &'a Value {
    all.iter().find(|found| found["id"] == id).unwrap_or_else(|| panic!("no {id} in {all:#?}"))
}
