//! The keyboard and the eyes that BiDi gives: each character an event of its own.

use std::io;

use serde_json::{Value, json};

use super::super::typing::{Hands, Keys};
use super::super::view::View;
use super::page::Page;

/// The Enter key, as WebDriver writes it (§17.4.2, the table of keys).
const ENTER: char = '\u{E006}';

impl<'p> Hands<'p> for Page<'p> {
    fn view(&mut self) -> &mut View<'p> {
        &mut self.view
    }

    async fn ask(&mut self, expression: &str) -> io::Result<Value> {
        self.evaluate(expression).await
    }

    async fn press(&mut self, keys: Keys<'_>) -> io::Result<()> {
        match keys {
            Keys::Text("") => Ok(()),
            Keys::Text(text) => {
                let typed = self.strokes(text.chars()).await?;
                self.result_of(typed).await.map(drop)
            }
            Keys::One(character) => self.strokes([character]).await.map(drop),
            Keys::Enter => self.strokes([ENTER]).await.map(drop),
        }
    }

    async fn turn(&mut self) -> io::Result<()> {
        self.take_next().await
    }
}

impl Page<'_> {
    /// Presses and releases keys; does not wait for what becomes of it.
    async fn strokes(&mut self, keys: impl IntoIterator<Item = char>) -> io::Result<u64> {
        let strokes: Vec<Value> = keys
            .into_iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        let params = json!({ "context": self.context, "actions": [keyboard] });
        self.send("input.performActions", params).await
    }
}
