//! Where the key that seals the secrets is kept: the one list of places that a first run offers.

/// A place, and the honest sentence about it.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// What it is called.
    pub name: &'static str,
    /// What it protects from, and what not.
    pub sentence: &'static str,
}

/// The places that this firstbell knows, the usual one first.
pub const PLACES: &[Place] = &[Place {
    name: "a key file",
    sentence: "mode 0600, in the state folder beside the store. It protects a copied store or a backup without the key. It does \
               not protect from root, or from a program that runs as your user and reads both: run firstbell as a user of its own",
}];
