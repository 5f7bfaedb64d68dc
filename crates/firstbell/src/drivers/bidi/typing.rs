//! A BiDi page's hands: WebDriver key actions.

use std::io;

use serde_json::{Value, json};

use super::super::typing::{Key, Keyboard};
use super::super::view::View;
use super::page::Page;

/// The Enter key, as WebDriver writes it (the table of keys in §17.4.2 of the standard).
const ENTER: char = '\u{E006}';

impl<'a> Keyboard<'a> for Page<'a> {
    fn view(&mut self) -> &mut View<'a> {
        &mut self.view
    }

    async fn evaluate(&mut self, expression: String) -> io::Result<Value> {
        self.ask_script(&expression).await
    }

    async fn type_text(&mut self, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let typed = self.strokes(text.chars()).await?;
        self.result_of(typed).await.map(drop)
    }

    async fn press(&mut self, key: Key) -> io::Result<()> {
        let key = match key {
            Key::Character(character) => character,
            Key::Enter => ENTER,
        };
        self.strokes([key]).await.map(drop)
    }

    async fn turn(&mut self) -> io::Result<()> {
        self.take_next().await
    }
}

impl Page<'_> {
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
