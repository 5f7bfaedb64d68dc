//! Whatever lies there as the vault, sealed for us or not: it is believed whole or refused, never shown, and never destroyed.
#![no_main]

use firstbell::stores::{self, Stores};
use firstbell_core::secret::Secret;
use firstbell_fuzz::sealed::{SECRET, Sealed};
use firstbell_fuzz::{CANARY, Feed, folder, planted, told};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static SEALED: Sealed = Sealed::write();
}

fuzz_target!(|data: &[u8]| {
    let mut feed = Feed::of(data);
    SEALED.with(|sealed| match feed.byte() % 8 {
        0 => changed(sealed, &mut feed),
        1 => whatever(sealed, feed.piece(usize::MAX)),
        _ => said(sealed, &planted(feed.piece(usize::MAX)).replace("@k", &sealed.key)),
    });
});

/// Our own file, some bytes of which are others now.
fn changed(sealed: &Sealed, feed: &mut Feed<'_>) {
    let (copy, mut file) = (feed.byte().is_multiple_of(2), sealed.file.clone());
    let from = (usize::from(feed.byte()) << 8 | usize::from(feed.byte())) % (file.len() + 1);
    let gone = usize::from(feed.byte()).min(file.len() - from);
    file.splice(from..from + gone, feed.piece(usize::MAX).iter().copied());
    sealed.put(&file, copy);
    match stores::open(&folder().join("state")) {
        Ok(stores) => assert_eq!(password(&stores).as_deref(), Some(SECRET), "a changed file is believed"),
        Err(failure) => {
            // Who has both knows better than to lose what its copy has; a file for somebody else is theirs to sort out.
            assert!(!told(&failure).contains(SECRET), "{failure:?}");
            assert!(!copy || told(&failure).contains("identity"), "{failure:?}");
        }
    }
    assert!(sealed.lies_there(&file), "what was damaged is gone");
}

/// What may be no age file at all.
fn whatever(sealed: &Sealed, file: &[u8]) {
    sealed.put(file, false);
    assert!(stores::open(&folder().join("state")).is_err(), "somebody else's vault is believed");
    assert!(sealed.lies_there(file), "what is not ours is gone");
}

/// A vault that says this, sealed for us.
fn said(sealed: &Sealed, plain: &str) {
    let file = sealed.seal(plain);
    sealed.put(&file, false);
    let stores = match stores::open(&folder().join("state")) {
        Ok(stores) => stores,
        Err(failure) => {
            assert!(!told(&failure).contains(CANARY), "{failure:?}");
            assert!(sealed.lies_there(&file), "what is not understood is gone");
            return;
        }
    };
    // What was believed is a vault like any other.
    let before = password(&stores);
    stores.vault().keep("b", "password", &Secret::new(SECRET.into())).expect("it opened");
    drop(stores);
    let stores = stores::open(&folder().join("state")).expect("it opened before");
    assert_eq!(password(&stores), before, "a secret became another one by its neighbour");
    let kept = stores.vault().fetch("b", "password").expect("it opened").expect("it was kept");
    assert_eq!(kept.expose(), SECRET);
}

fn password(stores: &Stores) -> Option<String> {
    stores.vault().fetch("a", "password").expect("it opened").map(|secret| secret.expose().to_owned())
}
