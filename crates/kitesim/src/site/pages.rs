//! The pages of the website: the login page with its script, the dashboard, and the way to a reset.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{found, signed_in};
use crate::faults::{Deed, Mutation, Place, Strike};
use crate::fields::Query;
use crate::front::Origin;
use crate::habits::Habits;
use crate::html;
use crate::mishap;
use crate::world::World;

const TITLE: &str = "Kite - Zerodha's fast and elegant flagship trading platform";

/// One public script of 2023 presses the button at `//*[@id="app"]/div[6]/div/div/div[3]/div/div/div/button`.
const RISK: &str = "<div class=\"modal-mask\"><div class=\"modal-wrapper\"><div class=\"modal-container\">\
    <div class=\"modal-header\"><h2>Risk disclosures on derivatives</h2></div>\
    <div class=\"modal-body\">This disclosure is simulated.</div>\
    <div class=\"modal-footer\"><div><div><div><button type=\"button\" class=\"button-blue\">I understand</button>\
    </div></div></div></div></div></div></div>";
const RISK_SCRIPT: &str = "<script src=\"/static/dashboard.js\"></script>";
const KILLED: &str = "<div class=\"kill-switch\">Kill switch is on: segments of this simulated account are \
    deactivated for the day. Logins are not affected.</div>";

/// `/`, `/dashboard` and `/positions/`: the dashboard, or the login page for whoever is not logged in.
pub(super) async fn home(State(world): State<Arc<World>>, headers: HeaderMap) -> Response {
    if !signed_in(&world, &headers) {
        return login(&world).await;
    }
    let truth = world.lock();
    let user_id = html::escape(&truth.rules.account.user_id);
    let habits = &truth.rules.settings.habits;
    let killed = if habits.kill_switch { KILLED } else { "" };
    let (modal, script) = if habits.risk_modal { (RISK, RISK_SCRIPT) } else { ("", "") };
    let content = format!(
        "<div id=\"app\"><div class=\"navbar-links\"><a href=\"/dashboard\">Dashboard</a> \
         <span class=\"user-id\">{user_id}</span></div><div class=\"notices\">{killed}</div>\
         <div></div><div></div><div><p>There is nothing to trade here.</p></div>{modal}</div>{script}"
    );
    html::page(StatusCode::OK, "Dashboard / Kite", &content)
}

/// `/logout`: forgets the cookies and leads to the login page. Nobody's other sessions end.
pub(super) async fn logout(Extension(origin): Extension<Origin>) -> Response {
    let mut response = found(&format!("{}/", origin.0));
    for name in ["kf_session", "enctoken", "public_token", "user_id"] {
        if let Ok(line) = HeaderValue::from_str(&format!("{name}=; Path=/; Max-Age=0")) {
            response.headers_mut().append(header::SET_COOKIE, line);
        }
    }
    response
}

/// The login page.
pub(super) async fn login(world: &World) -> Response {
    mishap::under(world, Place::LoginPage, |strike| {
        let mut truth = world.lock();
        truth.seen.login_pages += 1;
        html::page(StatusCode::OK, TITLE, &mount(&truth.rules.settings.habits, strike))
    })
    .await
}

/// The mount is empty as on the real page: everything below it is the script's work. Nothing may stand before it,
/// for scripts count the children of the body.
fn mount(habits: &Habits, strike: &Strike) -> String {
    let mutation = strike.deeds().find_map(|deed| match deed {
        Deed::Mutated { how, seed, delay_ms } => Some((*how, *seed, *delay_ms)),
        _ => None,
    });
    let half = if mutation.is_some_and(|(how, ..)| how == Mutation::HalfLoaded) { "?half=1" } else { "" };
    let mutation = mutation.map_or_else(String::new, |(how, seed, delay_ms)| {
        let name = how.name();
        format!(" data-mutation=\"{name}\" data-seed=\"{seed}\" data-delay=\"{delay_ms}\"")
    });
    let captcha = if habits.captcha { " data-captcha=\"1\"" } else { "" };
    format!(
        "<div id=\"app\"></div>\n<link rel=\"stylesheet\" href=\"/static/login.css\">\n\
         <script src=\"/static/login.js{half}\" data-page=\"{}\"{captcha}{mutation}></script>",
        habits.page.name()
    )
}

/// `/forgot`: a simulation has no mail to send.
pub(super) async fn forgot() -> Response {
    let content = "<h2>Forgot user ID or password?</h2>\
        <p>A simulated account is unblocked by the inspection call <code>POST /reset</code>.</p>";
    html::page(StatusCode::OK, "Forgot / Kite", content)
}

/// The script of the login page, or its first half.
pub(super) async fn script(Query(query): Query) -> Response {
    let mut script = include_str!("login.js");
    if query.first("half").is_some() {
        script = script.split_at_checked(script.len() / 2).map_or(script, |(first, _)| first);
    }
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], script).into_response()
}

/// The script of the dashboard: it takes the risk disclosure away.
pub(super) async fn dashboard_script() -> Response {
    let script = "document.querySelector('.modal-footer button').addEventListener('click', () => {\n  \
        document.querySelector('.modal-mask').remove();\n});\n";
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], script).into_response()
}

/// The looks of the login page.
pub(super) async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("login.css")).into_response()
}
