//! The script that watches a page from a world of its own, for every engine that is a browser.

use firstbell_core::plan::{Plan, Target};
use serde::Serialize;

#[derive(Serialize)]
struct Watched<'a> {
    id: &'a str,
    find: &'a [Target],
}

/// The script, with the plan's marks in it and the name of the function through which it tells. In the page's world of ours
/// it leaves `firstbell.focus(mark)`, `firstbell.state(mark)` and `firstbell.typed(mark, …)`.
pub(super) fn script(plan: &Plan, tell: &str) -> String {
    let marks: Vec<_> = plan.marks.iter().map(|mark| Watched { id: &mark.id, find: &mark.find }).collect();
    let marks = serde_json::to_string(&marks).expect("texts can be written as JSON");
    include_str!("observer.js").replace("__MARKS__", &marks).replace("__TELL__", tell)
}

/// An expression that tells what the page is made of.
pub(super) const WITNESS: &str = include_str!("witness.js");

/// A function that takes from a page what outlives it, loads without it, or speaks past its requests: workers of all kinds,
/// sockets, calls to other browsers. Browsers open those by ways of their own, which no engine lets us watch, and an address can
/// carry what was typed.
pub(super) const TAKEN_AWAY: &str = "() => {
  const none = (place, name) => {
    if (place) Object.defineProperty(place, name, { value: undefined, writable: false, configurable: false });
  };
  for (const name of ['Worker', 'SharedWorker', 'WebSocket', 'WebSocketStream', 'WebTransport', 'RTCPeerConnection',
    'webkitRTCPeerConnection', 'mozRTCPeerConnection', 'fetchLater']) none(globalThis, name);
  none(globalThis.Navigator?.prototype, 'serviceWorker');
  for (const name of ['register', 'getRegistration']) none(globalThis.ServiceWorkerContainer?.prototype, name);
}";
