//! Whatever stands in an owner's plan: one that is accepted types secrets at the broker's origin only, each in one place of its kind.
#![no_main]

use firstbell_core::brokers::kite::Kite;
use firstbell_core::origin::Origin;
use firstbell_core::plan::{Entry, Plan, PlanFaults, Role, Step};
use libfuzzer_sys::fuzz_target;
use url::{Host, Url};

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    match Kite::read_plan(&text) {
        Ok(plan) => {
            assert_eq!(
                format!("{plan:?}"),
                format!("{:?}", Kite::read_plan(&text).expect("it was read once"))
            );
            sound(&plan);
        }
        Err(PlanFaults(faults)) => {
            assert!(!faults.is_empty(), "refused without a word");
            for (line, what) in faults {
                let lines = text.split('\n').count();
                assert!(line.is_none_or(|line| (1..=lines).contains(&line)), "no such line: {line:?} {what}");
                assert!(
                    !what.trim().is_empty() && !what.contains(|c: char| c.is_control() && c != '\n'),
                    "{what:?}"
                );
            }
        }
    }
});

fn sound(plan: &Plan) {
    assert_eq!(plan.origin.to_string(), "https://kite.zerodha.com", "secrets are typed elsewhere");
    assert!(
        (1..=300).contains(&plan.deadline_s) && (1..=120).contains(&plan.open_s) && plan.patience_s <= 30
    );
    for host in &plan.hosts {
        assert!(matches!(Host::parse(host), Ok(Host::Domain(_))), "{host} is no name");
    }
    for (i, step) in plan.steps.iter().enumerate() {
        let url = Url::parse(&plan.origin.join(&step.path)).expect("a path makes an address");
        assert!(Origin::of(&url).as_ref() == Some(&plan.origin) && url.path() == step.path, "{url}");
        assert!(plan.steps[..i].iter().all(|other| other.path != step.path && other.name != step.name));
        let Some(then) = &step.then else { continue };
        let url = Url::parse(&plan.origin.join(then)).expect("a path makes an address");
        assert!(Origin::of(&url).as_ref() == Some(&plan.origin), "{then} leads elsewhere");
        assert!(!then.contains("{password}") && !then.contains("{code}"), "a secret is in {then}");
    }
    for page in &plan.pages {
        assert!(!page.has.is_empty(), "a page that is every page");
        let Some(entry) = page.entry.as_ref().filter(|_| page.kind.is_form()) else {
            assert!(
                page.entry.as_ref().is_none_or(|entry| entry.fields.is_empty()),
                "typed into {:?}",
                page.kind
            );
            continue;
        };
        typed(plan, entry, &page.has);
    }
    // Counts of any length and size are recognised as one page or none.
    for n in [0, 1, u32::MAX] {
        let counts = vec![n; plan.marks.len() + 1];
        let (known, told) = (plan.recognise(&counts), plan.describe(&counts));
        assert!((n > 0 || known.is_none()) && !told.is_empty(), "{n}: {known:?}");
    }
}

fn typed(plan: &Plan, entry: &Entry, has: &[usize]) {
    let mut roles: Vec<Role> = entry.fields.iter().map(|field| field.role).collect();
    roles.sort();
    let (step, want): (Step, &[Role]) = match entry.step {
        Step::Credentials => (Step::Credentials, &[Role::UserId, Role::Password]),
        step => (step, &[Role::Code]),
    };
    assert!(roles == want && plan.step(step).is_some(), "{entry:?}");
    assert!(matches!(step, Step::Credentials | Step::Code), "{entry:?}");
    for (i, field) in entry.fields.iter().enumerate() {
        assert!(has.contains(&field.mark), "typed into what need not be there");
        let mark = &plan.marks[field.mark];
        for target in &mark.find {
            let hidden = target.kinds.iter().any(|kind| kind == "password");
            assert!(!target.kinds.is_empty(), "{} may be of any type", mark.id);
            assert!(field.role != Role::Password || target.kinds.iter().all(|kind| kind == "password"));
            assert!(field.role != Role::UserId || !hidden, "a client id in a password's place");
        }
        let twice = entry.fields[..i].iter().any(|other| {
            other.mark == field.mark
                || plan.marks[other.mark].find.iter().any(|target| mark.find.contains(target))
        });
        assert!(!mark.find.is_empty() && !twice, "two fields may be found at one place");
    }
}
