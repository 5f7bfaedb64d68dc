//! Measures the pretended Kite from outside: calls and logins a second, ticks to many connections, and a year of mornings.
//! `cargo bench -p kitesim --bench kitesim` prints what it reaches; with `-- --write` it goes into bench/README.md too.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures the host's time")]

mod login;
mod report;
mod stage;
mod ticks;
mod wire;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use report::Measured;
use stage::Stage;
use wire::Wire;

const PROFILE_CONNECTIONS: usize = 32;
const LOGIN_CONNECTIONS: usize = 16;
const TICKERS: usize = 64;
const INSTRUMENTS: u32 = 3_000;
/// How long each of the first three is measured, after a warm-up of a fifth of that.
const STRETCH: Duration = Duration::from_secs(8);
const DAYS: i64 = 365;

/// What may go wrong: a sentence for whoever ran it.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let write = std::env::args().any(|argument| argument == "--write");
    match measure().await.and_then(|measured| report::tell(&measured, write)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nobody is left to hear that the complaint itself could not be written.
            let _unheard = report::say_to_stderr(&format!("bench/kitesim: {error}"));
            ExitCode::from(2)
        }
    }
}

async fn measure() -> Outcome<Measured> {
    let stage = Stage::set().await?;
    let token = login::whole(&mut stage.wire().await?, &stage).await?;
    let profile = stage.authorized("/user/profile", &token);
    let profiles = together(&stage, PROFILE_CONNECTIONS, move |mut wire, _stage| {
        let profile = profile.clone();
        async move {
            wire.ask(&profile).await?.expect_status(200)?;
            Ok(wire)
        }
    })
    .await?;
    let logins = together(&stage, LOGIN_CONNECTIONS, |mut wire, stage| async move {
        login::whole(&mut wire, &stage).await?;
        Ok(wire)
    })
    .await?;
    let token = login::whole(&mut stage.wire().await?, &stage).await?;
    let ticks = ticks::measure(&stage, &token, TICKERS, INSTRUMENTS).await?;
    let year = year(&stage).await?;
    Ok(Measured { profiles, logins, ticks, year, most_memory: stage.most_memory()? })
}

/// Does one thing again and again on many connections; gives how often a second.
async fn together<F, D>(stage: &Stage, connections: usize, once: D) -> Outcome<f64>
where
    D: Fn(Wire, Stage) -> F + Clone + 'static,
    F: Future<Output = Outcome<Wire>>,
{
    let start = Instant::now() + STRETCH / 5;
    let local = tokio::task::LocalSet::new();
    let mut tasks = Vec::new();
    for _connection in 0..connections {
        let (stage, once) = (stage.again(), once.clone());
        tasks.push(local.spawn_local(async move {
            let mut wire = stage.wire().await.map_err(|error| error.to_string())?;
            let mut count = 0_u64;
            while start + STRETCH > Instant::now() {
                let counts = Instant::now() >= start;
                wire = once(wire, stage.again()).await.map_err(|error| error.to_string())?;
                count += u64::from(counts);
            }
            Ok::<u64, String>(count)
        }));
    }
    let all = local.run_until(async move {
        let mut all = 0;
        for task in tasks {
            all += task.await??;
        }
        Outcome::Ok(all)
    });
    let all = all.await?;
    Ok(all as f64 / STRETCH.as_secs_f64())
}

/// A login every morning of a year, the clock jumping from each to the next.
async fn year(stage: &Stage) -> Outcome<Duration> {
    let start = Instant::now();
    let mut wire = stage.wire().await?;
    let mut levers = stage.levers().await?;
    for day in 0..DAYS {
        let moment = stage::morning(day);
        let order = format!("{{\"set\":\"{moment}\"}}");
        levers.ask(&stage.lever("/clock", &order)).await?.expect_status(200)?;
        let yesterday = login::whole(&mut wire, stage).await?;
        wire.ask(&stage.authorized("/user/profile", &yesterday)).await?.expect_status(200)?;
    }
    Ok(start.elapsed())
}
