//! Leases between machines: a row with an end by the server's clock and an epoch that grows with each holder, renewed well before
//! its end. Who holds one is asked again in every transaction, so that a holder who slept through its end writes nothing more.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use data_encoding::HEXLOWER;
use firstbell_core::failure::{Failure, Part};
use tokio::sync::watch;

use super::super::folder::broken;
use super::super::kept::no_chance;
use super::super::sql::{Value, values};
use super::database::{Claim, Fences, WRITE};
use super::fault::Fault;
use super::link::Link;
use super::server::Server;

const TAKE: &str = "INSERT INTO lease VALUES (?1, 1, ?2, clock_timestamp() + ?3 * interval '1 ms')
    ON CONFLICT (name) DO UPDATE SET epoch = lease.epoch + 1, holder = excluded.holder,
        ends = clock_timestamp() + ?3 * interval '1 ms'
    WHERE lease.ends <= clock_timestamp() RETURNING epoch";
/// A lease that ran out and that nobody took was nobody else's in between.
const RENEW: &str = "UPDATE lease SET ends = clock_timestamp() + ?4 * interval '1 ms'
    WHERE name = ?1 AND epoch = ?2 AND holder = ?3";
const RELEASE: &str = "UPDATE lease SET ends = '-infinity' WHERE name = ?1 AND epoch = ?2 AND holder = ?3";
/// A renewal that failed is tried again after this.
const AGAIN: Duration = Duration::from_millis(500);
/// Whoever leaves waits so long for the server to know; after that the lease runs out by itself.
const GOODBYE: Duration = Duration::from_secs(1);

/// Somebody who wants a lease.
#[derive(Debug)]
pub(in super::super) struct Candidate {
    server: Arc<Server>,
    name: String,
    /// One connection for as long as it waits, and then for the lease.
    link: Option<Link>,
}

impl Candidate {
    pub(in super::super) fn new(server: &Arc<Server>, name: String) -> Candidate {
        Candidate { server: Arc::clone(server), name, link: None }
    }

    /// None where somebody else holds it.
    pub(in super::super) fn try_take(&mut self, fences: &Fences) -> Result<Option<Held>, Failure> {
        let link = match self.link.take() {
            Some(link) => link,
            None => Link::new(Arc::clone(&self.server)).map_err(Fault::failure)?,
        };
        let (ms, holder) = (i64::try_from(self.server.lease_ms).unwrap_or(i64::MAX), holder()?);
        let row = values![self.name.as_str(), holder.as_str(), ms];
        let taken = link.whole(WRITE, |link| link.rows(TAKE, row)).map_err(Fault::failure)?;
        let Some(row) = taken.first() else {
            self.link = Some(link);
            return Ok(None);
        };
        let claim = Claim { epoch: row.number(0)?, holder };
        Held::keep(Hold { link, name: self.name.clone(), claim, ms }, fences).map(Some)
    }
}

/// Who holds it, for whoever looks into the table; another one each time.
fn holder() -> Result<String, Failure> {
    let (host, mut bytes) =
        (std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default(), [0; 8]);
    getrandom::fill(&mut bytes).map_err(|e| no_chance(&e))?;
    Ok(format!("{} {} {}", host.trim(), std::process::id(), HEXLOWER.encode(&bytes)))
}

/// A lease that is held and renewed until this is dropped.
#[derive(Debug)]
pub(in super::super) struct Held {
    name: String,
    claim: Claim,
    fences: Fences,
    stop: Option<Sender<()>>,
    gone: Receiver<()>,
    lost: watch::Receiver<bool>,
}

struct Hold {
    link: Link,
    name: String,
    claim: Claim,
    ms: i64,
}

impl Held {
    fn keep(hold: Hold, fences: &Fences) -> Result<Held, Failure> {
        let (name, claim) = (hold.name.clone(), hold.claim.clone());
        let ((stop, stopped), (goes, gone), (loses, lost)) = (channel(), channel(), watch::channel(false));
        let work = move || {
            hold.renewed(&stopped, &loses);
            let _waits = goes.send(());
        };
        std::thread::Builder::new().name("lease".into()).spawn(work).map_err(|e| {
            broken(Part::Store, format!("no thread for the lease: {e}"), "Try again in a minute.")
        })?;
        fences.hold(&name, &claim);
        Ok(Held { name, claim, fences: fences.clone(), stop: Some(stop), gone, lost })
    }

    /// Ends when somebody else took it over.
    pub(in super::super) async fn lost(&self) {
        let mut lost = self.lost.clone();
        let _seen = lost.wait_for(|lost| *lost).await;
    }

    /// Has these fences know it too.
    pub(in super::super) fn fence(&self, fences: &Fences) {
        fences.hold(&self.name, &self.claim);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.fences.let_go(&self.name, &self.claim);
        self.stop.take();
        let _knows = self.gone.recv_timeout(GOODBYE);
    }
}

impl Hold {
    fn renewed(&self, stopped: &Receiver<()>, loses: &watch::Sender<bool>) {
        let often = Duration::from_millis(self.ms.unsigned_abs() / 6);
        let Claim { epoch, holder } = &self.claim;
        let mine: &[Value] = values![self.name.as_str(), *epoch, holder.as_str(), self.ms];
        let mut pause = often;
        while matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout)) {
            pause = match self.link.whole(WRITE, |link| link.run(RENEW, mine)) {
                Ok(1) => often,
                Ok(_) => {
                    let _hears = loses.send(true);
                    return;
                }
                Err(fault) => {
                    tracing::warn!(failure = %fault.failure(), "a lease could not be renewed");
                    AGAIN
                }
            };
        }
        let _left = self.link.whole(WRITE, |link| link.run(RELEASE, &mine[..3]));
    }
}
