//! What a command needs to find the daemon, and no more: the rest of the configuration is the daemon's business.

use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::{Environment, usual_state_dir};

/// Where the daemon is, and what it keeps.
#[derive(Debug, PartialEq, Eq)]
pub struct Glance {
    /// The state folder.
    pub state_dir: PathBuf,
    /// The accounts' names.
    pub accounts: Vec<String>,
}

/// Reads as much; none where anything is amiss: then the whole file is read, and says what.
pub fn glance(path: &Path, env: &Environment) -> Option<Glance> {
    let table: Table = std::fs::read_to_string(path).ok()?.parse().ok()?;
    let written = match table.get("state_dir") {
        None => None,
        Some(value) => Some(PathBuf::from(value.as_str()?)),
    };
    let named = env.get("FIRSTBELL_STATE_DIR").map(PathBuf::from);
    let state_dir = named.or(written).unwrap_or_else(|| usual_state_dir(env));
    let accounts = table.get("account").and_then(Value::as_table)?.keys().cloned().collect();
    state_dir.is_absolute().then_some(Glance { state_dir, accounts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glance_finds_the_folder_where_the_whole_reading_would() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        let look = |text: &str, env: &[(&str, &str)]| {
            std::fs::write(&path, text).unwrap();
            glance(&path, &env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let text = "state_dir = \"/s\"\n[account.main]\nuser_id = 7\n[account.b]\n";
        let accounts = vec!["b".to_owned(), "main".to_owned()];
        let found = look(text, &[]).unwrap();
        assert_eq!(found, Glance { state_dir: "/s".into(), accounts: accounts.clone() });
        let found = look(text, &[("FIRSTBELL_STATE_DIR", "/e")]).unwrap();
        assert_eq!(found, Glance { state_dir: "/e".into(), accounts });
        let found = look("[account.main]\n", &[("HOME", "/h")]).unwrap();
        assert_eq!(found.state_dir, PathBuf::from("/h/.local/state/firstbell"));
        for wrong in
            ["", "state_dir = \"s\"\n[account.main]\n", "state_dir = 7\n[account.main]\n", "[account.main\n"]
        {
            assert_eq!(look(wrong, &[]), None, "{wrong}");
        }
    }
}
