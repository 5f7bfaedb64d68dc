//! The keyboard and the eyes that Chromium's pipe gives: each character an event of its own.

use std::io;

use serde_json::{Value, json};

use super::super::typing::{Hands, Keys};
use super::super::view::View;
use super::page::Page;

impl<'p> Hands<'p> for Page<'p> {
    fn view(&mut self) -> &mut View<'p> {
        &mut self.view
    }

    async fn ask(&mut self, expression: &str) -> io::Result<Value> {
        self.evaluate(expression.to_owned()).await
    }

    async fn press(&mut self, keys: Keys<'_>) -> io::Result<()> {
        match keys {
            Keys::Text(text) => {
                let mut last = None;
                for character in text.chars() {
                    last = Some(self.stroke(character).await?);
                }
                // Events are handled in order, so that the last one's end is the end of all.
                match last {
                    Some(id) => self.result_of(id).await.map(drop),
                    None => Ok(()),
                }
            }
            Keys::One(character) => self.stroke(character).await.map(drop),
            Keys::Enter => {
                for kind in ["keyDown", "keyUp"] {
                    let key = json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
                    self.send("Input.dispatchKeyEvent", key).await?;
                }
                Ok(())
            }
        }
    }

    async fn turn(&mut self) -> io::Result<()> {
        self.take_next().await
    }
}

impl Page<'_> {
    async fn stroke(&mut self, character: char) -> io::Result<u64> {
        let text = character.to_string();
        let down = json!({ "type": "keyDown", "text": text, "unmodifiedText": text, "key": text });
        self.send("Input.dispatchKeyEvent", down).await?;
        self.send("Input.dispatchKeyEvent", json!({ "type": "keyUp", "key": text })).await
    }
}
