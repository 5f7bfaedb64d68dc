//! What the doctor found: a grade, a sentence, and what mends it. Nothing in it is secret: it is made to be pasted.

use serde_json::{Value, json};

/// Where a sentence begins, and how long a line of it is. A command is never broken: it is to be copied.
const INDENT: &str = "             ";
const WIDTH: usize = 84;

/// How it is. The order is from well to ill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// As it should be.
    Good,
    /// It works, and could be safer; or it could not be told.
    Warning,
    /// A login fails by it, or somebody can get at what is secret.
    Bad,
}

impl Grade {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Grade::Good => "good",
            Grade::Warning => "warning",
            Grade::Bad => "bad",
        }
    }

    fn sign(self) -> char {
        match self {
            Grade::Good => '✓',
            Grade::Warning => '!',
            Grade::Bad => '✗',
        }
    }
}

/// What it is about, in the order in which it is told: first what a login needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Area {
    /// The configuration, and what it names.
    Setup,
    /// The way to the broker.
    Network,
    /// The engines.
    Browser,
    /// Who can read what.
    Files,
    /// The running `firstbell run`.
    Daemon,
    /// What the kernel holds in force for our processes.
    Posture,
    /// Everything else on this machine.
    Machine,
}

impl Area {
    /// As `--json` writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Area::Setup => "setup",
            Area::Network => "network",
            Area::Browser => "browser",
            Area::Files => "files",
            Area::Daemon => "daemon",
            Area::Posture => "posture",
            Area::Machine => "machine",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Area::Setup => "Configuration",
            Area::Network => "Network and clock",
            Area::Browser => "Login engines",
            Area::Files => "Files",
            Area::Daemon => "The daemon",
            Area::Posture => "In force for our processes",
            Area::Machine => "This machine",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub area: Area,
    /// Its name for programs; the same in every version.
    pub id: String,
    /// How it is.
    pub grade: Grade,
    /// What was found, as a sentence.
    pub what: String,
    /// The command that mends it, or what to do.
    pub mend: Option<String>,
}

impl Finding {
    /// As it should be.
    pub fn good(area: Area, id: &str, what: impl Into<String>) -> Finding {
        Finding { area, id: id.to_owned(), grade: Grade::Good, what: what.into(), mend: None }
    }

    /// It works, and could be safer.
    pub fn warning(area: Area, id: &str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        let mend = Some(mend.into());
        Finding { area, id: id.to_owned(), grade: Grade::Warning, what: what.into(), mend }
    }

    /// A login fails by it, or somebody can get at what is secret.
    pub fn bad(area: Area, id: &str, what: impl Into<String>, mend: impl Into<String>) -> Finding {
        Finding { grade: Grade::Bad, ..Finding::warning(area, id, what, mend) }
    }

    /// What cannot be seen is never good.
    pub fn unknown(area: Area, id: &str, subject: &str) -> Finding {
        let what = format!("could not be told: {subject}");
        Finding { area, id: id.to_owned(), grade: Grade::Warning, what, mend: None }
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// Everything that was found, in the order in which it is told.
#[derive(Debug)]
pub struct Report(Vec<Finding>);

impl Report {
    /// Sorts by area, and in each the worst first.
    pub fn of(mut findings: Vec<Finding>) -> Report {
        findings.sort_by_key(|finding| (finding.area, std::cmp::Reverse(finding.grade)));
        Report(findings)
    }

    /// How many are of a grade.
    pub fn count(&self, grade: Grade) -> usize {
        self.0.iter().filter(|finding| finding.grade == grade).count()
    }

    /// For people: readable without colour, and on a narrow terminal.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut area = None;
        for finding in &self.0 {
            if area.replace(finding.area) != Some(finding.area) {
                lines.extend((!lines.is_empty()).then(String::new));
                lines.push(finding.area.title().to_owned());
            }
            let mut what = wrapped(&finding.what).into_iter();
            let first = what.next().unwrap_or_default();
            lines.push(format!("  {} {:<8} {first}", finding.grade.sign(), finding.grade.as_str()));
            lines.extend(what.map(|line| format!("{INDENT}{line}")));
            lines.extend(finding.mend.iter().map(|mend| format!("{INDENT}→ {mend}")));
        }
        let [bad, warnings, good] = [Grade::Bad, Grade::Warning, Grade::Good].map(|grade| self.count(grade));
        lines.push(String::new());
        lines.push(match bad {
            0 => format!("nothing is bad; {warnings} to look at, {good} good"),
            _ => format!("{bad} bad, {warnings} to look at, {good} good; first of all:"),
        });
        // What is worst has gone off the top of the screen by now; one thing may mend several.
        let mut first: Vec<&String> = Vec::new();
        for mend in self.0.iter().filter(|f| f.grade == Grade::Bad).filter_map(|f| f.mend.as_ref()) {
            if !first.contains(&mend) {
                first.push(mend);
            }
        }
        lines.extend(first.into_iter().map(|mend| format!("  → {mend}")));
        lines
    }

    /// For machines.
    pub fn json(&self) -> Vec<Value> {
        let one = |finding: &Finding| {
            json!({ "area": finding.area.as_str(), "id": finding.id, "grade": finding.grade.as_str(),
                    "what": finding.what, "mend": finding.mend })
        };
        self.0.iter().map(one).collect()
    }
}
