//! What others see of a keeper, and how they wake it.

use std::cell::RefCell;
use std::sync::Arc;

use firstbell_core::decide::Decision;
use firstbell_core::notice::{Notice, Told};
use firstbell_core::outbox::Key;
use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::Notify;

use crate::board::Row;

/// What others see of a keeper, and how they wake it.
#[derive(Debug)]
pub struct Face {
    /// What programs are given of it.
    pub row: Arc<Row>,
    pub(super) nudged: Notify,
    pub(super) looked: Notify,
    pub(super) shown: RefCell<Option<Shown>>,
}

/// How an account stood at the last look.
#[derive(Clone, Debug)]
pub struct Shown {
    /// When that was.
    pub at: Timestamp,
    /// What is next.
    pub decision: Decision,
    /// Whether the token was handed out then.
    pub served: bool,
    /// What a person must hear and was not told yet.
    pub notice: Option<Notice>,
    /// What was said to him and still holds.
    pub open: Option<Notice>,
    /// What he was told last, and by which channels.
    pub told: Option<Told>,
    /// As `firstbell status` shows it.
    pub words: Value,
}

impl Face {
    /// Of a keeper that has not looked yet.
    pub fn of(row: Arc<Row>) -> Face {
        Face { row, nudged: Notify::new(), looked: Notify::new(), shown: RefCell::default() }
    }

    /// Has the keeper look at once.
    pub fn nudge(&self) {
        self.nudged.notify_one();
    }

    /// What was due to be told was told.
    pub fn told(&self, key: Key) {
        let is_it = |notice: &Notice| (notice.incident, notice.severity, notice.over) == key;
        if let Some(shown) = self.shown.borrow_mut().as_mut()
            && shown.notice.as_ref().is_some_and(is_it)
        {
            // Until the next look it still holds: who was not told yet hears of it.
            let told = shown.notice.take().filter(|notice| !notice.over && !notice.incident.is_aside());
            shown.open = told.or_else(|| shown.open.take());
        }
        self.nudge();
    }

    /// Ends at the next look.
    pub async fn changed(&self) {
        self.looked.notified().await;
    }

    /// The last look.
    pub fn shown(&self) -> Option<Shown> {
        self.shown.borrow().clone()
    }
}
