//! The engines of the ladder: whether each is there, which it is, and whether it starts with its sandbox in force.

use std::path::Path;
use std::time::Duration;

use firstbell_core::failure::Failure;
use firstbell_core::plan::Plan;
use futures_util::future::join_all;
use tokio::time::timeout;

use super::doors::plain;
use super::finding::{Area, Finding, Grade};
use crate::drivers::{Bounds, DriverConfig, DriverName, Fence, Filter};
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
        Ok(Ok(bounds)) => {
            let version = version.unwrap_or_else(|| "its version is not known".into());
            well(&id, &format!("{called}: starts, and its sandbox is in force ({version})"), bounds)
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

/// It stands; what the kernel keeps from it if it were taken over is said beside it.
fn well(id: &str, what: &str, bounds: Bounds) -> Finding {
    let (files, mend_files) = match bounds.fence {
        Fence::Whole => ("the kernel keeps it from your files (Landlock, tried)", None),
        Fence::Files => (
            "the kernel keeps it from your files (Landlock, tried), in part: all of it needs Linux 6.10",
            None,
        ),
        Fence::None => (
            "but this kernel has no Landlock, so a browser that was taken over could read what its user can",
            Some(
                "add landlock to the kernel's list of security modules (lsm=landlock,… on its command line), or let a user of \
                 its own run the browser: the Debian package does, with firstbell-browser.socket",
            ),
        ),
    };
    let (calls, mend_calls) = match bounds.filter {
        Filter::InForce => {
            ("the calls that attack the kernel and other programs are refused to it (seccomp, tried)", None)
        }
        Filter::None => (
            "but nothing but its own sandbox refuses it system calls: there is no seccomp for firstbell here",
            Some(
                "see that the kernel is Linux 5.9 or later with seccomp, and that a container around firstbell allows it",
            ),
        ),
    };
    let what = format!("{what}; {files}; {calls}");
    match [mend_files, mend_calls].into_iter().flatten().collect::<Vec<_>>().as_slice() {
        [] => Finding::good(AREA, id, what),
        mends => Finding::warning(AREA, id, what, mends.join("; ")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_does_not_hold_is_a_warning_and_each_is_mended() {
        let said = |fence, filter| well("engine_chrome", "chrome: starts", Bounds { fence, filter });
        let whole = said(Fence::Whole, Filter::InForce);
        assert_eq!((whole.grade, whole.mend), (Grade::Good, None));
        assert!(whole.what.contains("(Landlock, tried)") && whole.what.contains("(seccomp, tried)"));
        for (fence, filter, mends) in [
            (Fence::Files, Filter::None, vec!["Linux 5.9"]),
            (Fence::None, Filter::InForce, vec!["lsm=landlock"]),
            (Fence::None, Filter::None, vec!["lsm=landlock", "Linux 5.9"]),
        ] {
            let told = said(fence, filter);
            assert_eq!(told.grade, Grade::Warning, "{}", told.what);
            let mend = told.mend.unwrap();
            assert!(mends.iter().all(|part| mend.contains(part)), "{mend}");
        }
    }
}
