//! A chrome page's hands: DevTools key events.

use std::io;

use serde_json::{Value, json};

use super::super::typing::{Key, Keyboard};
use super::super::view::View;
use super::page::Page;

impl<'a> Keyboard<'a> for Page<'a> {
    fn view(&mut self) -> &mut View<'a> {
        &mut self.view
    }

    async fn evaluate(&mut self, expression: String) -> io::Result<Value> {
        self.ask_script(expression).await
    }

    async fn type_text(&mut self, text: &str) -> io::Result<()> {
        let mut last = None;
        for character in text.chars() {
            last = Some(self.stroke(Key::Character(character)).await?);
        }
        // Events are handled in order, so that the last one's end is the end of all.
        match last {
            Some(id) => self.result_of(id).await.map(drop),
            None => Ok(()),
        }
    }

    async fn press(&mut self, key: Key) -> io::Result<()> {
        self.stroke(key).await.map(drop)
    }

    async fn turn(&mut self) -> io::Result<()> {
        self.take_next().await
    }
}

impl Page<'_> {
    async fn stroke(&mut self, key: Key) -> io::Result<u64> {
        let (down, up) = match key {
            Key::Character(character) => {
                let text = character.to_string();
                (
                    json!({ "type": "keyDown", "text": text, "unmodifiedText": text, "key": text }),
                    json!({ "type": "keyUp", "key": text }),
                )
            }
            Key::Enter => {
                let key = |kind: &str| json!({ "type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13 });
                (key("keyDown"), key("keyUp"))
            }
        };
        self.send("Input.dispatchKeyEvent", down).await?;
        self.send("Input.dispatchKeyEvent", up).await
    }
}
