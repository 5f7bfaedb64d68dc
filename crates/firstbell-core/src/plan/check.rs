//! What a plan must never do: give a secret no place or two, or send it elsewhere. Every fault at once.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;

use url::Url;

use super::selector::unreadable;
use super::written::{Written, WrittenField, WrittenMark, WrittenPage};
use super::{PageKind, Role, Step};

/// Input types into which a code may be typed.
const CODE_KINDS: [&str; 4] = ["text", "tel", "number", "password"];
/// Input types into which a client id may be typed.
const USER_KINDS: [&str; 3] = ["text", "email", "tel"];

/// Why a plan cannot be used: each fault, with its line where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanFaults(pub Vec<(Option<usize>, String)>);

impl fmt::Display for PlanFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the login plan cannot be used")?;
        self.0.iter().try_for_each(|(line, what)| match line {
            Some(line) => write!(f, "; line {line}: {what}"),
            None => write!(f, "; {what}"),
        })
    }
}

/// Faults, gathered while a plan is read.
pub(super) struct Faults<'t> {
    text: &'t str,
    found: RefCell<Vec<(Option<usize>, String)>>,
}

impl<'t> Faults<'t> {
    pub(super) fn of(text: &'t str) -> Faults<'t> {
        Faults { text, found: RefCell::default() }
    }

    pub(super) fn add(&self, span: &Range<usize>, what: &str) {
        let before = &self.text.as_bytes()[..span.start.min(self.text.len())];
        let line = (!span.is_empty()).then(|| before.iter().filter(|b| **b == b'\n').count() + 1);
        // It may repeat words of the file, which may be a stranger's, and is shown in a terminal, which would obey them.
        let what = what.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        self.found.borrow_mut().push((line, what));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    pub(super) fn all(&self) -> PlanFaults {
        let mut found = self.found.borrow().clone();
        found.sort();
        found.dedup();
        PlanFaults(found)
    }
}

pub(super) fn whole(written: &Written, faults: &Faults<'_>) {
    marks(written, faults);
    steps(written, faults);
    for (i, page) in written.page.iter().enumerate() {
        form(page, written, faults);
        let set = |page: &WrittenPage| {
            let ids = |ids: &[toml::Spanned<String>]| {
                let mut ids: Vec<_> = ids.iter().map(|id| id.get_ref().clone()).collect();
                ids.sort();
                ids
            };
            (ids(&page.has), ids(&page.lacks))
        };
        if written.page[..i].iter().any(|other| set(other) == set(page)) {
            faults
                .add(&page.kind.span(), "another page has and lacks the same marks: neither would be known");
        }
        if page.has.is_empty() {
            faults.add(&page.kind.span(), "a page without a mark that it has would be every page");
        }
    }
    for kind in [PageKind::Credentials, PageKind::Totp] {
        if !written.page.iter().any(|page| *page.kind.get_ref() == kind) {
            faults.add(&(0..0), &format!("there is no page of kind {kind:?}"));
        }
    }
}

fn marks(written: &Written, faults: &Faults<'_>) {
    for (i, mark) in written.mark.iter().enumerate() {
        let id = mark.id.get_ref();
        if written.mark[..i].iter().any(|other| other.id.get_ref() == id) {
            faults.add(&mark.id.span(), &format!("there are two marks {id:?}"));
        }
        if mark.find.is_empty() && mark.wire().is_none() {
            faults.add(&mark.id.span(), "a mark needs a way to find it, or a sign on the wire");
        }
        for target in &mark.find {
            if target.get_ref().is_blank() {
                faults.add(&target.span(), "this would find every input of the page");
            }
            if let Some(why) = target.get_ref().css.as_deref().and_then(unreadable) {
                faults.add(&target.span(), &format!("no browser can read this selector: {why}"));
            }
            let Some(beside) = &target.get_ref().beside else { continue };
            match written.mark.iter().find(|m| m.id.get_ref() == beside) {
                None => faults.add(&target.span(), &format!("there is no mark {beside:?}")),
                Some(other) if other.find.iter().any(|t| t.get_ref().beside.is_some()) => {
                    faults.add(&target.span(), "beside leads to a mark that is itself found beside another");
                }
                Some(_) => {}
            }
        }
    }
}

fn steps(written: &Written, faults: &Faults<'_>) {
    for (i, step) in written.step.iter().enumerate() {
        let (span, step) = (step.span(), step.get_ref());
        let own =
            |path: &str| path.starts_with('/') && !path.starts_with("//") && !path.contains(['\\', '@']);
        if !own(&step.path) || step.path.contains(['?', '#', '{']) {
            faults.add(&span, "path must begin with one / and stay at the plan's origin, without a query");
        }
        // As a browser sends it: requests are known by it.
        let sent = Url::parse("https://plan.invalid").and_then(|base| base.join(&step.path));
        if own(&step.path) && sent.is_ok_and(|url| url.path() != step.path) {
            faults.add(
                &span,
                "path is not written as a browser sends it: without . and .. and with % where it is needed",
            );
        }
        if step.then.as_ref().is_some_and(|then| !own(then)) {
            faults.add(&span, "then must begin with one / and stay at the plan's origin");
        }
        if step.then.as_ref().is_some_and(|then| then.contains("{password}") || then.contains("{code}")) {
            faults.add(&span, "then puts a secret into an address");
        }
        if written.step[..i].iter().any(|other| other.get_ref().name == step.name) {
            faults.add(&span, &format!("there are two steps {:?}", step.name));
        }
        if written.step[..i].iter().any(|other| other.get_ref().path == step.path) {
            faults.add(
                &span,
                "two steps send to one path: nobody could tell a password from a code on its way",
            );
        }
    }
}

fn form(page: &WrittenPage, written: &Written, faults: &Faults<'_>) {
    let (kind, span) = (*page.kind.get_ref(), page.kind.span());
    if !kind.is_form() {
        if !page.fields.is_empty() {
            faults.add(&span, &format!("nothing is ever typed into a page of kind {kind:?}"));
        }
        return;
    }
    let (step, roles): (Step, &[Role]) = match kind {
        PageKind::Credentials => (Step::Credentials, &[Role::UserId, Role::Password]),
        _ => (Step::Code, &[Role::Code]),
    };
    let mut given: Vec<Role> = page.fields.iter().map(|f| f.role).collect();
    given.sort();
    if given != roles {
        faults.add(&span, &format!("a page of kind {kind:?} has exactly one field each for {roles:?}"));
    }
    if page.step() != Some(step) || !written.step.iter().any(|s| s.get_ref().name == step) {
        faults.add(&span, &format!("a page of kind {kind:?} sends the step {step:?}, which must be there"));
    }
    for (i, field) in page.fields.iter().enumerate() {
        let Some(mark) = mark_of(field, written) else { continue };
        place(field, mark, faults);
        for other in page.fields[..i].iter().filter_map(|f| mark_of(f, written)) {
            let same = mark.find.iter().any(|t| other.find.iter().any(|o| o.get_ref() == t.get_ref()));
            if same || mark.id.get_ref() == other.id.get_ref() {
                let what =
                    "two fields of this page may be found at one place: a secret could go into the wrong one";
                faults.add(&field.mark.span(), what);
            }
        }
    }
}

/// A secret goes only into fields of a type that is made for it, whatever a selector finds.
fn place(field: &WrittenField, mark: &WrittenMark, faults: &Faults<'_>) {
    let fit: &[&str] = match field.role {
        Role::Password => &["password"],
        Role::Code => &CODE_KINDS,
        Role::UserId => &USER_KINDS,
    };
    if mark.find.is_empty() {
        faults.add(&mark.id.span(), "a field needs a way to find it");
    }
    for target in &mark.find {
        let kinds = &target.get_ref().kinds;
        if kinds.is_empty() || !kinds.iter().all(|kind| fit.contains(&kind.as_str())) {
            let what =
                format!("a field for {:?} names its type: one or more of {}", field.role, fit.join(", "));
            faults.add(&target.span(), &what);
        }
    }
}

fn mark_of<'w>(field: &WrittenField, written: &'w Written) -> Option<&'w WrittenMark> {
    written.mark.iter().find(|mark| mark.id.get_ref() == field.mark.get_ref())
}

#[cfg(test)]
mod tests {
    use super::super::written;

    /// Found by fuzzing.
    #[test]
    fn a_fault_repeats_nothing_that_a_terminal_obeys() {
        let faults =
            written::read("[[page]]\nkind = \"risk\\u001b[2J\\nline 9: all is well\"\n").unwrap_err();
        let said = faults.to_string();
        assert!(said.contains("unknown variant `risk [2J line 9"), "{said:?}");
        assert!(!said.contains(char::is_control), "{said:?}");
    }
}
