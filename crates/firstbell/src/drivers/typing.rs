//! What is decided while a page is typed into, for every browser engine alike: go on, type once more, or stop.

use std::time::Duration;

use firstbell_core::origin::Origin;
use firstbell_core::plan::Submit;
use firstbell_core::secret::Secret;
use serde_json::Value;

/// A field that sends by itself does so within this of its last character; after it the Enter key is pressed, where the
/// plan allows that. One request leaves in either case: the engine lets no second one out.
pub(super) const SENDS_ITSELF: Duration = Duration::from_millis(400);
/// A page that redraws itself while it is typed into is typed into once more, and then not again.
pub(super) const ATTEMPTS: u8 = 2;

/// What our script's word of a field comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// All is as it must be.
    Ready,
    /// The page drew itself anew, or lost characters: nothing is armed, so the fields may be emptied and typed again.
    Again(&'static str),
    /// Nothing more may be typed.
    Stop(&'static str),
}

/// Judges the field that has the focus: page, form and field must be as a secret needs them, and hold as many characters
/// as were typed. The characters themselves are never read.
pub(super) fn judge(own: &Origin, state: &Value, length: usize) -> Finding {
    let is_ours = |key: &str| {
        let origin = state[key].as_str().and_then(|text| Origin::parse(text).ok());
        origin.as_ref() == Some(own)
    };
    if state.is_null() {
        Finding::Stop("the page was replaced while it was looked at")
    } else if !is_ours("origin") {
        Finding::Stop("the page is not of the plan's origin any more")
    } else if state["count"].as_u64().is_some_and(|n| n > 1) {
        Finding::Stop("a field is not there exactly once")
    } else if state["count"].as_u64() == Some(0) {
        Finding::Again("a field is not there any more")
    } else if state["same"] == false || state["target"].is_null() {
        Finding::Again("a field was replaced while it was typed into")
    } else if !is_ours("target") {
        Finding::Stop("the form would send to another origin")
    } else if state["focused"] != true {
        Finding::Again("a field does not keep the focus")
    } else if length > 0 && state["length"].as_u64() != u64::try_from(length).ok() {
        Finding::Again("a field did not take what was typed")
    } else {
        Finding::Ready
    }
}

/// What is typed before a request may leave, and the character that makes a field send, where it sends by itself.
pub(super) fn split(text: &Secret, submit: Submit) -> (&str, Option<char>) {
    let text = text.expose();
    match (submit, text.char_indices().next_back()) {
        (Submit::Itself | Submit::ItselfOrEnter, Some((at, character))) => (&text[..at], Some(character)),
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(change: &Value) -> Value {
        let site = "https://kite.zerodha.com";
        let mut state =
            json!({ "origin": site, "target": site, "focused": true, "length": 3, "count": 1, "same": true });
        for (key, value) in change.as_object().unwrap() {
            state[key] = value.clone();
        }
        state
    }

    #[test]
    fn only_a_page_that_drew_itself_anew_is_typed_into_again() {
        let own = Origin::parse("https://kite.zerodha.com").unwrap();
        let is = |change: Value| match judge(&own, &state(&change), 3) {
            Finding::Ready => "ready",
            Finding::Again(_) => "again",
            Finding::Stop(_) => "stop",
        };
        assert_eq!(is(json!({})), "ready");
        for change in [
            json!({ "length": 2 }),
            json!({ "focused": false }),
            json!({ "same": false }),
            json!({ "count": 0 }),
        ] {
            assert_eq!(is(change), "again");
        }
        for change in [
            json!({ "origin": "https://kite.zerodha.com.evil.example" }),
            json!({ "target": "https://evil.example" }),
            json!({ "target": "http://kite.zerodha.com" }),
            json!({ "count": 2 }),
        ] {
            assert_eq!(is(change), "stop");
        }
        assert_eq!(
            judge(&own, &Value::Null, 0),
            Finding::Stop("the page was replaced while it was looked at")
        );
    }

    #[test]
    fn the_last_character_is_kept_back_where_it_sends() {
        let text = Secret::new("123456".into());
        assert_eq!(split(&text, Submit::Itself), ("12345", Some('6')));
        assert_eq!(split(&text, Submit::ItselfOrEnter), ("12345", Some('6')));
        assert_eq!(split(&text, Submit::Enter), ("123456", None));
    }
}
