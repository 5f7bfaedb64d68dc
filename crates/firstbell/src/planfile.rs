//! A login plan of the owner's own: read from its file, with a signature where one is asked for, and checked whole.

use std::path::Path;

use firstbell_core::brokers::kite::Kite;
use firstbell_core::plan::Plan;
use minisign_verify::{PublicKey, Signature};

use crate::textfile;

/// Reads a plan for Kite and, with it, its text.
///
/// # Errors
/// All that is wrong with the file, each fault with its line where that is known.
pub fn read(path: &Path, key: Option<&PublicKey>) -> Result<(Plan, String), Vec<String>> {
    let name = path.display().to_string();
    let text = textfile::read(path).map_err(|why| vec![format!("{name}: the plan cannot be read: {why}")])?;
    if let Some(key) = key {
        verify(path, &text, key).map_err(|why| vec![format!("{name}: {why}")])?;
    }
    match Kite::read_plan(&text) {
        Ok(plan) => Ok((plan, text)),
        Err(faults) => Err(faults.0.into_iter().map(|(line, what)| at(&name, line, &what)).collect()),
    }
}

/// Reads a public key in minisign's form: the line that begins with `RW`.
///
/// # Errors
/// Says that it is none.
pub fn read_key(text: &str) -> Result<PublicKey, String> {
    PublicKey::from_base64(text)
        .map_err(|_| "is not a minisign public key: one line that begins with RW".into())
}

/// The signature stands beside the plan, as minisign writes it: `minisign -S -m my-plan.toml`.
fn verify(path: &Path, text: &str, key: &PublicKey) -> Result<(), String> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".minisig");
    let beside = Path::new(&beside);
    let signature = textfile::read(beside).map_err(|why| {
        format!("plan_key wants a signature, and {} cannot be read: {why}", beside.display())
    })?;
    let signature = Signature::decode(&signature)
        .map_err(|_| format!("{} is not a signature of minisign", beside.display()))?;
    key.verify(text.as_bytes(), &signature, false)
        .map_err(|_| "the signature beside the plan is not of this plan by the key of plan_key".into())
}

fn at(name: &str, line: Option<usize>, what: &str) -> String {
    match line {
        Some(line) => format!("{name}:{line}: {what}"),
        None => format!("{name}: {what}"),
    }
}
