//! Typing as a keyboard would: each character an event, into one field of the right origin, sent once.

use std::io;

use serde_json::json;

use firstbell_core::plan::Submit;
use firstbell_core::sight::{Fill, Seen};

use super::super::view::{Submission, split_last};
use super::page::Page;

impl Page<'_> {
    /// Types all fields and has the page send them. Returns what stopped it, if something did.
    pub(super) async fn fill(&mut self, fill: &Fill) -> io::Result<Option<Seen>> {
        self.view.submission = Submission::Typing;
        let last = fill.fields.len().saturating_sub(1);
        for (i, (_, mark, text)) in fill.fields.iter().enumerate() {
            if let Some(seen) = self.focus(*mark).await? {
                return Ok(Some(seen));
            }
            let (before, sends) = match fill.submit {
                Submit::Itself if i == last => split_last(text),
                _ => (text.expose(), None),
            };
            self.type_text(before).await?;
            if let Some(seen) = self.check(before.chars().count()).await? {
                return Ok(Some(seen));
            }
            if i == last {
                // From here on one request of this step may leave.
                self.view.submission = Submission::Armed(fill.step);
                self.view.changed = false;
                match sends {
                    Some(character) => self.press(character).await?,
                    None => self.press_enter().await?,
                };
            }
        }
        Ok(None)
    }

    /// Puts the focus into the one field of a mark, if page, field and form are as they must be for a secret.
    async fn focus(&mut self, mark: usize) -> io::Result<Option<Seen>> {
        let state = self.evaluate(format!("firstbell.focus({mark})")).await?;
        Ok(self.view.refuse(&state, 0))
    }

    /// Sees that the focus is still there and that as many characters arrived as were typed; the characters
    /// themselves are not read.
    async fn check(&mut self, length: usize) -> io::Result<Option<Seen>> {
        let state = self.evaluate("firstbell.state()".into()).await?;
        Ok(self.view.refuse(&state, length))
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
