//! Typing as a keyboard would, for every browser engine alike: each character an event, into the one field of the right
//! origin, checked without reading it back, sent once.

use std::io;
use std::time::Duration;

use firstbell_core::origin::Origin;
use firstbell_core::plan::Submit;
use firstbell_core::secret::Secret;
use firstbell_core::sight::Seen;
use serde_json::Value;

use super::engine::{Form, Texts};
use super::view::{Submission, View};

/// A field that sends by itself does so within this of its last character; after it the Enter key is pressed, where the
/// plan allows that. One request leaves in either case: the engine lets no second one out.
const SENDS_ITSELF: Duration = Duration::from_millis(400);

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

/// What of a field's text is typed before a request may leave.
fn part<'t>(form: &Form, field: usize, text: &'t Secret) -> &'t str {
    if field + 1 == form.marks.len() { split(text, form.submit).0 } else { text.expose() }
}

/// A key that is pressed and released.
#[derive(Clone, Copy, Debug)]
pub(super) enum Key {
    Character(char),
    Enter,
}

/// What an engine's page can do for a typist.
pub(super) trait Keyboard<'a> {
    /// What is known of the page.
    fn view(&mut self) -> &mut View<'a>;
    /// Evaluates an expression of our own script in its own world.
    fn evaluate(&mut self, expression: String) -> impl Future<Output = io::Result<Value>>;
    /// Types a text and waits until the page has had it.
    fn type_text(&mut self, text: &str) -> impl Future<Output = io::Result<()>>;
    /// Presses a key, without waiting for what becomes of it.
    fn press(&mut self, key: Key) -> impl Future<Output = io::Result<()>>;
    /// Takes in what happens next.
    fn turn(&mut self) -> impl Future<Output = io::Result<()>>;
}

/// The texts of a form that are here: those whose fields were proven, in their order.
struct Handed<'t> {
    texts: Vec<Secret>,
    holder: &'t mut dyn Texts,
}

/// Types all fields and has the page send them. Returns what stopped it, if something did.
pub(super) async fn fill<'a>(
    page: &mut impl Keyboard<'a>,
    form: &Form,
    holder: &mut dyn Texts,
) -> io::Result<Option<Seen>> {
    page.view().submission = Submission::Typing;
    let mut handed = Handed { texts: Vec::with_capacity(form.marks.len()), holder };
    // A page may draw each of its fields anew once while it is typed into, and then not again.
    for left in (0..=form.marks.len()).rev() {
        match type_fields(page, form, &mut handed).await? {
            Finding::Ready => break,
            Finding::Again(_) if left > 0 => {
                // What draws anew is given the chance to be done with it.
                let _ = tokio::time::timeout(SENDS_ITSELF, page.turn()).await;
            }
            Finding::Again(why) | Finding::Stop(why) => {
                // What is to be said counts for more than whether the page still hears us.
                let _ = page.evaluate("firstbell.typed()".into()).await;
                return Ok(Some(Seen::Untyped { why: why.into() }));
            }
        }
    }
    // From here on one request of this step may leave.
    page.view().submission = Submission::Armed(form.step);
    page.view().changed = false;
    let last = form.marks.last().zip(handed.texts.last()).and_then(|(mark, text)| {
        let length = text.expose().chars().count();
        split(text, form.submit).1.map(|character| (*mark, length, character))
    });
    let Some((mark, length, character)) = last else {
        page.press(Key::Enter).await?;
        return Ok(None);
    };
    page.press(Key::Character(character)).await?;
    let sent = tokio::time::timeout(SENDS_ITSELF, departure(page)).await;
    if form.submit == Submit::ItselfOrEnter && sent.is_err() && page.view().never_sent() {
        let state = page.evaluate(format!("firstbell.state({mark})")).await?;
        if judge(&page.view().plan.origin, &state, length) == Finding::Ready && page.view().never_sent() {
            page.press(Key::Enter).await?;
        }
    } else {
        sent.unwrap_or(Ok(()))?;
    }
    Ok(None)
}

/// Types each field but for the character that sends, and sees in the end that all of them still hold it: a page may
/// draw an earlier one anew while a later one is typed. A text is asked for when its field is proven, and the field is proven
/// once more when the text has come: what the page does meanwhile is not known before.
async fn type_fields<'a>(
    page: &mut impl Keyboard<'a>,
    form: &Form,
    handed: &mut Handed<'_>,
) -> io::Result<Finding> {
    for (i, mark) in form.marks.iter().enumerate() {
        match focus(page, *mark).await? {
            Finding::Ready => {}
            other => return Ok(other),
        }
        if handed.texts.len() == i {
            handed.texts.push(handed.holder.text(i).await?);
            match focus(page, *mark).await? {
                Finding::Ready => {}
                other => return Ok(other),
            }
        }
        let text = part(form, i, &handed.texts[i]);
        page.type_text(text).await?;
        let state = page.evaluate(format!("firstbell.state({mark})")).await?;
        match judge(&page.view().plan.origin, &state, text.chars().count()) {
            Finding::Ready => {}
            other => return Ok(other),
        }
    }
    let marks: Vec<String> = form.marks.iter().map(usize::to_string).collect();
    let held = page.evaluate(format!("firstbell.typed({})", marks.join(", "))).await?;
    let typed = handed.texts.iter().enumerate().map(|(i, text)| part(form, i, text).chars().count());
    let is_whole = typed.enumerate().all(|(i, length)| held[i].as_u64() == u64::try_from(length).ok());
    Ok(if is_whole { Finding::Ready } else { Finding::Again("a field lost what was typed into it") })
}

/// Gives a field the focus, and judges it.
async fn focus<'a>(page: &mut impl Keyboard<'a>, mark: usize) -> io::Result<Finding> {
    let state = page.evaluate(format!("firstbell.focus({mark})")).await?;
    Ok(judge(&page.view().plan.origin, &state, 0))
}

/// Waits until the armed request has left.
async fn departure<'a>(page: &mut impl Keyboard<'a>) -> io::Result<()> {
    while page.view().never_sent() {
        page.turn().await?;
    }
    Ok(())
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
