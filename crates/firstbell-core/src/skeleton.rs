//! What a page that ended a login looked like, with nothing in it that could be secret: its bones, and a drawing of them.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::secret::Secret;

/// What stands in the place of a word that is not shown. Its length says nothing.
const MASK: &str = "▒▒▒▒▒";
/// A word longer than this may be a key; no word of a login page is.
const WORD_MAX: usize = 20;
/// So many digits in a word may be a code, a number of a person, or a part of either.
const DIGITS_MAX: usize = 2;
/// Part of a live secret of this length gives away too much of it.
const WINDOW: usize = 8;
/// Words that stand on every login page. They are shown whatever the secrets are: a mask in their place would say that a
/// secret has them in it.
const OPEN: [&str; 12] = [
    "account",
    "authorise",
    "continue",
    "external",
    "forgot",
    "invalid",
    "kite",
    "login",
    "password",
    "submit",
    "userid",
    "zerodha",
];
/// A page has far fewer elements; the rest is not kept.
const NODES_MAX: usize = 1_500;
/// Attributes that say what an element is. Values that a person typed are never among them.
const ATTRIBUTES: [&str; 12] = [
    "id",
    "class",
    "type",
    "name",
    "label",
    "placeholder",
    "aria-label",
    "autocomplete",
    "for",
    "role",
    "inputmode",
    "disabled",
];

/// A page's elements, in their order, each text of them masked word by word.
#[derive(Clone, Debug)]
pub struct Skeleton {
    width: u32,
    height: u32,
    nodes: Vec<Node>,
}

#[derive(Clone, Debug)]
struct Node {
    depth: usize,
    tag: String,
    attributes: Vec<(String, String)>,
    text: String,
    place: [i32; 4],
    size: u32,
    ink: Option<[u8; 3]>,
    ground: Option<[u8; 3]>,
    shown: bool,
}

#[derive(Deserialize)]
struct RawPage {
    width: f64,
    height: f64,
    nodes: Vec<RawNode>,
}

#[derive(Deserialize)]
struct RawNode {
    depth: usize,
    tag: String,
    attributes: Vec<(String, String)>,
    text: String,
    place: [f64; 4],
    size: f64,
    ink: String,
    ground: String,
    shown: bool,
}

impl Skeleton {
    /// Reads what the watching script told of a page, and masks it: by the shape of each word, and by the secrets of this
    /// login. None where it cannot be read.
    pub fn read(told: &Secret, secrets: &[&Secret]) -> Option<Skeleton> {
        let raw: RawPage = serde_json::from_str(told.expose()).ok()?;
        let mask = Masks { secrets: secrets.iter().map(|s| s.expose().to_lowercase()).collect() };
        let nodes = raw.nodes.into_iter().take(NODES_MAX).map(|node| node.masked(&mask)).collect();
        Some(Skeleton { width: whole(raw.width, 3_000), height: whole(raw.height, 3_000), nodes })
    }

    /// The bones, an element a line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for node in &self.nodes {
            let indent = "  ".repeat(node.depth.min(30));
            let _ = write!(text, "{indent}<{}", node.tag);
            for (name, value) in &node.attributes {
                let _ = write!(text, " {name}={value:?}");
            }
            text.push('>');
            if !node.shown {
                text.push_str(" (not visible)");
            }
            if !node.text.is_empty() {
                let _ = write!(text, " {}", node.text);
            }
            text.push('\n');
        }
        text
    }

    /// The page drawn anew from its bones, as HTML for an empty page: boxes where its elements stood, masked texts in them,
    /// and no input's content, no picture and no script.
    pub fn drawing(&self) -> String {
        let (width, height) = (self.width, self.height);
        let mut html = format!(
            "<style>body{{margin:0;background:#fff}}div{{position:absolute;box-sizing:border-box;\
             font-family:sans-serif;line-height:1.2}}</style><div style=\"width:{width}px;height:{height}px\">"
        );
        for node in self.nodes.iter().filter(|node| node.shown) {
            // Rounded down, and a text that just fitted needs all of it.
            let [x, y, w, h] = [node.place[0], node.place[1], node.place[2] + 2, node.place[3]];
            let field = matches!(node.tag.as_str(), "input" | "textarea" | "select");
            let picture = matches!(
                node.tag.as_str(),
                "img" | "svg" | "canvas" | "video" | "iframe" | "object" | "embed"
            );
            let (ground, border) = match (field, picture) {
                (true, _) => (Some([225, 225, 225]), ";border:1px solid #888"),
                (_, true) => (Some([200, 200, 200]), ""),
                _ => (node.ground, if node.tag == "button" { ";border:1px solid #888" } else { "" }),
            };
            if ground.is_none() && node.text.is_empty() && border.is_empty() {
                continue;
            }
            let color = |ink: [u8; 3]| format!("#{:02x}{:02x}{:02x}", ink[0], ink[1], ink[2]);
            let _ = write!(
                html,
                "<div style=\"left:{x}px;top:{y}px;width:{w}px;height:{h}px;font-size:{}px;color:{};background:{}{border}\">{}</div>",
                node.size,
                color(node.ink.unwrap_or_default()),
                ground.map_or("transparent".into(), color),
                if field { String::new() } else { escaped(&node.text) },
            );
        }
        html + "</div>"
    }
}

impl RawNode {
    fn masked(self, mask: &Masks) -> Node {
        let attributes = self.attributes.into_iter().filter(|(name, _)| ATTRIBUTES.contains(&name.as_str()));
        let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        Node {
            depth: self.depth,
            tag: mask.text(&self.tag.chars().filter(plain).take(40).collect::<String>()),
            attributes: attributes.map(|(name, value)| (name, mask.text(&value))).collect(),
            text: mask.text(&self.text),
            place: self.place.map(|n| if n.is_finite() { n.clamp(-3_000.0, 9_000.0) as i32 } else { 0 }),
            size: whole(self.size, 60),
            ink: rgb(&self.ink),
            ground: rgb(&self.ground),
            shown: self.shown,
        }
    }
}

struct Masks {
    secrets: Vec<String>,
}

impl Masks {
    /// The text with every word masked that may be secret, or the whole of it where a secret is spread over its words.
    fn text(&self, text: &str) -> String {
        let joined: String =
            text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
        let spread = |secret: &String| {
            let bare: String = secret.chars().filter(|c| c.is_alphanumeric()).collect();
            let backward: String = bare.chars().rev().collect();
            bare.len() >= 4
                && !OPEN.contains(&bare.as_str())
                && (joined.contains(&bare) || joined.contains(&backward))
        };
        if self.secrets.iter().any(spread) {
            return MASK.into();
        }
        let words: Vec<&str> = text.split_whitespace().collect();
        let shown: Vec<&str> =
            words.iter().map(|word| if self.is_secret(word) { MASK } else { word }).collect();
        shown.join(" ")
    }

    fn is_secret(&self, word: &str) -> bool {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        if digits > DIGITS_MAX || word.chars().count() > WORD_MAX || is_mixed(word) {
            return true;
        }
        let word: Vec<char> = word.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        if OPEN.contains(&word.iter().collect::<String>().as_str()) {
            return false;
        }
        word.windows(WINDOW).any(|window| {
            let (forward, backward): (String, String) =
                (window.iter().collect(), window.iter().rev().collect());
            self.secrets.iter().any(|secret| {
                let bare: String = secret.chars().filter(|c| c.is_alphanumeric()).collect();
                bare.contains(&forward) || bare.contains(&backward)
            })
        })
    }
}

/// Capitals amid small letters, as keys have and words have not.
fn is_mixed(word: &str) -> bool {
    let letters: Vec<char> = word.chars().filter(|c| c.is_alphabetic()).collect();
    let capitals = letters.iter().skip(1).filter(|c| c.is_uppercase()).count();
    letters.len() > 5 && capitals > 1 && letters.iter().any(|c| c.is_lowercase())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
fn whole(number: f64, max: u32) -> u32 {
    if number.is_finite() { number.clamp(0.0, f64::from(max)) as u32 } else { 0 }
}

/// `rgb(1, 2, 3)` as a browser writes it; none for what is transparent or anything else.
fn rgb(text: &str) -> Option<[u8; 3]> {
    let inside = text.strip_prefix("rgb(")?.strip_suffix(')')?;
    let mut parts = inside.split(',').map(|part| part.trim().parse().ok());
    let all = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(all)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(text: &str) -> String {
        Masks { secrets: vec!["tr0ub4dor-horse".into(), "jbswy3dpehpk3pxp".into()] }.text(text)
    }

    #[test]
    fn a_person_can_read_what_the_page_says_and_no_secret_is_in_it() {
        for open in [
            "Login to Kite",
            "Invalid account credentials. 4 attempts remain",
            "Forgot user ID or password?",
            "External TOTP",
            "Set a new password: 8 to 12 characters.",
        ] {
            assert_eq!(mask(open), open);
        }
        for secret in [
            "123456",
            "tr0ub4dor-horse",
            "Tr0uB4dor-HORSE",
            "esroh-rod4bu0rt",
            "JBSWY3DPEHPK3PXP",
            "aGVsbG8gd29ybGQ",
            "0123456789abcdef0123456789abcdef",
            "r0ub4dorh",
            "tr0ub4dor",
        ] {
            let shown = mask(&format!("your secret is {secret} indeed"));
            assert!(!shown.contains(secret) && shown.contains(MASK), "{shown}");
        }
        // A mask would say that the secret has this word in it.
        assert_eq!(mask("Password"), "Password");
        // Written with spaces between.
        assert_eq!(mask("t r 0 u b 4 d o r - h o r s e"), MASK);
    }

    #[test]
    fn what_was_told_is_read_masked_and_drawn() {
        let told = r#"{"width":800,"height":600,"nodes":[
            {"depth":0,"tag":"form","attributes":[["class","login"],["onclick","x()"]],"text":"","place":[0,0,10,10],
             "size":16,"ink":"rgb(1, 2, 3)","ground":"rgba(0, 0, 0, 0)","shown":true},
            {"depth":1,"tag":"input","attributes":[["type","password"],["value","tr0ub4dor-horse"]],"text":"",
             "place":[1,2,3,4],"size":16,"ink":"x","ground":"y","shown":true},
            {"depth":1,"tag":"p","attributes":[],"text":"<b>4 attempts & tr0ub4dor-horse</b>","place":[1,2,3,1e9],
             "size":1e9,"ink":"rgb(255, 0, 0)","ground":"url(javascript:x)","shown":true}]}"#;
        let secret = Secret::new("tr0ub4dor-horse".into());
        let skeleton = Skeleton::read(&Secret::new(told.into()), &[&secret]).unwrap();
        let (text, drawing) = (skeleton.text(), skeleton.drawing());
        for form in [&text, &drawing] {
            assert!(
                !form.contains("tr0ub") && !form.contains("horse") && !form.contains("onclick"),
                "{form}"
            );
        }
        assert!(
            text.contains("  <input type=\"password\">") && text.contains("<form class=\"login\">"),
            "{text}"
        );
        assert!(
            drawing.contains("color:#ff0000") && !drawing.contains("<b>") && !drawing.contains("javascript")
        );
        assert!(Skeleton::read(&Secret::new("{}".into()), &[]).is_none());
    }
}
