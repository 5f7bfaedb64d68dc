//! Texts within a channel's bounds: one line or several, no control characters, cut where the channel would cut or refuse.

use crate::ports::Message;

/// How channels count: Telegram and Discord by UTF-16 units, at least for what they refuse; ntfy by bytes.
pub(super) type Width = fn(char) -> usize;

/// One line: everything that ends or turns a line becomes a space or goes.
pub(super) fn line(text: &str, max: usize, width: Width) -> String {
    let flat: String = text.chars().map(|c| if is_break(c) { ' ' } else { c }).collect();
    cut(flat.chars().filter(|c| !is_unseen(*c)).collect::<String>().trim(), max, width)
}

/// Several lines.
pub(super) fn lines(text: &str, max: usize, width: Width) -> String {
    let clean: String = text.chars().filter(|c| *c == '\n' || !is_unseen(*c)).collect();
    cut(clean.trim(), max, width)
}

/// Title and body as one text.
pub(super) fn whole(message: &Message, max: usize, width: Width) -> String {
    lines(&format!("{}\n\n{}", line(&message.title, 200, width), message.body), max, width)
}

/// Title and the body's first sentence, in one line, for a channel where each letter costs.
pub(super) fn short(message: &Message, max: usize) -> String {
    let body = line(&message.body, 10_000, char::len_utf16);
    let end = body.find(". ").map_or(body.len(), |at| at + 1);
    line(&format!("{}: {}", line(&message.title, 100, char::len_utf16), &body[..end]), max, char::len_utf16)
}

/// Cuts a text, and shows that it was cut.
pub(super) fn cut(text: &str, max: usize, width: Width) -> String {
    let mut room = max;
    let fits = |c: char, room: &mut usize| {
        let left = room.checked_sub(width(c));
        *room = left.unwrap_or(0);
        left.is_some()
    };
    if text.chars().all(|c| fits(c, &mut room)) {
        return text.to_owned();
    }
    let mut room = max.saturating_sub(width('…'));
    let kept: String = text.chars().take_while(|c| fits(*c, &mut room)).collect();
    kept.trim_end().to_owned() + "…"
}

/// Puts a mark before each of these letters, and keeps within the bound with the marks counted.
pub(super) fn marked(text: &str, letters: &str, max: usize) -> String {
    let mut out = String::new();
    let mut room = max - 1;
    for c in text.chars() {
        let marks = letters.contains(c);
        let Some(left) = room.checked_sub(c.len_utf16() + usize::from(marks)) else { return out + "…" };
        room = left;
        out.extend(marks.then_some('\\'));
        out.push(c);
    }
    out
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Control characters, and those that turn the direction of what follows.
fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

#[cfg(test)]
mod tests {
    use firstbell_core::notice::Severity;

    use super::*;

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(line(" a\r\nb\u{2028}c\u{202e}d\0 ", 99, char::len_utf8), "a  b cd");
        assert_eq!(lines("a\r\n\tb\u{1b}[1m\n", 99, char::len_utf8), "a\nb[1m");
    }

    #[test]
    fn a_cut_shows_and_counts_as_the_channel_does() {
        assert_eq!(cut("abcdef", 5, char::len_utf16), "abcd…");
        assert_eq!(cut("abcde", 5, char::len_utf16), "abcde");
        assert_eq!(cut("🙂🙂🙂", 5, char::len_utf16), "🙂🙂…");
        assert_eq!(cut("ééé", 5, char::len_utf8), "é…");
        assert_eq!(marked("a*b*c*", "*", 7), "a\\*b\\*…");
        assert_eq!(marked("a*b", "*", 5), "a\\*b");
    }

    #[test]
    fn a_short_text_is_title_and_first_sentence() {
        let message = Message {
            severity: Severity::Critical,
            title: "No token".into(),
            body: "Zerodha answers 502 since 08:41. The market opens in 29 minutes.\nMore.".into(),
            incident: "i".into(),
            over: false,
        };
        assert_eq!(short(&message, 300), "No token: Zerodha answers 502 since 08:41.");
        assert_eq!(short(&message, 12), "No token: Z…");
    }
}
