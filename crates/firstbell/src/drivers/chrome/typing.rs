//! Typing as a keyboard would: each character an event, into one field of the right origin, sent once.

use std::io;

use serde_json::json;

use firstbell_core::plan::Submit;
use firstbell_core::secret::Secret;
use firstbell_core::sight::{Fill, Seen};

use super::super::typing::{ATTEMPTS, Finding, SENDS_ITSELF, judge, split};
use super::super::view::Submission;
use super::page::Page;

impl Page<'_> {
    /// Types all fields and has the page send them. Returns what stopped it, if something did.
    pub(super) async fn fill(&mut self, fill: &Fill) -> io::Result<Option<Seen>> {
        self.view.submission = Submission::Typing;
        for attempt in 1..=ATTEMPTS {
            match self.type_fields(fill).await? {
                Finding::Ready => break,
                Finding::Again(_) if attempt < ATTEMPTS => {
                    // What draws anew is given the chance to be done with it.
                    let _ = tokio::time::timeout(SENDS_ITSELF, self.turn()).await;
                }
                Finding::Again(why) | Finding::Stop(why) => {
                    return Ok(Some(Seen::Untyped { why: why.into() }));
                }
            }
        }
        // From here on one request of this step may leave.
        self.view.submission = Submission::Armed(fill.step);
        self.view.changed = false;
        let last = fill.fields.last().and_then(|(_, mark, text)| {
            let length = text.expose().chars().count();
            split(text, fill.submit).1.map(|character| (*mark, length, character))
        });
        let Some((mark, length, character)) = last else {
            self.press_enter().await?;
            return Ok(None);
        };
        self.press(character).await?;
        let sent = tokio::time::timeout(SENDS_ITSELF, self.departure()).await;
        if fill.submit == Submit::ItselfOrEnter && sent.is_err() && self.view.never_sent() {
            let state = self.evaluate(format!("firstbell.state({mark})")).await?;
            if judge(&self.view.plan.origin, &state, length) == Finding::Ready && self.view.never_sent() {
                self.press_enter().await?;
            }
        } else {
            sent.unwrap_or(Ok(()))?;
        }
        Ok(None)
    }

    /// Types each field but for the character that sends, and sees in the end that all of them still hold it: a page may
    /// draw an earlier one anew while a later one is typed.
    async fn type_fields(&mut self, fill: &Fill) -> io::Result<Finding> {
        let last = fill.fields.len().saturating_sub(1);
        let part = |i: usize, text| if i == last { split(text, fill.submit).0 } else { Secret::expose(text) };
        for (i, (_, mark, text)) in fill.fields.iter().enumerate() {
            let state = self.evaluate(format!("firstbell.focus({mark})")).await?;
            match judge(&self.view.plan.origin, &state, 0) {
                Finding::Ready => {}
                other => return Ok(other),
            }
            let text = part(i, text);
            self.type_text(text).await?;
            let state = self.evaluate(format!("firstbell.state({mark})")).await?;
            match judge(&self.view.plan.origin, &state, text.chars().count()) {
                Finding::Ready => {}
                other => return Ok(other),
            }
        }
        for (i, (_, mark, text)) in fill.fields.iter().enumerate() {
            let held = self.evaluate(format!("firstbell.held({mark})")).await?;
            if held.as_u64() != u64::try_from(part(i, text).chars().count()).ok() {
                return Ok(Finding::Again("a field lost what was typed into it"));
            }
        }
        Ok(Finding::Ready)
    }

    /// Waits until the armed request has left.
    async fn departure(&mut self) -> io::Result<()> {
        while self.view.never_sent() {
            self.turn().await?;
        }
        Ok(())
    }

    async fn type_text(&mut self, text: &str) -> io::Result<()> {
        let mut last = None;
        for character in text.chars() {
            last = Some(self.press(character).await?);
        }
        // Events are handled in order, so that the last one's end is the end of all.
        match last {
            Some(id) => self.result_of(id).await.map(drop),
            None => Ok(()),
        }
    }

    async fn press(&mut self, character: char) -> io::Result<u64> {
        let text = character.to_string();
        let down = json!({ "type": "keyDown", "text": text, "unmodifiedText": text, "key": text });
        self.send("Input.dispatchKeyEvent", down).await?;
        self.send("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": text })).await
    }

    async fn press_enter(&mut self) -> io::Result<u64> {
        let key = |kind: &str| json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
        self.send("Input.dispatchKeyEvent", key("keyDown")).await?;
        self.send("Input.dispatchKeyEvent", key("keyUp")).await
    }
}
