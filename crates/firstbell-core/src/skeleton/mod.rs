//! What a page that ended a login looked like, with nothing in it that could be secret: its bones, and a drawing of them.

mod masks;

use std::fmt::Write as _;

use serde::Deserialize;

use self::masks::{MASK, Masks};
use crate::secret::Secret;

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
    /// Whether the page shows a secret of this login, or a code: then where things stand tells how long it is.
    echoes: bool,
}

#[derive(Clone, Debug, PartialEq)]
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
        let mask = Masks::of(secrets);
        let raw_nodes: Vec<RawNode> = raw.nodes.into_iter().take(NODES_MAX).collect();
        let texts: Vec<&str> = raw_nodes.iter().map(|node| node.text.as_str()).collect();
        let spread = mask.spread_over(&texts);
        let live = |node: &RawNode| {
            let values = node.attributes.iter().map(|(_, value)| value);
            values.chain([&node.text, &node.tag]).any(|text| mask.is_live(text))
        };
        let echoes = spread.contains(&true) || raw_nodes.iter().any(live);
        let mut nodes: Vec<Node> = Vec::new();
        for (raw, spread) in raw_nodes.into_iter().zip(spread) {
            let mut node = raw.masked(&mask);
            if spread {
                node.text = MASK.into();
                // Whether one letter is wide enough to be seen depends on which it is.
                (node.place, node.shown) = ([0; 4], true);
            }
            // However many elements a secret was spread over: one stands for all.
            if !(spread && nodes.last() == Some(&node)) {
                nodes.push(node);
            }
        }
        Some(Skeleton { width: whole(raw.width, 3_000), height: whole(raw.height, 3_000), nodes, echoes })
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
            let place = self.place(node, field, picture);
            let color = |ink: [u8; 3]| format!("#{:02x}{:02x}{:02x}", ink[0], ink[1], ink[2]);
            let _ = write!(
                html,
                "<div style=\"{place};font-size:{}px;color:{};background:{}{border}\">{}</div>",
                node.size,
                color(node.ink.unwrap_or_default()),
                ground.map_or("transparent".into(), color),
                if field { String::new() } else { escaped(&node.text) },
            );
        }
        html + "</div>"
    }

    /// Where an element is drawn: where it stood, or below the one before it, in a place that no secret has moved.
    fn place(&self, node: &Node, field: bool, picture: bool) -> String {
        if self.echoes {
            let indent = 8 * node.depth.min(30);
            let height = if field || picture { ";width:240px;height:32px" } else { "" };
            return format!("position:static;margin:2px 0 2px {indent}px{height}");
        }
        // Rounded down, and a text that just fitted needs all of it.
        let [x, y, w, h] = [node.place[0], node.place[1], node.place[2] + 2, node.place[3]];
        format!("left:{x}px;top:{y}px;width:{w}px;height:{h}px")
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

    /// A page whose elements say these texts, the first twenty of its places taken by them.
    fn page(texts: &[&str]) -> Skeleton {
        let nodes = texts.iter().enumerate().map(|(i, text)| {
            serde_json::json!({ "depth": 1, "tag": "b", "attributes": [["alt", text]], "text": text, "size": 16.0,
                "place": [i, 0, text.len(), 9], "ink": "", "ground": "", "shown": true })
        });
        let told = serde_json::json!({ "width": 800, "height": 600, "nodes": nodes.collect::<Vec<_>>() });
        let secret = Secret::new("tr0ub4dor-horse".into());
        Skeleton::read(&Secret::new(told.to_string()), &[&secret]).unwrap()
    }

    #[test]
    fn a_secret_that_is_spread_over_elements_shows_neither_itself_nor_its_length() {
        for parts in [
            &["tr0ub4", "dor-", "horse"][..],
            &["esroh", "-rod4bu0rt"],
            &["t", "r", "0", "u", "b", "4", "d", "o", "r"],
            &["12", "34", "56"],
            &["1", "", "2", "3", "4", "5", "6"],
        ] {
            let drawn = page(parts).drawing();
            for part in parts.iter().filter(|part| !part.is_empty()) {
                assert!(!drawn.contains(&format!(">{part}<")), "{part} of {parts:?} in {drawn}");
            }
        }
        let (short, long) = (page(&["Your", "tr0ub4dor-horse"]), page(&["Your", "tr0ub4dor", "-", "horse"]));
        assert_eq!(page(&["Your", "123456"]).drawing(), short.drawing());
        assert!(!long.drawing().contains("horse"));
        assert_ne!(page(&["Your", "word"]).drawing(), page(&["Your", "words"]).drawing(), "places are kept");
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
