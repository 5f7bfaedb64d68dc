//! Behind TLS, gives each pretended host its own routes.

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;

use crate::envelope::{self, Kind};
use crate::front::Origin;
use crate::names::{Asked, ENTRY, SITE};

/// The site's routes, the API's, and both together for what the site itself serves of the API.
pub(crate) fn split(site: Router, api: Router, both: Router) -> Router {
    let (site, api, both) =
        (TowerToHyperService::new(site), TowerToHyperService::new(api), TowerToHyperService::new(both));
    Router::new().fallback(
        move |Extension(asked): Extension<Asked>, Extension(origin): Extension<Origin>, request: Request| {
            let (site, api, both) = (site.clone(), api.clone(), both.clone());
            async move {
                let response = match asked.0.as_str() {
                    ENTRY => return entry(&origin, &request),
                    SITE if request.uri().path().starts_with("/oms/") => both.call(request).await,
                    SITE => site.call(request).await,
                    _ => api.call(request).await,
                };
                let Ok(response) = response;
                response
            }
        },
    )
}

/// `kite.trade/connect/login`, by GET or POST, leads to the site with the same query (public scripts, 2018 to 2026).
fn entry(origin: &Origin, request: &Request) -> Response {
    if request.uri().path() != "/connect/login" {
        return envelope::refusal_with(StatusCode::NOT_FOUND, Kind::General, "Route not found");
    }
    let target = request.uri().path_and_query().map_or("/connect/login", |target| target.as_str());
    let site = origin.0.replacen(ENTRY, SITE, 1);
    (StatusCode::FOUND, [(header::LOCATION, format!("{site}{target}"))]).into_response()
}
