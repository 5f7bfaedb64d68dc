//! Tells a person what is due to be told, through the account's channels, until one of them took it.

use firstbell_core::event::Event;
use firstbell_core::failure::Failure;
use firstbell_core::incident::Severity;
use firstbell_core::notice::Notice;
use jiff::SignedDuration;

use crate::hands::Hands;
use crate::keeper::Face;
use crate::ports::{Channel, Message};

/// After a round in which no channel took a message, the next one begins this much later.
const AGAIN: SignedDuration = SignedDuration::from_secs(20);

/// A channel, and the least severity that it is used for.
pub struct Route {
    /// Less grave messages do not go here.
    pub least: Severity,
    /// Where to.
    pub channel: Box<dyn Channel>,
}

/// Hears what was told, and what could not be.
pub trait Witness {
    /// A channel took it; none where there are no channels and the log is all there is.
    fn told(&self, notice: &Notice, channel: Option<&str>);
    /// A channel did not take it.
    fn deaf(&self, channel: &str, why: &str);
}

/// Cries until the word comes. What was not told when the process ends is due again when it begins: what was told is an
/// event.
pub async fn cry(hands: Hands<'_>, face: &Face, routes: &[Route], witness: &dyn Witness) {
    loop {
        let due = face.shown().and_then(|shown| shown.notice);
        let wait = match due {
            Some(notice) => match tell(&hands, &notice, routes, witness).await {
                Ok(true) => {
                    face.nudge();
                    None
                }
                Ok(false) | Err(_) => Some(hands.clock.now() + AGAIN),
            },
            None => None,
        };
        let again = async {
            match wait {
                Some(at) => hands.clock.until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = hands.halt.asked() => return,
            () = face.changed() => {}
            () = again => {}
        }
    }
}

/// One round: every channel that the severity is for. One that takes it is enough; the others are asked all the same.
async fn tell(
    hands: &Hands<'_>,
    notice: &Notice,
    routes: &[Route],
    witness: &dyn Witness,
) -> Result<bool, Failure> {
    let message = Message {
        severity: notice.severity,
        title: notice.title.clone(),
        body: notice.body.clone(),
        incident: format!("{}/{}", hands.account.name, notice.incident.as_str()),
        over: notice.over,
    };
    // Who heard of trouble hears that it is over.
    let wanted = |route: &&Route| notice.over || notice.severity >= route.least;
    let mut taken = routes.is_empty();
    if routes.is_empty() {
        witness.told(notice, None);
    }
    let sends = routes.iter().filter(wanted).map(|route| async {
        let outcome = hands.halt.or(route.channel.send(&message)).await;
        (route.channel.name(), outcome)
    });
    for (name, outcome) in futures_util::future::join_all(sends).await {
        match outcome {
            Some(Ok(_receipt)) => {
                taken = true;
                witness.told(notice, Some(name));
            }
            Some(Err(fault)) => witness.deaf(name, &format!("{}. {}", fault.why, fault.cure)),
            None => {}
        }
    }
    let heard_by_nobody = !routes.iter().any(|route| wanted(&route));
    if taken || heard_by_nobody {
        let Notice { incident, severity, over, .. } = notice;
        let told = Event::Told { incident: *incident, severity: *severity, over: *over };
        hands.attest()?.note(told)?;
    }
    Ok(taken || heard_by_nobody)
}
