//! Replay: every API call is answered with a sample, to anybody and without any state, as client suites expect.

use std::sync::Arc;
use std::sync::OnceLock;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use serde_json::Value;

use super::quotes::table;
use crate::envelope;
use crate::world::World;

/// The replies in the shapes that the suites of the official clients look at; made by this program, and completed by
/// the few values that those suites compare.
const SAMPLES: &str = include_str!("samples.json");

/// Answers in the API's stead while the setting says so.
pub(super) async fn stand_in(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let replay = world.lock().rules.settings.replay;
    let sample = replay.then(|| sample(request.method(), request.uri().path())).flatten();
    match sample {
        Some(Value::String(text)) => table(text.clone()),
        Some(data) => envelope::success(data.clone()),
        None => next.run(request).await,
    }
}

/// The sample of the first pattern that fits; a `*` in it stands for one part of the path.
fn sample(method: &Method, path: &str) -> Option<&'static Value> {
    let samples = samples().iter();
    let fits = |pattern: &str| {
        let (own, pattern) = pattern.split_once(' ')?;
        let same = pattern.split('/').count() == path.split('/').count();
        let mut parts = pattern.split('/').zip(path.split('/'));
        (own == method.as_str() && same && parts.all(|(own, sent)| own == "*" || own == sent)).then_some(())
    };
    samples.filter_map(Value::as_array).find_map(|pair| match pair.as_slice() {
        [Value::String(pattern), data] => fits(pattern).map(|()| data),
        _ => None,
    })
}

fn samples() -> &'static [Value] {
    static READ: OnceLock<Vec<Value>> = OnceLock::new();
    READ.get_or_init(|| serde_json::from_str(SAMPLES).expect("the samples are a list of pairs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_part_goes_before_any() {
        let of = |method: Method, path: &str| sample(&method, path);
        assert!(of(Method::GET, "/user/margins/test").is_some_and(|data| data["net"].is_number()));
        assert!(of(Method::GET, "/instruments/historical/456/myinterval").is_some());
        assert!(of(Method::GET, "/portfolio/holdings/summary").is_some_and(Value::is_object));
        assert!(of(Method::GET, "/nowhere").is_none());
        assert!(of(Method::POST, "/user/profile").is_none());
    }
}
