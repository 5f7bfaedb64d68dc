//! Whether a selector can be read at all: a browser takes one that it cannot read for one that finds nothing, and says so to
//! nobody.

/// What stands between the parts of a selector.
const COMBINATORS: [char; 3] = ['>', '+', '~'];

/// Says why no browser could read this selector. Only what is surely wrong is told: brackets and quotes that do not fit, parts
/// that are missing, letters that no selector has.
pub(super) fn unreadable(css: &str) -> Option<&'static str> {
    let mut open: Vec<char> = Vec::new();
    // Whether a part of a selector stands before this place, and whether one must follow.
    let (mut before, mut wants) = (false, true);
    let mut letters = css.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                letters.next()?;
                (before, wants) = (true, false);
            }
            '"' | '\'' if open.is_empty() => return Some("a quote stands outside of brackets"),
            '"' | '\'' => {
                let mut ended = false;
                while let Some(inside) = letters.next() {
                    match inside {
                        '\\' => drop(letters.next()),
                        '\n' => break,
                        _ if inside == letter => {
                            ended = true;
                            break;
                        }
                        _ => {}
                    }
                }
                if !ended {
                    return Some("a quote is not closed");
                }
            }
            '[' | '(' => {
                open.push(if letter == '[' { ']' } else { ')' });
                let next = letters.peek().copied();
                if next.is_none_or(|next| next == ']' || next == ')') {
                    return Some("brackets are empty, or not closed");
                }
            }
            ']' | ')' => {
                if open.pop() != Some(letter) {
                    return Some("brackets do not fit together");
                }
                (before, wants) = (true, false);
            }
            _ if !open.is_empty() => {}
            ',' if wants => return Some("a part is missing at a comma"),
            ',' => (before, wants) = (false, true),
            _ if COMBINATORS.contains(&letter) => {
                if !before || wants {
                    return Some("a part is missing beside > + or ~");
                }
                wants = true;
            }
            '#' | '.' | ':' => {
                let named =
                    letters.peek().is_some_and(|c| is_name(*c) || *c == '\\' || (letter == ':' && *c == ':'));
                if !named {
                    return Some("a name is missing after # . or :");
                }
                (before, wants) = (true, false);
            }
            '*' | '|' => (before, wants) = (true, false),
            _ if letter.is_whitespace() => {}
            _ if is_name(letter) => (before, wants) = (true, false),
            _ => return Some("it holds a letter that no selector has"),
        }
    }
    if !open.is_empty() {
        Some("brackets are not closed")
    } else if wants {
        Some("a part is missing at its end")
    } else {
        None
    }
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_') || !letter.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_reads_is_let_through() {
        for css in [
            "input#password",
            "h1, h2 > .a.b",
            "a:not([href^='x,y']) ~ b::before",
            "*",
            "input[type=\"password\" i]",
            "div:nth-child(2n + 1) + p",
            "#\\31 23",
            "#\\:r1\\:",
            "[data-x='a]b']",
            "svg|a, :is(h1, h2)",
            "नाम",
        ] {
            assert_eq!(unreadable(css), None, "{css}");
        }
    }

    #[test]
    fn what_no_browser_reads_is_told() {
        for css in [
            "",
            "  ",
            "input[type=password",
            "input]",
            "a[b)",
            "a,,b",
            ",a",
            "a,",
            "a >",
            "> a",
            "a > > b",
            "input#",
            "a.",
            "a:",
            "a {",
            "a;b",
            "a[]",
            "'a'",
            "[a='b]",
            "input@type",
        ] {
            assert!(unreadable(css).is_some(), "{css}");
        }
    }
}
