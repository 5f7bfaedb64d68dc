//! `firstbell plan`: the login plan shown, checked, and tried on a saved page or on the simulator. Nothing is ever typed
//! into a saved page.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use firstbell_core::broker::{App, Broker};
use firstbell_core::brokers::kite::Kite;
use firstbell_core::failure::Failure;
use firstbell_core::origin::Origin;
use firstbell_core::plan::Plan;
use firstbell_core::sight::{Action, Rest, Seen};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::demo::{self, Rehearsal, broken};
use super::exit::Exit;
use super::say::{self, Ticks};
use super::signals::interruptible;
use crate::clock::MachineClock;
use crate::drivers::{DriverConfig, DriverName};
use crate::halt::Halt;
use crate::http::HyperHttp;
use crate::planfile;
use crate::ports::{Engines, Reach};

/// A page that is looked at has gone quiet within this.
const LOOK_MS: u64 = 20_000;
/// The login pages that Kite has had since 2018, by the simulator's names, and what each must come to.
const GENERATIONS: [(&str, &str); 4] =
    [("A", "other-factor"), ("B", "other-factor"), ("C", "token"), ("D", "token")];

#[derive(Debug, Subcommand)]
pub(super) enum PlanCommand {
    /// Print the compiled-in plan: a copy of it is the beginning of your own.
    Show,
    /// Check a plan, and try it.
    Check(PlanCheckArgs),
}

#[derive(Debug, Args)]
pub(super) struct PlanCheckArgs {
    /// The plan.
    file: PathBuf,
    /// Look at this saved page with it, and say what would be typed where. Nothing is typed.
    #[arg(long, value_name = "HTML")]
    page: Option<PathBuf>,
    /// Log in with it at every login page of kitesim.
    #[arg(long)]
    sim: bool,
    /// The browser to look with.
    #[arg(long, value_parser = DriverName::parse, default_value = "chrome")]
    driver: DriverName,
    /// Want a signature by this minisign key in FILE.minisig.
    #[arg(long, value_name = "RW…")]
    key: Option<String>,
}

pub(super) async fn run(command: PlanCommand) -> Exit {
    match command {
        PlanCommand::Show => {
            say::out(Kite::plan_text().trim_end());
            Exit::done(json!({ "version": firstbell_core::plan::VERSION }))
        }
        PlanCommand::Check(args) => check(args).await,
    }
}

async fn check(args: PlanCheckArgs) -> Exit {
    let key = match args.key.as_deref().map(planfile::read_key).transpose() {
        Ok(key) => key,
        Err(why) => return Exit::usage(&format!("--key {why}")),
    };
    let (plan, text) = match planfile::read(&args.file, key.as_ref()) {
        Ok(read) => read,
        Err(lines) => return Exit::faults("the login plan cannot be used", &lines),
    };
    say::error(&format!("{} is sound: {} marks, {} pages", plan.name, plan.marks.len(), plan.pages.len()));
    let mut drivers = DriverConfig::only(args.driver);
    drivers.chrome.binary = std::env::var_os("FIRSTBELL_BROWSER").map(Into::into);
    let (halt, mut report) = (Halt::new(), json!({ "plan": plan.name }));
    if let Some(page) = &args.page {
        let look = halt.or(look(&drivers, &text, page));
        match interruptible(&halt, async { look.await.unwrap_or(Err(Failure::Interrupted)) }).await {
            Ok(sight) => {
                report["page"] = sight["page"].clone();
                report["marks"] = sight["marks"].clone();
                if let Some(why) = sight["refused"].as_str() {
                    return Exit::refused_page(why).with(report);
                }
            }
            Err(failure) => return Exit::failed(&failure),
        }
    }
    if args.sim {
        match interruptible(&halt, rehearse(&drivers, &text, &halt)).await {
            Ok(pages) => report["sim"] = pages,
            Err(failure) => return Exit::failed(&failure),
        }
    }
    Exit::done(report)
}

/// Looks at a saved page as if it stood at the broker's address, and says what the plan makes of it.
async fn look(drivers: &DriverConfig, text: &str, file: &Path) -> Result<Value, Failure> {
    let page = std::fs::read(file).map_err(|e| cannot(&format!("{} cannot be read: {e}", file.display())))?;
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|e| cannot(&format!("no port: {e}")))?;
    let address = listener.local_addr().map_err(|e| cannot(&format!("no port: {e}")))?;
    let site = Origin::parse(&format!("http://{address}")).expect("a loopback address is an origin");
    let kite = Kite::rehearsal(site.clone(), site.clone()).expect("it is on loopback");
    let kite = kite.with_plan(text).expect("checked above");
    tokio::select! {
        // Only ends when its caller does.
        () = serve(listener, &page) => Err(cannot("the page could not be served")),
        counts = counts(drivers, &kite, site.join("/connect/login?v=3")) => Ok(tell(kite.plan(), &counts?)),
    }
}

async fn counts(drivers: &DriverConfig, kite: &Kite, url: String) -> Result<Vec<u32>, Failure> {
    let redirect = "https://firstbell.invalid/".parse().expect("it is an address");
    let app = App { api_key: "plan".into(), user_id: "PLAN".into(), redirect };
    let (http, clock) = (HyperHttp::unconnected(), MachineClock::start());
    let reach = Reach { http: &http, clock: &clock };
    let mut driver = drivers.open(drivers.names()[0], kite.plan(), &app, reach).await?;
    let (mut action, mut last) = (Action::Open { url, wait_ms: LOOK_MS }, Err(cannot("the page never came")));
    loop {
        match driver.perform(action).await? {
            Seen::Page(sight) => {
                last = Ok(sight.counts);
                if sight.rest != Rest::Loading {
                    break;
                }
            }
            _ => break,
        }
        action = Action::Look { wait_ms: LOOK_MS };
    }
    driver.close().await?;
    last
}

/// Says which marks are there, which page that makes, and what would be typed where; and why nothing would.
fn tell(plan: &Plan, counts: &[u32]) -> Value {
    let there = plan.marks.iter().zip(counts).filter(|(_, n)| **n > 0);
    let marks: Vec<Value> = there.map(|(mark, n)| json!({ "mark": mark.id, "times": n })).collect();
    for mark in &marks {
        say::error(&format!("  {:<18} ×{}", mark["mark"].as_str().unwrap_or_default(), mark["times"]));
    }
    let Some(page) = plan.recognise(counts) else {
        let why =
            "no page of the plan has and lacks these marks, or more than one does: nothing would be typed";
        return json!({ "marks": marks, "page": null, "refused": why });
    };
    say::error(&format!("  this is the page {:?}", page.kind));
    let mut refused = Value::Null;
    for field in page.entry.iter().flat_map(|entry| &entry.fields) {
        let (id, n) = (&plan.marks[field.mark].id, counts.get(field.mark).copied().unwrap_or(0));
        if n == 1 {
            say::error(&format!("  {:?} would be typed into the one {id}", field.role));
        } else {
            let why = format!(
                "{id} is there {n} times, so that {:?} could go into a wrong field: nothing would be typed",
                field.role
            );
            refused = Value::from(why);
        }
    }
    json!({ "marks": marks, "page": format!("{:?}", page.kind), "refused": refused })
}

/// Gives the page to every request for one, until it is dropped.
async fn serve(listener: TcpListener, page: &[u8]) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = [0; 8192];
        let read = stream.read(&mut head).await.unwrap_or(0);
        let wanted = head[..read].starts_with(b"GET /connect/login");
        let (status, body) = if wanted { ("200 OK", page) } else { ("404 Not Found", &b""[..]) };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        // A browser that is gone is no matter of ours.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body).await;
    }
}

/// A whole morning at each login page that Kite has had.
async fn rehearse(drivers: &DriverConfig, text: &str, halt: &Halt) -> Result<Value, Failure> {
    let mut pages = Vec::new();
    for (generation, want) in GENERATIONS {
        let ticks = Ticks::start();
        let arguments = ["--page", generation];
        let rehearsal = Rehearsal { drivers, plan: Some(text), arguments: &arguments, halt };
        let outcome = demo::rehearse(rehearsal, &ticks).await;
        ticks.end(outcome.is_ok());
        let came = outcome.as_ref().err().map_or("token", Failure::code);
        say::error(&format!("  page {generation}: {came}"));
        pages.push(json!({ "page": generation, "came": came }));
        if came != want {
            return Err(outcome.err().unwrap_or_else(|| {
                cannot(&format!("page {generation} gave a token where no TOTP is asked for"))
            }));
        }
    }
    Ok(Value::Array(pages))
}

fn cannot(why: &str) -> Failure {
    broken(why.to_owned())
}
