//! What may be typed behind `firstbell secrets`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::age::Recipient;
use crate::cli::AccountArg;

#[derive(Debug, Args)]
pub(in crate::cli) struct SecretOwner {
    #[command(flatten)]
    pub(super) account: AccountArg,
    /// A channel of alerts in the place of an account.
    #[arg(long, value_name = "NAME", conflicts_with = "account")]
    pub(super) channel: Option<String>,
    /// A sink in the place of an account.
    #[arg(long, value_name = "ACCOUNT/NAME", conflicts_with_all = ["account", "channel"])]
    pub(super) sink: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SecretsCommand {
    #[command(flatten)]
    Owned(OwnedSecrets),
    /// Take the secrets over from a file in which they stand in the clear; shows what goes where, and no value.
    Import(ImportArgs),
    /// Write all of the vault as an age file for a key or a passphrase of yours; never in the clear.
    Export(ExportArgs),
    /// Give the store and the vault new keys, while a daemon runs or not.
    Rekey,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum OwnedSecrets {
    /// Store a secret: asked for at a terminal, else read from standard input.
    Set {
        /// password, totp_seed or api_secret; with --channel or --sink one of its own.
        name: String,
        #[command(flatten)]
        owner: SecretOwner,
    },
    /// List the secrets of an account, a channel or a sink: where each comes from, and whether it is there.
    List {
        #[command(flatten)]
        owner: SecretOwner,
    },
    /// Remove a secret from the vault.
    Rm {
        /// password, totp_seed or api_secret; with --channel or --sink one of its own.
        name: String,
        #[command(flatten)]
        owner: SecretOwner,
    },
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// An environment file, a script, JSON, YAML, INI, or a list with one value on each line.
    pub(super) file: PathBuf,
    /// The account's name in the configuration; may be left out where there is one only.
    pub(super) account: Option<String>,
    /// Store what was found without asking.
    #[arg(long)]
    pub(super) yes: bool,
    /// Overwrite and remove the file when everything is stored.
    #[arg(long)]
    pub(super) shred: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExportArgs {
    /// The file to write; there must be none of this name.
    #[arg(long, value_name = "FILE", required = true)]
    pub(super) to: PathBuf,
    /// Who can open it: an age recipient (age1…). May be given several times.
    #[arg(long, value_name = "AGE1…", value_parser = Recipient::parse, required_unless_present = "passphrase")]
    pub(super) recipient: Vec<Recipient>,
    /// Who knows a passphrase can open it: asked for at a terminal, else read from standard input.
    #[arg(long, conflicts_with = "recipient")]
    pub(super) passphrase: bool,
}
