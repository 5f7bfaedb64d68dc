//! Whatever a page is made of: what is kept of it for people shows no secret, no code, and nothing that a browser would run.
#![no_main]

use std::sync::LazyLock;

use firstbell_core::secret::Secret;
use firstbell_core::skeleton::Skeleton;
use firstbell_fuzz::{CANARY, planted};
use libfuzzer_sys::fuzz_target;

/// So many letters of a secret in a row give away too much of it.
const PART: usize = 8;
/// More digits in a row may be a code.
const DIGITS: usize = 2;

static PARTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let forward: Vec<char> = CANARY.chars().collect();
    let backward: Vec<char> = CANARY.chars().rev().collect();
    [forward, backward]
        .iter()
        .flat_map(|all| all.windows(PART).map(String::from_iter).collect::<Vec<_>>())
        .collect()
});

fuzz_target!(|data: &[u8]| {
    let secret = Secret::new(CANARY.to_uppercase());
    let told = Secret::new(planted(data));
    let Some(skeleton) = Skeleton::read(&told, &[&secret]) else { return };
    let (text, drawing) = (skeleton.text(), skeleton.drawing());
    for form in [&text, &drawing] {
        let small = form.to_lowercase();
        let found = PARTS.iter().find(|part| small.contains(*part));
        assert!(found.is_none(), "{found:?} of the secret is in {form}");
    }
    let bare = unescaped(&text);
    let run = bare.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() > DIGITS);
    assert!(run.is_none(), "digits in a row: {run:?} in {text}");
    // Everything in the drawing but its own style and boxes is text.
    let body = drawing.split_once("</style>").expect("the style comes first").1;
    for tag in body.split('<').skip(1) {
        assert!(tag.starts_with("div style=\"") || tag.starts_with("/div>"), "<{tag} in {drawing}");
    }
    for outside in ["url(", "javascript:", "http:", "https:"] {
        let styles = body.split("style=\"").skip(1).filter_map(|rest| rest.split('"').next());
        assert!(styles.clone().all(|style| !style.contains(outside)), "{outside} in {drawing}");
    }
});

/// Without the numbers of signs that are written as such, like `\u{200b}` and `\0`: those digits are ours.
fn unescaped(text: &str) -> String {
    let (mut bare, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        bare += before;
        let sign = after.chars().next();
        let length = match sign {
            Some('u') => after.find('}').map_or(1, |end| end + 1),
            _ => sign.map_or(0, char::len_utf8),
        };
        rest = &after[length..];
    }
    bare + rest
}
