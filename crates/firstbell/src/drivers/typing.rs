//! What is decided while a page is typed into, for every browser engine alike: go on, type once more, or stop.

use std::io;
use std::time::Duration;

use firstbell_core::origin::Origin;
use firstbell_core::plan::Submit;
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Fill, Seen};
use serde_json::Value;

use super::view::{Submission, View};

/// A field that sends by itself does so within this of its last character; after it the Enter key is pressed, where the
/// plan allows that. One request leaves in either case: the engine lets no second one out.
const SENDS_ITSELF: Duration = Duration::from_millis(400);

/// What is pressed.
#[derive(Clone, Copy)]
pub(super) enum Keys<'t> {
    /// These characters, one after the other, all taken in when this is over.
    Text(&'t str),
    /// One character, of which nobody waits to see what becomes of it.
    One(char),
    /// The Enter key, likewise.
    Enter,
}

/// A keyboard, and eyes for what it does, as each browser engine has them.
pub(super) trait Hands<'p> {
    /// What is known of the page.
    fn view(&mut self) -> &mut View<'p>;
    /// Evaluates an expression of our own script in its own world.
    async fn ask(&mut self, expression: &str) -> io::Result<Value>;
    /// Presses and releases keys.
    async fn press(&mut self, keys: Keys<'_>) -> io::Result<()>;
    /// Takes in what happens next.
    async fn turn(&mut self) -> io::Result<()>;
}

/// Types all fields and has the page send them, once. Returns what stopped it, if something did.
pub(super) async fn fill<'p>(hands: &mut impl Hands<'p>, fill: &Fill) -> io::Result<Option<Seen>> {
    hands.view().submission = Submission::Typing;
    // A page may draw each of its fields anew once while it is typed into, and then not again.
    for left in (0..=fill.fields.len()).rev() {
        match type_fields(hands, fill).await? {
            Finding::Ready => break,
            Finding::Again(_) if left > 0 => {
                // What draws itself anew is given the chance to be done with it.
                let _ = tokio::time::timeout(SENDS_ITSELF, hands.turn()).await;
            }
            Finding::Again(why) | Finding::Stop(why) => return Ok(Some(Seen::Untyped { why: why.into() })),
        }
    }
    // From here on one request of this step may leave.
    hands.view().submission = Submission::Armed(fill.step);
    hands.view().changed = false;
    let sends =
        fill.fields.last().and_then(|(_, mark, text)| Some((*mark, text, split(text, fill.submit).1?)));
    let Some((mark, text, character)) = sends else {
        hands.press(Keys::Enter).await?;
        return Ok(None);
    };
    hands.press(Keys::One(character)).await?;
    if fill.submit == Submit::ItselfOrEnter {
        let sent = tokio::time::timeout(SENDS_ITSELF, departure(hands)).await;
        if sent.is_err() && hands.view().never_sent() {
            let state = hands.ask(&format!("firstbell.state({mark})")).await?;
            let ready = judge(&hands.view().plan.origin, &state, text.expose().chars().count());
            if ready == Finding::Ready && hands.view().never_sent() {
                hands.press(Keys::Enter).await?;
            }
        }
    }
    Ok(None)
}

/// Types each field but for the character that sends, and sees in the end that all of them still hold it: a page may draw
/// an earlier one anew while a later one is typed.
async fn type_fields<'p>(hands: &mut impl Hands<'p>, fill: &Fill) -> io::Result<Finding> {
    let last = fill.fields.len().saturating_sub(1);
    let part = |i: usize, text| if i == last { split(text, fill.submit).0 } else { Secret::expose(text) };
    for (i, (_, mark, text)) in fill.fields.iter().enumerate() {
        let text = part(i, text);
        let state = hands.ask(&format!("firstbell.focus({mark})")).await?;
        match judge(&hands.view().plan.origin, &state, 0) {
            Finding::Ready => {}
            other => return Ok(other),
        }
        hands.press(Keys::Text(text)).await?;
        let state = hands.ask(&format!("firstbell.state({mark})")).await?;
        match judge(&hands.view().plan.origin, &state, text.chars().count()) {
            Finding::Ready => {}
            other => return Ok(other),
        }
    }
    for (i, (_, mark, text)) in fill.fields.iter().enumerate() {
        let held = hands.ask(&format!("firstbell.held({mark})")).await?;
        if held.as_u64() != u64::try_from(part(i, text).chars().count()).ok() {
            return Ok(Finding::Again("a field lost what was typed into it"));
        }
    }
    Ok(Finding::Ready)
}

/// Waits until the armed request has left.
async fn departure<'p>(hands: &mut impl Hands<'p>) -> io::Result<()> {
    while hands.view().never_sent() {
        hands.turn().await?;
    }
    Ok(())
}

/// What our script's word of a field comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    /// All is as it must be.
    Ready,
    /// The page drew itself anew, or lost characters: nothing is armed, so the fields may be emptied and typed again.
    Again(&'static str),
    /// Nothing more may be typed.
    Stop(&'static str),
}

/// Judges the field that has the focus: page, form and field must be as a secret needs them, and hold as many characters
/// as were typed. The characters themselves are never read.
fn judge(own: &Origin, state: &Value, length: usize) -> Finding {
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
fn split(text: &Secret, submit: Submit) -> (&str, Option<char>) {
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
