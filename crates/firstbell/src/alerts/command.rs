//! A program of the owner's that is given each message as one JSON object on its standard input.

use serde_json::json;

use super::kind::{Far, Keys, Kind, Outside, Sources};
use super::request;
use crate::ports::{ChannelFault, Message, Receipt, Soon};
use crate::program::Program;
use crate::written::Section;

pub(super) const KEYS: &[&str] = &["command"];

#[derive(Debug)]
struct Command {
    words: Vec<String>,
}

pub(super) fn read(section: &mut Section<'_>, _sources: &mut Sources) -> Option<Box<dyn Kind>> {
    let word = |text: &str| match text.contains('\0') {
        true => Err("cannot hold a zero byte".to_owned()),
        false => Ok(text.to_owned()),
    };
    let words = section.texts("command", word).unwrap_or_default();
    if words.first().is_none_or(String::is_empty) {
        section.fault("command needs a program: [\"/usr/local/bin/tell-me\", \"--loud\"]; no shell reads it");
        return None;
    }
    Some(Box::new(Command { words }))
}

impl Kind for Command {
    fn far(&self, _keys: &Keys) -> Far {
        Far::Here
    }

    fn send<'a>(
        &'a self,
        message: &'a Message,
        _keys: &'a Keys,
        outside: &'a Outside<'a>,
    ) -> Soon<'a, Result<Receipt, ChannelFault>> {
        Box::pin(async move {
            let input = json!({
                "version": 1,
                "id": request::id(message),
                "severity": message.severity.as_str(),
                "title": message.title,
                "body": message.body,
                "incident": message.incident,
                "over": message.over,
            });
            let input = format!("{input}\n");
            let program = Program {
                words: &self.words,
                with: &[],
                input: input.as_bytes(),
                time: outside.time,
                output_max: 0,
            };
            let fault = |why: String| ChannelFault {
                why: format!("{} {why}", self.words[0]),
                cure: "See that it runs by hand and ends with 0.".into(),
                wait_s: None,
                again: true,
                partly: false,
            };
            program.run().await.map(|_| Receipt::Accepted).map_err(fault)
        })
    }
}
