//! The token in a Secret of a Kubernetes cluster: the one that firstbell runs in, or another
//! (<https://kubernetes.io/docs/reference/kubernetes-api/config-and-storage-resources/secret-v1/>).

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use firstbell_core::origin::Origin;
use firstbell_core::secret::Secret;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::kind::{Done, Fault, Held, Kind, REACH, Table, Tools};
use crate::censor;
use crate::ports::{Call, Delivery, Method, Received};
use crate::shape::{FIELDS, field};

pub(super) const KEYS: &[&str] = &["server", "token", "authority", "namespace", "secret"];

/// Where a pod finds what it is to the cluster.
const POD: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// A patch that leaves alone what it does not name (RFC 7396).
const MERGE: &str = "application/merge-patch+json";

#[derive(Debug)]
struct Kubernetes {
    /// Where the API is; none inside of a cluster.
    server: Option<Origin>,
    authority: Option<PathBuf>,
    namespace: Option<String>,
    secret: String,
    account: String,
}

/// One API, and who we are to it.
struct Api<'a> {
    tools: &'a Tools<'a>,
    server: Origin,
    authority: Option<PathBuf>,
    bearer: Secret,
    secrets: String,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    let server = table.section.parsed("server", |text| Origin::parse(text).map_err(|e| e.to_string()));
    if table.section.asked("server") {
        table.secret("token");
    } else {
        table.secret_if_written("token");
    }
    let authority = table.authority();
    let namespace = table.section.parsed("namespace", read_name);
    let secret = table.section.parsed("secret", read_name);
    let secret = secret.unwrap_or_else(|| "kite-token".into());
    if table.section.asked("server") && !table.section.asked("namespace") {
        table.section.fault("a server outside of this cluster needs a namespace");
    }
    let account = table.account.to_owned();
    Some(Box::new(Kubernetes { server, authority, namespace, secret, account }))
}

fn read_name(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    let fits = (1..=253).contains(&text.len()) && text.bytes().all(plain);
    match fits && edge(bytes.first()) && edge(bytes.last()) && !text.contains("..") {
        true => Ok(text.to_owned()),
        false => Err("must be a name of Kubernetes': a-z, 0-9, - and . , no sign at its ends".into()),
    }
}

/// A file that the cluster keeps in a pod; it is another one from hour to hour.
fn pod(name: &str) -> Result<Zeroizing<String>, Fault> {
    let read = std::fs::read_to_string(Path::new(POD).join(name)).map(Zeroizing::new);
    let text = read.map_err(|e| {
        let cure =
            "Run firstbell in a pod with a service account, or give the sink server, token and namespace.";
        Fault::new(format!("finds no {name} of a service account: {}", e.kind()), cure)
    })?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

impl Kubernetes {
    fn api<'a>(&'a self, tools: &'a Tools<'a>) -> Result<Api<'a>, Fault> {
        let server = match &self.server {
            Some(server) => server.clone(),
            None => inside()?,
        };
        let authority = match (&self.authority, &self.server) {
            (None, None) => Some(Path::new(POD).join("ca.crt")),
            (authority, _) => authority.clone(),
        };
        let bearer = match tools.key("token") {
            Some(token) => Secret::new(format!("Bearer {}", token.expose())),
            None => {
                let token = pod("token")?;
                // The last gate knows what comes out of a source of secrets by itself; this does not.
                censor::know(&Secret::new((*token).clone()));
                Secret::new(format!("Bearer {}", *token))
            }
        };
        let namespace = match &self.namespace {
            Some(namespace) => namespace.clone(),
            None => read_name(&pod("namespace")?).map_err(|why| Fault::new(why, REACH))?,
        };
        let secrets = format!("/api/v1/namespaces/{namespace}/secrets");
        Ok(Api { tools, server, authority, bearer, secrets })
    }

    /// The Secret with this data. Given a version, it is a patch that holds for that version only.
    fn body(&self, data: &Value, version: Option<&Value>) -> Secret {
        let labels = json!({ "app.kubernetes.io/managed-by": "firstbell" });
        let mut body = json!({ "metadata": { "name": self.secret, "labels": labels }, "data": data });
        match version {
            Some(version) => body["metadata"]["resourceVersion"] = version.clone(),
            None => {
                body["apiVersion"] = "v1".into();
                body["kind"] = "Secret".into();
                body["type"] = "Opaque".into();
            }
        }
        Secret::new(body.to_string())
    }

    async fn write(
        &self,
        api: &Api<'_>,
        found: Option<&Value>,
        data: &Value,
        query: &str,
    ) -> Result<(), Fault> {
        let version = found.map(|found| &found["metadata"]["resourceVersion"]);
        let body = self.body(data, version);
        let reply = match version {
            Some(_) => {
                api.send(Method::Patch, &format!("/{}{query}", self.secret), Some((MERGE, body))).await?
            }
            None => api.send(Method::Post, query, Some(("application/json", body))).await?,
        };
        match reply.status {
            200..=202 => Ok(()),
            409 => Err(Fault::new("was written by somebody else meanwhile (HTTP 409)", REACH)),
            _ => Err(self.refused(&reply)),
        }
    }

    async fn look(&self, api: &Api<'_>) -> Result<Option<Value>, Fault> {
        let reply = api.send(Method::Get, &format!("/{}", self.secret), None).await?;
        match reply.status {
            200 => {
                let strange =
                    || Fault::new("gave an answer that is none of Kubernetes'", "Look at the sink's server.");
                let found: Value = serde_json::from_slice(reply.body.expose()).map_err(|_| strange())?;
                if found["metadata"]["resourceVersion"].is_string() {
                    Ok(Some(found))
                } else {
                    Err(strange())
                }
            }
            404 => Ok(None),
            _ => Err(self.refused(&reply)),
        }
    }

    fn refused(&self, reply: &Received) -> Fault {
        let cure = match reply.status {
            401 => "It does not know us: look at the sink's token, or at the pod's service account.".to_owned(),
            403 => format!(
                "Let its service account get, create and patch secrets (patch and get by name: {}); or its quota is used up.",
                self.secret
            ),
            404 => "There is no such namespace.".to_owned(),
            422 => "It refuses the form: look at what the Secret is, and take it away where it is of another type.".to_owned(),
            _ => REACH.to_owned(),
        };
        Fault::new(format!("answered with HTTP {}", reply.status), cure)
    }
}

impl Api<'_> {
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&'static str, Secret)>,
    ) -> Result<Received, Fault> {
        let url = Secret::new(self.server.join(&format!("{}{path}", self.secrets)));
        let authorization = Some(self.bearer.clone());
        let headers = vec![("accept", "application/json")];
        let call = Call { method, authorization, headers, body, ..Call::get(url) };
        self.tools.send(call, self.authority.as_deref()).await
    }
}

/// The API server as a pod is told of it.
fn inside() -> Result<Origin, Fault> {
    let of = |name: &str| std::env::var(name).ok();
    let told = of("KUBERNETES_SERVICE_HOST").zip(of("KUBERNETES_SERVICE_PORT"));
    let origin = told.and_then(|(host, port)| {
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        Origin::parse(&format!("https://{host}:{port}")).ok()
    });
    let cure = "Run firstbell in a pod, or give the sink server, token and namespace.";
    origin.ok_or_else(|| Fault::new("is not told where its cluster is", cure))
}

impl Kind for Kubernetes {
    fn place(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{namespace}/{}", self.secret),
            None => self.secret.clone(),
        }
    }

    /// A write of which nothing stays: the server does all but that.
    fn check<'a>(&'a self, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let api = self.api(tools)?;
            let found = self.look(&api).await?;
            let data = json!({ "account": BASE64.encode(self.account.as_bytes()) });
            self.write(&api, found.as_ref(), &data, "?dryRun=All&fieldManager=firstbell").await
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let api = self.api(tools)?;
            let found = self.look(&api).await?;
            let ours: Value = FIELDS
                .into_iter()
                .map(|name| {
                    (name.to_owned(), BASE64.encode(field(name, delivery).expose().as_bytes()).into())
                })
                .collect::<serde_json::Map<_, _>>()
                .into();
            let there = found.as_ref().map(|found| &found["data"]);
            if there.is_some_and(|there| {
                FIELDS.iter().all(|name| there[name] == ours[name]) || is_newer(there, delivery)
            }) {
                return Ok(());
            }
            self.write(&api, found.as_ref(), &ours, "?fieldManager=firstbell").await
        })
    }
}

fn is_newer(there: &Value, delivery: &Delivery<'_>) -> bool {
    let text = |name: &str| {
        let bytes = BASE64.decode(there[name].as_str()?.as_bytes()).ok()?;
        String::from_utf8(bytes).ok()
    };
    let held = json!({ "generation": text("generation"), "issued": text("issued") });
    Held::of(&held).is_some_and(|held| held.is_newer(delivery.token))
}
