//! A notification on the desktop of the user that firstbell runs as, by `notify-send` (Debian: libnotify-bin).

use firstbell_core::notice::Severity;

use super::kind::{Far, Keys, Kind, Outside, Sources};
use super::text;
use crate::ports::{ChannelFault, Message, Receipt, Soon};
use crate::program::Program;
use crate::written::Section;

pub(super) const KEYS: &[&str] = &[];

/// A bubble shows less.
const LETTERS_MAX: usize = 1000;

#[derive(Debug)]
struct Desktop;

pub(super) fn read(_section: &mut Section<'_>, _sources: &mut Sources) -> Option<Box<dyn Kind>> {
    Some(Box::new(Desktop))
}

impl Kind for Desktop {
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
            let urgency = match message.severity {
                Severity::Information => "low",
                Severity::Warning => "normal",
                Severity::Critical => "critical",
            };
            let words = [
                "notify-send",
                "--app-name=firstbell",
                &format!("--urgency={urgency}"),
                "--",
                &text::line(&message.title, 200, char::len_utf16),
                &body(message),
            ]
            .map(str::to_owned);
            let program = Program { words: &words, with: &[], input: &[], time: outside.time, output_max: 0 };
            let fault = |why: String| ChannelFault {
                why: format!("notify-send {why}"),
                cure: "Install libnotify-bin, and run firstbell in the session of whoever sits there.".into(),
                wait_s: None,
                again: true,
                partly: false,
            };
            program.run().await.map(|_| Receipt::Accepted).map_err(fault)
        })
    }
}

/// A body is markup to most desktops, and `notify-send` reads backslashes in it.
fn body(message: &Message) -> String {
    let text = text::lines(&message.body, LETTERS_MAX, char::len_utf16);
    text.replace('\\', "\\\\").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
