//! The engines of the ladder: whether each is there, which it is, and whether it starts with its sandbox in force.

use std::path::Path;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::doors::plain;
use super::finding::{Area, Finding, Grade};
use crate::drivers::{DriverConfig, DriverName, Fence};
use crate::program::{Around, Feed, Program};

const AREA: Area = Area::Browser;
/// A login waits longer; whoever waits for a doctor does not.
const START: Duration = Duration::from_secs(8);
const VERSION: Duration = Duration::from_secs(4);

/// Every engine of the ladder, each tried as a login would start it. Nothing is opened in it.
pub(super) async fn examine(drivers: &DriverConfig, plan: &Plan) -> Vec<Finding> {
    let mut findings = join_all(drivers.ladder.iter().map(|name| one(drivers, *name, plan))).await;
    // The ladder goes on where an engine is missing: as long as one stands, that is not the end.
    if findings.iter().any(|finding| finding.grade == Grade::Good) {
        for finding in findings.iter_mut().filter(|finding| finding.grade == Grade::Bad) {
            finding.grade = Grade::Warning;
            finding.what.push_str("; the ladder has another engine");
        }
    }
    findings
}

async fn one(drivers: &DriverConfig, name: DriverName, plan: &Plan) -> Finding {
    let id = format!("engine_{}", name.as_str());
    let called = name.as_str();
    let program = match drivers.program(name) {
        None if name == DriverName::Http => {
            return Finding::good(AREA, &id, "http: needs no browser");
        }
        None => return Finding::unknown(AREA, &id, "how somebody else's WebDriver server is kept"),
        Some(Err(failure)) => return ill(&id, called, &failure),
        Some(Ok(program)) => program,
    };
    let (version, tried) = tokio::join!(version(&program), timeout(START, drivers.try_out(name, plan)));
    match tried {
        Ok(Ok(fence)) => {
            let version = version.unwrap_or_else(|| "its version is not known".into());
            well(&id, &format!("{called}: starts, and its sandbox is in force ({version})"), fence)
        }
        Ok(Err(failure)) => ill(&id, called, &failure),
        Err(_) => Finding::warning(
            AREA,
            &id,
            format!("{called}: does not start within {} s", START.as_secs()),
            "see what takes this machine's time: top; then run firstbell doctor again",
        ),
    }
}

/// It stands; how much of the machine it could reach if it were taken over is said beside it.
fn well(id: &str, what: &str, fence: Fence) -> Finding {
    match fence {
        Fence::Whole => {
            Finding::good(AREA, id, format!("{what}; the kernel keeps it from your files (Landlock, tried)"))
        }
        Fence::Files => Finding::good(
            AREA,
            id,
            format!(
                "{what}; the kernel keeps it from your files (Landlock, tried), in part: all of it needs Linux 6.10"
            ),
        ),
        Fence::None => Finding::warning(
            AREA,
            id,
            format!(
                "{what}; but this kernel has no Landlock, so a browser that was taken over could read what its user can"
            ),
            "add landlock to the kernel's list of security modules (lsm=landlock,… on its command line), or let a user of its \
             own run the browser: the Debian package does, with firstbell-browser.socket",
        ),
    }
}

fn ill(id: &str, called: &str, failure: &Failure) -> Finding {
    Finding::bad(AREA, id, format!("{called}: {failure}"), failure.cure())
}

/// What a program calls itself; a stranger's word, so only so much of it.
async fn version(program: &Path) -> Option<String> {
    let words = [program.to_str()?.to_owned(), "--version".to_owned()];
    let (feed, around) = (Feed::Stdin, Around::Session);
    let program = Program { words: &words, input: b"", feed, around, time: VERSION, output_max: 512 };
    let said = program.run().await.ok()?;
    let line = String::from_utf8_lossy(&said).lines().next().map(plain)?;
    let line = line.trim().to_owned();
    (!line.is_empty()).then_some(line)
}
