//! What can be seen of a page, and the ways to find it: by selector, type, label, placeholder, words, or position.

use serde::{Deserialize, Serialize};

use super::Step;

/// Something that can be seen, by a browser or on the wire.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its name in the plan.
    pub id: String,
    /// Ways to find it, in order of preference: the first one that matches anything visible decides. The later ones
    /// must agree: what each of them matches, if anything, must include what the first one did; else the mark is
    /// there more than once, and nothing is typed into it.
    pub find: Vec<Target>,
    /// How the page's own requests show the same thing. A mark that has only this is seen by browsers too.
    pub wire: Option<WireSign>,
}

/// One way to find something: all that is given must fit. Texts are compared in lower case with single spaces; one that
/// begins with `=` must be the whole text, any other a part of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Target {
    /// A selector; without one all inputs are looked at.
    pub css: Option<String>,
    /// Types of input.
    #[serde(rename = "type")]
    pub kinds: Vec<String>,
    /// Values of `autocomplete`.
    pub autocomplete: Vec<String>,
    /// Texts of the label: one that belongs to it, wraps it or stands before it, `aria-label`, or the attribute `label`.
    pub label: Vec<String>,
    /// Texts of the placeholder.
    pub placeholder: Vec<String>,
    /// Texts of the thing itself.
    pub says: Vec<String>,
    /// A mark in whose form it must be.
    pub beside: Option<String>,
    /// Whether it must be the only field of its form that text can be typed into.
    pub alone: bool,
}

impl Target {
    /// Whether nothing is given at all: that would be every input of the page.
    pub fn is_blank(&self) -> bool {
        *self == Target::default()
    }
}

/// How a reply shows a mark.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSign {
    /// The request that was answered.
    pub after: Step,
    /// Text that the body holds.
    pub contains: Option<String>,
    /// A JSON pointer into the body …
    pub pointer: Option<String>,
    /// … and the text that stands there.
    pub equals: Option<String>,
}
