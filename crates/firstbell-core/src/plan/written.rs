//! A plan as it stands in its file: read with the line of each part, so that a fault can be found again.

use serde::Deserialize;
use toml::Spanned;
use url::Host;

use super::check::{self, Faults, PlanFaults};
use super::{
    AnswerRule, Entry, Field, Mark, Page, PageKind, Plan, Role, Step, StepPlan, Submit, Target, VERSION,
    WireSign,
};
use crate::origin::Origin;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    version: Spanned<u32>,
    name: String,
    origin: Spanned<String>,
    hosts: Vec<Spanned<String>>,
    open_s: u32,
    deadline_s: u32,
    patience_s: u32,
    pub(super) mark: Vec<WrittenMark>,
    pub(super) page: Vec<WrittenPage>,
    pub(super) step: Vec<Spanned<StepPlan>>,
    answer: Vec<AnswerRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenMark {
    pub(super) id: Spanned<String>,
    #[serde(default)]
    pub(super) find: Vec<Spanned<Target>>,
    wire: Option<WireSign>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenPage {
    pub(super) kind: Spanned<PageKind>,
    pub(super) has: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) lacks: Vec<Spanned<String>>,
    step: Option<Step>,
    #[serde(default)]
    pub(super) fields: Vec<WrittenField>,
    submit: Option<Submit>,
    deadline_s: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenField {
    pub(super) role: Role,
    pub(super) mark: Spanned<String>,
}

impl WrittenMark {
    pub(super) fn wire(&self) -> Option<&WireSign> {
        self.wire.as_ref()
    }
}

impl WrittenPage {
    pub(super) fn step(&self) -> Option<Step> {
        self.step
    }
}

/// Reads and checks a plan.
pub(super) fn read(text: &str) -> Result<Plan, PlanFaults> {
    let faults = Faults::of(text);
    let written: Written = match toml::from_str(text) {
        Ok(written) => written,
        Err(e) => {
            faults.add(&e.span().unwrap_or(0..0), e.message());
            return Err(faults.all());
        }
    };
    if *written.version.get_ref() != VERSION {
        let theirs = written.version.get_ref();
        let what = format!("version {theirs} is not known; this firstbell reads version {VERSION}");
        faults.add(&written.version.span(), &what);
    }
    let origin = Origin::parse(written.origin.get_ref());
    if let Err(fault) = &origin {
        faults.add(&written.origin.span(), &format!("origin {fault}"));
    }
    for host in &written.hosts {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if host.get_ref().is_empty() || !host.get_ref().chars().all(plain) {
            faults.add(&host.span(), "a host is a plain name, such as static.example.com");
        } else if !matches!(Host::parse(host.get_ref()), Ok(Host::Domain(_))) {
            // Also as browsers write them: 127.1, 2130706433, 0x7f.1.
            faults.add(
                &host.span(),
                "a host is a name and no address: the name service and TLS say whose a name is",
            );
        }
    }
    if !(1..=300).contains(&written.deadline_s)
        || !(1..=120).contains(&written.open_s)
        || written.patience_s > 30
    {
        faults.add(&(0..0), "deadline_s is 1 to 300, open_s 1 to 120, patience_s 0 to 30");
    }
    check::whole(&written, &faults);
    let pages: Vec<_> = written.page.iter().filter_map(|page| place(page, &written, &faults)).collect();
    match (origin, faults.is_empty()) {
        (Ok(origin), true) => Ok(assemble(written, origin, (pages, text))),
        _ => Err(faults.all()),
    }
}

fn assemble(written: Written, origin: Origin, (pages, text): (Vec<Page>, &str)) -> Plan {
    let mark = |m: WrittenMark| Mark {
        id: m.id.into_inner(),
        find: m.find.into_iter().map(Spanned::into_inner).collect(),
        wire: m.wire,
    };
    Plan {
        name: written.name,
        origin,
        hosts: written.hosts.into_iter().map(Spanned::into_inner).collect(),
        open_s: written.open_s,
        deadline_s: written.deadline_s,
        patience_s: written.patience_s,
        marks: written.mark.into_iter().map(mark).collect(),
        pages,
        steps: written.step.into_iter().map(Spanned::into_inner).collect(),
        answers: written.answer,
        text: text.to_owned(),
    }
}

fn place(page: &WrittenPage, written: &Written, faults: &Faults<'_>) -> Option<Page> {
    let find = |id: &Spanned<String>| {
        let found = written.mark.iter().position(|m| m.id.get_ref() == id.get_ref());
        if found.is_none() {
            faults.add(&id.span(), &format!("there is no mark {:?}", id.get_ref()));
        }
        found
    };
    let entry = match (page.step, page.submit, page.deadline_s) {
        (None, None, None) if page.fields.is_empty() => None,
        (Some(step), Some(submit), Some(deadline_s)) => {
            if !(1..=written.deadline_s).contains(&deadline_s) {
                faults.add(&page.kind.span(), "deadline_s of a page is 1 to the plan's own");
            }
            let fields = page.fields.iter().filter_map(|f| {
                let mark = find(&f.mark)?;
                if !page.has.iter().any(|id| id.get_ref() == f.mark.get_ref()) {
                    faults.add(&f.mark.span(), "a field's mark must stand in the page's has too");
                }
                Some(Field { role: f.role, mark })
            });
            Some(Entry { step, fields: fields.collect(), submit, deadline_s })
        }
        _ => {
            let why = "a page has step, fields, submit and deadline_s together, or none of them";
            faults.add(&page.kind.span(), why);
            None
        }
    };
    let places = |ids: &[Spanned<String>]| ids.iter().filter_map(find).collect::<Vec<_>>();
    Some(Page { kind: *page.kind.get_ref(), has: places(&page.has), lacks: places(&page.lacks), entry })
}
