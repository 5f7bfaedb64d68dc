//! The token in a row of a PostgreSQL table, and a notification to whoever listens, in one transaction.

use std::path::PathBuf;

use firstbell_core::failure::Part;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::kind::{Done, Fault, Kind, REACH, Table, Tools};
use crate::database::{self, Address, Whose};
use crate::ports::Delivery;
use crate::shape::{FIELDS, field};

pub(super) const KEYS: &[&str] = &["url", "authority", "table", "create", "channel"];

/// A row that holds a newer token by count and moment stays; one that holds this one already is not touched, and nobody told.
const RULE: &str = "WHERE NOT (held.generation > excluded.generation AND held.issued >= excluded.issued) \
    AND (held.access_token, held.generation, held.api_key) \
        IS DISTINCT FROM (excluded.access_token, excluded.generation, excluded.api_key)";

#[derive(Debug)]
struct Postgres {
    authority: Option<PathBuf>,
    table: String,
    create: bool,
    channel: String,
    account: String,
}

pub(super) fn read(table: &mut Table<'_, '_>) -> Option<Box<dyn Kind>> {
    table.secret("url");
    let authority = table.authority();
    let name = table.section.parsed("table", read_table).unwrap_or_else(|| "firstbell_token".into());
    let create = table.section.flag("create").unwrap_or(true);
    let channel = table.section.parsed("channel", read_word).unwrap_or_else(|| "firstbell".into());
    let account = table.account.to_owned();
    Some(Box::new(Postgres { authority, table: name, create, channel, account }))
}

/// A name that needs no quotes, perhaps behind a schema's.
fn read_table(text: &str) -> Result<String, String> {
    match text.split('.').collect::<Vec<_>>().as_slice() {
        [table] | [_, table] if !table.is_empty() => {
            text.split('.').try_for_each(|part| read_word(part).map(drop))?
        }
        _ => {
            return Err(
                "must be a table's name, such as \"firstbell_token\" or \"trading.kite_token\"".into()
            );
        }
    }
    Ok(text.to_owned())
}

fn read_word(text: &str) -> Result<String, String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    let fits =
        (1..=60).contains(&text.len()) && text.bytes().all(plain) && !text.as_bytes()[0].is_ascii_digit();
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be 1 to 60 of a-z, 0-9 and _, not a digit first".into())
    }
}

impl Postgres {
    async fn client(&self, tools: &Tools<'_>) -> Result<Client, Fault> {
        let whose = Whose { name: "the sink's database", table: "the sink", part: Part::Sink };
        let url = tools.key("url").expect("required when it was read");
        let (config, tls) = Address { url, authority: self.authority.as_deref(), whose }.config()?;
        let connected = tokio::time::timeout(database::CONNECT, config.connect(tls)).await;
        let connected = connected.map_err(|_| Fault::new("does not answer", REACH))?;
        let (client, wire) = connected.map_err(|e| fault(&e))?;
        // It ends when the client is dropped.
        tokio::spawn(async move { drop(wire.await) });
        Ok(client)
    }

    /// Makes the table where it may, in the same transaction as what follows.
    async fn begin(&self, client: &Client) -> Result<(), Fault> {
        let table = &self.table;
        let create = format!(
            "CREATE TABLE IF NOT EXISTS {table} (account TEXT PRIMARY KEY, user_id TEXT NOT NULL, api_key TEXT NOT NULL, \
             access_token TEXT NOT NULL, generation BIGINT NOT NULL, issued TIMESTAMPTZ NOT NULL, \
             trusted_until TIMESTAMPTZ NOT NULL, updated TIMESTAMPTZ NOT NULL)"
        );
        // To create what is there already needs a right that a table's user may not have.
        let ask = "SELECT to_regclass($1)::text IS NOT NULL";
        client.batch_execute("BEGIN; SET LOCAL statement_timeout = '8s'").await.map_err(|e| fault(&e))?;
        let rows = client.query_typed(ask, &[(table, Type::TEXT)]).await.map_err(|e| fault(&e))?;
        let is_there = rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false));
        match (is_there, self.create) {
            (true, _) => Ok(()),
            // Two that begin at one time take turns.
            (false, true) => {
                let locked = format!("SELECT pg_advisory_xact_lock(hashtext('{table}')); {create}");
                client.batch_execute(&locked).await.map_err(|e| fault(&e))
            }
            (false, false) => Err(Fault::new(
                format!("has no table {table}"),
                "Make it as the README shows, or leave out create = false.",
            )),
        }
    }

    /// Whether anything was written.
    async fn upsert(&self, client: &Client, values: &[String; 7]) -> Result<bool, Fault> {
        let names = FIELDS.join(", ");
        let set = FIELDS.map(|name| format!("{name} = excluded.{name}")).join(", ");
        let sql = format!(
            "INSERT INTO {} AS held ({names}, updated) VALUES ($1, $2, $3, $4, $5::text::bigint, \
             $6::text::timestamptz, $7::text::timestamptz, now()) \
             ON CONFLICT (account) DO UPDATE SET {set}, updated = now() {RULE}",
            self.table
        );
        let typed: Vec<(&(dyn ToSql + Sync), Type)> =
            values.iter().map(|value| (value as &(dyn ToSql + Sync), Type::TEXT)).collect();
        Ok(client.execute_typed(&sql, &typed).await.map_err(|e| fault(&e))? > 0)
    }
}

impl Kind for Postgres {
    fn place(&self) -> String {
        format!("table {}", self.table)
    }

    fn check<'a>(&'a self, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let client = self.client(tools).await?;
            self.begin(&client).await?;
            client.batch_execute("COMMIT").await.map_err(|e| fault(&e))?;
            self.begin(&client).await?;
            let moment = "1970-01-01T00:00:00Z";
            let values = ["probe", "", "", &self.account, "0", moment, moment].map(str::to_owned);
            self.upsert(&client, &values).await?;
            client.batch_execute("ROLLBACK").await.map_err(|e| fault(&e))
        })
    }

    fn deliver<'a>(&'a self, delivery: &'a Delivery<'a>, tools: &'a Tools<'a>) -> Done<'a> {
        Box::pin(async {
            let client = self.client(tools).await?;
            self.begin(&client).await?;
            let values =
                zeroize::Zeroizing::new(FIELDS.map(|name| field(name, delivery).expose().to_owned()));
            if self.upsert(&client, &values).await? {
                let told = serde_json::json!({
                    "account": delivery.account, "generation": delivery.token.generation,
                });
                let (channel, told) = (&self.channel, told.to_string());
                let values: [(&(dyn ToSql + Sync), Type); 2] = [(channel, Type::TEXT), (&told, Type::TEXT)];
                client.query_typed("SELECT pg_notify($1, $2)", &values).await.map_err(|e| fault(&e))?;
            }
            client.batch_execute("COMMIT").await.map_err(|e| fault(&e))
        })
    }
}

/// Why the server did not do it, in our own words: its own may quote the row.
fn fault(error: &tokio_postgres::Error) -> Fault {
    let code = match database::code_of(error) {
        Err(why) => return Fault::new(format!("cannot be reached: {why}"), REACH),
        Ok(code) => code,
    };
    let cure = match code.code() {
        "28000" | "28P01" => {
            "It does not let this user in: look at the user and the password in the sink's url."
        }
        "3D000" => "There is no database of that name: make it, or mend the sink's url.",
        "42501" => {
            "Its user needs INSERT, UPDATE and SELECT on the table, and CREATE where it is to be made."
        }
        "42703" | "42P10" => "The table has another form: see the README, or name another table.",
        "53100" => "The server's disk is full: free some space.",
        "25006" => "This server is a standby: name the primary, or several hosts in one address.",
        "57P01" | "57P02" | "57P03" => REACH,
        _ => "Look at the server's log.",
    };
    Fault::new(format!("refuses (SQLSTATE {})", code.code()), cure)
}
