//! Typing through BiDi's keyboard: each character an event, into one field of the right origin, sent once.

use std::io;

use serde_json::{Value, json};

use firstbell_core::plan::Submit;
use firstbell_core::sight::{Fill, Seen};

use super::super::view::{Submission, split_last};
use super::page::Page;

/// The Enter key, as WebDriver writes it (§17.4.2, the table of keys).
const ENTER: char = '\u{E006}';

impl Page<'_> {
    /// Types all fields and has the page send them. Returns what stopped it, if something did.
    pub(super) async fn fill(&mut self, fill: &Fill) -> io::Result<Option<Seen>> {
        self.view.submission = Submission::Typing;
        self.activate().await?;
        let last = fill.fields.len().saturating_sub(1);
        for (i, (_, mark, text)) in fill.fields.iter().enumerate() {
            let state = self.evaluate(&format!("firstbell.focus({mark})")).await?;
            if let Some(seen) = self.view.refuse(&state, 0) {
                return Ok(Some(seen));
            }
            let (before, sends) = match fill.submit {
                Submit::Itself if i == last => split_last(text),
                _ => (text.expose(), None),
            };
            if !before.is_empty() {
                let typed = self.press(before.chars()).await?;
                self.result_of(typed).await?;
            }
            let state = self.evaluate("firstbell.state()").await?;
            if let Some(seen) = self.view.refuse(&state, before.chars().count()) {
                return Ok(Some(seen));
            }
            if i == last {
                // From here on one request of this step may leave.
                self.view.submission = Submission::Armed(fill.step);
                self.view.changed = false;
                self.press([sends.unwrap_or(ENTER)]).await?;
            }
        }
        Ok(None)
    }

    /// Presses and releases keys; does not wait for what becomes of it.
    async fn press(&mut self, keys: impl IntoIterator<Item = char>) -> io::Result<u64> {
        let strokes: Vec<Value> = keys
            .into_iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        let params = json!({ "context": self.context, "actions": [keyboard] });
        self.send("input.performActions", params).await
    }
}
