//! One connection to the database, on a thread of its own: whoever asks need not be asynchronous, and waits seconds at most.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::super::sql::{Row, Value};
use super::fault::Fault;
use super::server::Server;
use crate::clock::MachineClock;
use crate::database::CONNECT;
use crate::ports::Clock;

/// The server ends a statement after five seconds; one that says nothing by then is not there.
const ANSWER: Duration = Duration::from_secs(6);
/// A server that could not be reached is not tried again for so long: many keepers ask in a row.
const DOWN_MS: u64 = 1000;

enum Ask {
    /// Begins a transaction; connects first where that is needed.
    Begin(&'static str),
    /// Something without values and answer.
    Plain(&'static str),
    Run(String, Vec<Value>),
    Rows(String, Vec<Value>),
}

enum Answer {
    Done(u64),
    Rows(Vec<Row>),
}

struct Job {
    ask: Ask,
    answer: SyncSender<Result<Answer, Fault>>,
}

/// A connection that is made anew where it broke, at the beginning of a transaction and never within one.
#[derive(Debug)]
pub(super) struct Link {
    jobs: UnboundedSender<Job>,
}

impl Link {
    pub(super) fn new(server: Arc<Server>) -> Result<Link, Fault> {
        let (jobs, asked) = unbounded_channel();
        let no_thread = |e: std::io::Error| Fault::Away(format!("no thread for it: {}", e.kind()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(no_thread)?;
        let work = move || runtime.block_on(Line::new(server).serve(asked));
        std::thread::Builder::new().name("database".into()).spawn(work).map_err(no_thread)?;
        Ok(Link { jobs })
    }

    pub(super) fn begin(&self, sql: &'static str) -> Result<(), Fault> {
        self.ask(Ask::Begin(sql)).map(drop)
    }

    pub(super) fn plain(&self, sql: &'static str) -> Result<(), Fault> {
        self.ask(Ask::Plain(sql)).map(drop)
    }

    pub(super) fn run(&self, sql: &str, values: &[Value]) -> Result<u64, Fault> {
        match self.ask(Ask::Run(places(sql), values.to_vec()))? {
            Answer::Done(count) => Ok(count),
            Answer::Rows(rows) => Ok(rows.len() as u64),
        }
    }

    pub(super) fn rows(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        match self.ask(Ask::Rows(places(sql), values.to_vec()))? {
            Answer::Rows(rows) => Ok(rows),
            Answer::Done(_) => Ok(Vec::new()),
        }
    }

    /// A whole transaction; where a part of it fails nothing of it is done.
    pub(super) fn whole<T>(
        &self,
        begin: &'static str,
        work: impl FnOnce(&Link) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.begin(begin)?;
        match work(self) {
            Ok(done) => self.plain("COMMIT").map(|()| done),
            Err(fault) => {
                let _over = self.plain("ROLLBACK");
                Err(fault)
            }
        }
    }

    fn ask(&self, ask: Ask) -> Result<Answer, Fault> {
        let (answer, answered) = sync_channel(1);
        let gone = || Fault::Away("its thread ended".into());
        self.jobs.send(Job { ask, answer }).map_err(|_| gone())?;
        // Every step of the thread has its time limit.
        answered.recv().unwrap_or_else(|_| Err(gone()))
    }
}

/// PostgreSQL writes the place of a value `$1`.
fn places(sql: &str) -> String {
    sql.replace('?', "$")
}

/// The thread's side.
struct Line {
    server: Arc<Server>,
    clock: MachineClock,
    open: Option<(Client, JoinHandle<()>)>,
    /// When it was last tried in vain, and why that was.
    down: Option<(u64, Fault)>,
}

impl Line {
    fn new(server: Arc<Server>) -> Line {
        Line { server, clock: MachineClock::start(), open: None, down: None }
    }

    async fn serve(mut self, mut asked: UnboundedReceiver<Job>) {
        while let Some(Job { ask, answer }) = asked.recv().await {
            let done = match ask {
                Ask::Begin(sql) => self.begin(sql).await,
                ask => self.timed(ask).await,
            };
            let _left = answer.send(done);
        }
        if let Some((client, wire)) = self.open.take() {
            drop(client);
            let _said_goodbye = timeout(Duration::from_millis(200), wire).await;
        }
    }

    /// A transaction that could not begin did nothing, and is begun again on a new connection.
    async fn begin(&mut self, sql: &'static str) -> Result<Answer, Fault> {
        if self.open.as_ref().is_some_and(|(client, _)| !client.is_closed())
            && let Ok(done) = self.timed(Ask::Plain(sql)).await
        {
            return Ok(done);
        }
        self.connect().await?;
        self.timed(Ask::Plain(sql)).await
    }

    async fn connect(&mut self) -> Result<(), Fault> {
        self.hang_up();
        let now = self.clock.run_ms();
        if let Some((at, fault)) = &self.down
            && now < at + DOWN_MS
        {
            return Err(fault.clone());
        }
        let fault = match self.server.config() {
            Err(failure) => Fault::Unusable(failure),
            Ok((config, tls)) => match timeout(CONNECT, config.connect(tls)).await {
                Ok(Ok((client, wire))) => {
                    // How it ends is seen by whoever asks next.
                    let wire = tokio::spawn(async move { drop(wire.await) });
                    (self.open, self.down) = (Some((client, wire)), None);
                    return Ok(());
                }
                Ok(Err(error)) => Fault::of(&error),
                Err(_) => Fault::Late,
            },
        };
        self.down = Some((self.clock.run_ms(), fault.clone()));
        Err(fault)
    }

    async fn timed(&mut self, ask: Ask) -> Result<Answer, Fault> {
        let Some((client, _)) = &self.open else { return Err(Fault::Away("the connection broke".into())) };
        let done = timeout(ANSWER, perform(client, ask)).await.unwrap_or(Err(Fault::Late));
        // A connection on which an answer is still to come must not be asked again.
        if matches!(done, Err(Fault::Away(_) | Fault::Late)) || client.is_closed() {
            self.hang_up();
        }
        done
    }

    fn hang_up(&mut self) {
        if let Some((_, wire)) = self.open.take() {
            wire.abort();
        }
    }
}

async fn perform(client: &Client, ask: Ask) -> Result<Answer, Fault> {
    let fault = |e: tokio_postgres::Error| Fault::of(&e);
    match ask {
        Ask::Begin(sql) | Ask::Plain(sql) => {
            client.batch_execute(sql).await.map(|()| Answer::Done(0)).map_err(fault)
        }
        Ask::Run(sql, values) => {
            let count = client.execute_typed(&sql, &typed(&values)).await.map_err(fault)?;
            Ok(Answer::Done(count))
        }
        Ask::Rows(sql, values) => {
            let rows = client.query_typed(&sql, &typed(&values)).await.map_err(fault)?;
            rows.iter().map(read).collect::<Result<_, _>>().map(Answer::Rows)
        }
    }
}

fn typed(values: &[Value]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    values.iter().map(one).collect()
}

fn one(value: &Value) -> (&(dyn ToSql + Sync), Type) {
    match value {
        Value::Nothing => (&None::<i64>, Type::INT8),
        Value::Number(number) => (number, Type::INT8),
        Value::Text(text) => (text, Type::TEXT),
        Value::Bytes(bytes) => (bytes, Type::BYTEA),
    }
}

fn read(row: &tokio_postgres::Row) -> Result<Row, Fault> {
    let one = |(place, column): (usize, &tokio_postgres::Column)| {
        let value = match column.type_() {
            kind if *kind == Type::INT8 => row.try_get::<_, Option<i64>>(place).map(|v| v.map(Value::Number)),
            kind if *kind == Type::BYTEA => {
                row.try_get::<_, Option<Vec<u8>>>(place).map(|v| v.map(Value::Bytes))
            }
            _ => row.try_get::<_, Option<String>>(place).map(|v| v.map(Value::Text)),
        };
        value.map(|value| value.unwrap_or(Value::Nothing)).map_err(|e| Fault::of(&e))
    };
    row.columns().iter().enumerate().map(one).collect::<Result<_, _>>().map(Row)
}
