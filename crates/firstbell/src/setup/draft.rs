//! The configuration while it is being written: answer by answer, whole or not at all, and nothing else in it touched.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use firstbell_core::failure::{Failure, Part};
use toml_edit::{DocumentMut, Item, Table, Value, value};

use crate::config::{self, Config, ConfigFaults, Environment};

const HEAD: &str = "# Begun by firstbell setup, and yours to edit. Nothing secret is in here.\n";

/// Stands for a chat that is to be paired.
pub fn no_chat() -> &'static str {
    "0"
}

/// What of an account stands in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The client id.
    UserId,
    /// Who logs in.
    Assisted,
    /// The key of the app.
    ApiKey,
    /// Where the broker sends the browser back to.
    RedirectUrl,
}

impl Key {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Key::UserId => "user_id",
            Key::Assisted => "assisted",
            Key::ApiKey => "api_key",
            Key::RedirectUrl => "redirect_url",
        }
    }
}

/// A configuration file with one account that is being set up.
#[derive(Clone, Debug)]
pub struct Draft {
    path: PathBuf,
    /// The file as it was when it was last read or written; none where there is no file yet.
    was: Option<String>,
    document: DocumentMut,
    account: String,
}

impl Draft {
    /// Reads the file, where there is one, for the named account or the only one.
    ///
    /// # Errors
    /// Why it cannot be gone on with, line by line.
    pub fn open(path: &Path, named: Option<&str>) -> Result<Draft, ConfigFaults> {
        let bad = |why: String| ConfigFaults(vec![format!("{}: {why}", path.display())]);
        // A link to the file stays one: what it leads to is replaced.
        let path_held = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let was = match fs::read_to_string(&path_held) {
            Ok(text) => Some(text),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(bad(format!("the configuration cannot be read: {e}"))),
        };
        let document: DocumentMut =
            was.as_deref().unwrap_or(HEAD).parse().map_err(|e| bad(format!("is no TOML: {e}")))?;
        let names: Vec<String> = match document.get("account").and_then(Item::as_table_like) {
            Some(table) => table.iter().map(|(name, _)| name.to_owned()).collect(),
            None => Vec::new(),
        };
        let account = match (named, names.as_slice()) {
            (Some(name), _) => name.to_owned(),
            (None, []) => "main".to_owned(),
            (None, [only]) => only.clone(),
            (None, all) => return Err(bad(format!("which account? There are: {}", all.join(", ")))),
        };
        Ok(Draft { path: path_held, was, document, account })
    }

    /// The name of the account.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Where it is written.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether any account is written down.
    pub fn has_account(&self) -> bool {
        self.document.contains_key("account")
    }

    /// Whether the account has this already.
    pub fn has(&self, key: Key) -> bool {
        self.document.get("account").and_then(|all| all.get(&self.account)?.get(key.as_str())).is_some()
    }

    /// Whether a channel was begun whose chat is not known yet.
    pub fn waits_for_chat(&self, channel: &str) -> bool {
        let found = self.document.get("channel").and_then(|all| all.get(channel)?.get("chat_id")?.as_str());
        found == Some(no_chat())
    }

    /// Whether it speaks of a rehearsal.
    pub fn is_rehearsal(&self) -> bool {
        self.document.contains_key("rehearsal")
    }

    /// Sets this of the account, and writes the file. A value that makes the configuration one that cannot be used is not
    /// written.
    ///
    /// # Errors
    /// What is wrong with the value, or with the file.
    pub fn set(&mut self, key: Key, text: &str, env: &Environment) -> Result<(), ConfigFaults> {
        let mut next = self.clone();
        let written = match (key, text) {
            (Key::Assisted, "false") => value(false),
            _ => value(text),
        };
        put(next.table(), key.as_str(), written);
        next.write(env)?;
        *self = next;
        Ok(())
    }

    /// Whether it says where the key of the vault is.
    pub fn has_vault(&self) -> bool {
        self.document.contains_key("vault")
    }

    /// Sets this under `[vault]`, and writes the file.
    ///
    /// # Errors
    /// As [`Draft::set`].
    pub fn set_vault(&mut self, key: &str, what: Value, env: &Environment) -> Result<(), ConfigFaults> {
        let mut next = self.clone();
        let table = next.document.as_table_mut().entry("vault").or_insert_with(|| Item::Table(Table::new()));
        let table =
            table.as_table_like_mut().expect("a configuration with another thing in its place was refused");
        put(table, key, Item::Value(what));
        next.write(env)?;
        *self = next;
        Ok(())
    }

    /// Adds a channel with these keys, and writes the file.
    ///
    /// # Errors
    /// As [`Draft::set`].
    pub fn add_channel(
        &mut self,
        name: &str,
        keys: Vec<(&str, Value)>,
        env: &Environment,
    ) -> Result<(), ConfigFaults> {
        let mut next = self.clone();
        let table = below(next.document.as_table_mut(), "channel", name);
        for (key, what) in keys {
            put(table, key, Item::Value(what));
        }
        next.write(env)?;
        *self = next;
        Ok(())
    }

    /// Turns a configuration without accounts into one for a rehearsal, with a state folder of its own where one is
    /// given.
    pub fn rehearse(&mut self, origin: &str, state_dir: Option<&Path>) {
        if let Some(folder) = state_dir.filter(|_| !self.document.contains_key("state_dir")) {
            self.document.insert("state_dir", value(folder.display().to_string()));
        }
        let mut table = Table::new();
        table.insert("site", value(origin));
        table.insert("api", value(origin));
        self.document.insert("rehearsal", Item::Table(table));
    }

    /// What the configuration says, with stand-ins for what the account does not have yet.
    ///
    /// # Errors
    /// What is wrong with what it has.
    pub fn config(&self, env: &Environment) -> Result<Config, ConfigFaults> {
        let file = self.path.display().to_string();
        let whole = self.document.to_string();
        match config::read(&file, &whole, env) {
            Ok(config) => Ok(config),
            Err(faults) => {
                let mut filled = self.clone();
                let table = filled.table();
                for (key, stand_in) in [
                    ("user_id", "XX0000"),
                    ("api_key", "xxxxxxxxxxxxxxxx"),
                    ("redirect_url", "http://127.0.0.1:1/"),
                ] {
                    if !table.contains_key(key) {
                        put(table, key, value(stand_in));
                    }
                }
                // The faults are told with the lines of the file as it is.
                config::read(&file, &filled.document.to_string(), env).map_err(|_| faults)
            }
        }
    }

    /// Takes this of the account back, and writes the file.
    ///
    /// # Errors
    /// As [`Draft::set`].
    pub fn take_back(&mut self, key: Key, env: &Environment) -> Result<(), ConfigFaults> {
        let mut next = self.clone();
        next.table().remove(key.as_str());
        next.write(env)?;
        *self = next;
        Ok(())
    }

    /// It cannot be gone on with.
    pub fn broken(why: String, cure: &str) -> Failure {
        Failure::Broken { part: Part::Store, why, cure: cure.into() }
    }

    fn table(&mut self) -> &mut dyn toml_edit::TableLike {
        below(self.document.as_table_mut(), "account", &self.account.clone())
    }

    fn write(&mut self, env: &Environment) -> Result<(), ConfigFaults> {
        self.config(env)?;
        let text = self.document.to_string();
        self.replace(&text).map_err(|e| {
            let cure = format!("Make {} a place that this user can write to", self.path.display());
            ConfigFaults(vec![format!("the configuration cannot be written: {e}. {cure}")])
        })?;
        self.was = Some(text);
        Ok(())
    }

    /// Whole or not at all, beside the file and then over it; not where somebody else wrote it meanwhile.
    fn replace(&self, text: &str) -> std::io::Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder)?;
        let now = match fs::read_to_string(&self.path) {
            Ok(now) => Some(now),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(e),
        };
        if now != self.was {
            return Err(std::io::Error::other(
                "somebody else changed it meanwhile; run firstbell setup again",
            ));
        }
        let mode = fs::metadata(&self.path).map_or(0o600, |meta| meta.permissions().mode() & 0o777);
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let beside = self.path.with_file_name(format!(".{name}.firstbell"));
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        File::open(folder)?.sync_all()
    }
}

fn put(table: &mut dyn toml_edit::TableLike, key: &str, item: Item) {
    // A comment behind the old value stays behind the new one.
    let suffix = table.get(key).and_then(Item::as_value).map(|old| old.decor().clone());
    table.insert(key, item);
    if let (Some(decor), Some(new)) = (suffix, table.get_mut(key).and_then(Item::as_value_mut)) {
        *new.decor_mut() = decor;
    }
}

/// The table `[outer.name]`, made where there is none.
fn below<'t>(root: &'t mut Table, outer: &str, name: &str) -> &'t mut dyn toml_edit::TableLike {
    let implicit = || {
        let mut table = Table::new();
        table.set_implicit(true);
        Item::Table(table)
    };
    let all = root.entry(outer).or_insert_with(implicit);
    let all = all.as_table_like_mut().expect("a configuration with another thing in its place was refused");
    let one = all.entry(name).or_insert_with(|| Item::Table(Table::new()));
    one.as_table_like_mut().expect("as above")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(text: Option<&str>) -> (tempfile::TempDir, Draft) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let draft = Draft::open(&path, None).unwrap();
        (folder, draft)
    }

    #[test]
    fn answers_are_added_one_by_one_and_each_time_the_file_can_be_gone_on_with() {
        let (folder, mut draft) = draft(None);
        let env = Environment::new();
        for (key, text) in [
            (Key::UserId, "AB1234"),
            (Key::Assisted, "only"),
            (Key::RedirectUrl, "http://127.0.0.1:5000/back"),
            (Key::ApiKey, "abcdefgh12345678"),
        ] {
            assert!(!draft.has(key));
            draft.set(key, text, &env).unwrap();
            draft = Draft::open(draft.path(), None).unwrap();
            assert!(draft.has(key));
        }
        let config = config::load(&folder.path().join("config.toml"), &env).unwrap();
        assert_eq!(config.accounts[0].app.user_id, "AB1234");
        assert_eq!(fs::metadata(draft.path()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_others_wrote_stays_to_the_letter() {
        let text = "# mine\nkeep_days = 500   # long\n\n[account.main]\napi_key = \"abcdefgh12345678\" # the old one\n\n\
                    [channel.x]\nkind = \"ntfy\"\n";
        let (_folder, mut draft) = draft(Some(text));
        draft.set(Key::ApiKey, "zzzzzzzz12345678", &Environment::new()).unwrap();
        let now = fs::read_to_string(draft.path()).unwrap();
        assert_eq!(now, text.replace("abcdefgh", "zzzzzzzz"));
    }

    #[test]
    fn a_value_that_makes_no_sense_and_a_file_that_changed_meanwhile_are_not_written() {
        let (_folder, mut draft) = draft(Some("[account.main]\nuser_id = \"AB1234\"\n"));
        let env = Environment::new();
        assert!(draft.set(Key::ApiKey, "x y", &env).is_err() && !draft.has(Key::ApiKey));
        fs::write(draft.path(), "keep_days = 400\n").unwrap();
        let faults = draft.set(Key::ApiKey, "abcdefgh12345678", &env).unwrap_err();
        assert!(faults.0[0].contains("changed it meanwhile"), "{faults:?}");
        assert_eq!(fs::read_to_string(draft.path()).unwrap(), "keep_days = 400\n");
    }

    #[test]
    fn a_file_with_faults_of_its_own_tells_them_with_their_lines() {
        let (_folder, draft) = draft(Some("\ndrivr = 1\n[account.main]\n"));
        let faults = draft.config(&Environment::new()).unwrap_err();
        assert!(faults.0.iter().any(|line| line.contains("config.toml:2: drivr")), "{faults:?}");
    }
}
