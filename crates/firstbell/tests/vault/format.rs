//! The format, held against the age program in both directions, and against every kind of harm.

use std::fs;

use firstbell::age::{self, Fault, Identity, Recipient};
use firstbell_core::secret::SecretBytes;

use crate::support::marker;
use crate::{keygen, secret, try_age};

/// Around the borders of its pieces.
const LENGTHS: [usize; 9] = [0, 1, 100, 65_535, 65_536, 65_537, 131_072, 131_073, 300_000];

fn bytes(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).unwrap();
    bytes
}

fn identities(path: &std::path::Path) -> Vec<Identity> {
    Identity::read_all(&secret(&fs::read_to_string(path).unwrap())).unwrap()
}

#[test]
fn what_we_write_the_program_opens_and_what_it_writes_we_open() {
    let folder = tempfile::tempdir().unwrap();
    let (theirs, recipient) = keygen(folder.path(), "theirs");
    let ours = Identity::random();
    let our_file = folder.path().join("ours");
    fs::write(&our_file, ours.text().expose()).unwrap();
    let to = [ours.recipient(), Recipient::parse(&recipient).unwrap()];
    assert_eq!(to[1].to_string(), recipient);
    assert_eq!(identities(&theirs)[0].recipient(), to[1]);
    for len in LENGTHS {
        let plain = bytes(len);
        let sealed = age::seal(&SecretBytes::new(plain.clone()), &to);
        for identity in [&theirs, &our_file] {
            assert_eq!(crate::age(&["-d", "-i", identity.to_str().unwrap()], &sealed), plain, "{len}");
        }
        for armor in [&[][..], &["-a"]] {
            let recipient = ours.recipient().to_string();
            let sealed = crate::age(&[&["-r", &recipient, "-r", &to[1].to_string()], armor].concat(), &plain);
            let opened = age::open(
                &sealed,
                &[Identity::random(), Identity::read_all(&ours.text()).unwrap().remove(0)],
            );
            assert_eq!(opened.unwrap().expose(), plain, "{len} {armor:?}");
            assert_eq!(age::open(&sealed, &identities(&theirs)).unwrap().expose(), plain);
        }
    }
}

#[test]
fn nobody_else_opens_it() {
    let (ours, other) = (Identity::random(), Identity::random());
    let sealed = age::seal(&SecretBytes::new(bytes(100)), &[ours.recipient()]);
    assert_eq!(age::open(&sealed, &[other]).unwrap_err(), Fault::NotOurs);
    assert_eq!(age::open(&sealed, &[]).unwrap_err(), Fault::NotOurs);
    let wrong = age::open_with_passphrase(&sealed, &secret("x")).unwrap_err();
    assert_eq!(wrong, Fault::NotOurs);
}

#[test]
fn every_bit_and_every_cut_is_noticed() {
    let ours = [Identity::random()];
    let plain = bytes(300);
    let sealed = age::seal(&SecretBytes::new(plain), &[ours[0].recipient()]);
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut harmed = sealed.clone();
            harmed[at] ^= 1 << bit;
            assert!(age::open(&harmed, &ours).is_err(), "bit {bit} of byte {at}");
        }
        assert!(age::open(&sealed[..at], &ours).is_err(), "the first {at} bytes");
    }
    assert!(age::open(&[&sealed[..], b"x"].concat(), &ours).is_err());
    let long = age::seal(&SecretBytes::new(bytes(200_000)), &[ours[0].recipient()]);
    let head = long.len() - (200_000 + 4 * 16);
    let piece = 65_536 + 16;
    let swapped = [
        &long[..head],
        &long[head + piece..head + 2 * piece],
        &long[head..head + piece],
        &long[head + 2 * piece..],
    ];
    for harmed in [long[..head + piece].to_vec(), long[..head + 3 * piece].to_vec(), swapped.concat()] {
        assert_eq!(age::open(&harmed, &ours).unwrap_err(), Fault::Damaged);
    }
}

#[test]
fn what_the_program_refuses_of_a_header_we_refuse() {
    let folder = tempfile::tempdir().unwrap();
    let (path, _) = keygen(folder.path(), "id");
    let ours = identities(&path);
    let sealed = age::seal(&SecretBytes::new(b"plain".to_vec()), &[ours[0].recipient()]);
    let end = sealed.windows(4).position(|part| part == b"--- ").unwrap();
    let head = String::from_utf8(sealed[..end].to_vec()).unwrap();
    let rest = &sealed[end..];
    for (from, to) in [
        ("age-encryption.org/v1", "age-encryption.org/v2"),
        ("-> X25519", "->  X25519"),
        ("-> X25519", "-> x25519"),
        ("\n", "\r\n"),
        ("-> X25519 ", "-> X25519 x "),
    ] {
        let harmed = [head.replace(from, to).as_bytes(), rest].concat();
        assert!(age::open(&harmed, &ours).is_err(), "{from:?} {to:?}");
        assert!(try_age(&["-d", "-i", path.to_str().unwrap()], &harmed).is_err(), "{from:?} {to:?}");
    }
    // A share of small order gives everybody the same key.
    let share = head.lines().nth(1).unwrap().rsplit(' ').next().unwrap().to_owned();
    let harmed = [head.replace(&share, &"A".repeat(43)).as_bytes(), rest].concat();
    assert!(matches!(age::open(&harmed, &ours), Err(Fault::Form(_))));
}

#[test]
fn a_passphrase_opens_here_and_there() {
    let (passphrase, plain) = (secret(&marker(20)), bytes(500));
    let sealed = age::seal_with_passphrase(&SecretBytes::new(plain.clone()), &passphrase);
    assert_eq!(age::open_with_passphrase(&sealed, &passphrase).unwrap().expose(), plain);
    assert_eq!(age::open_with_passphrase(&sealed, &secret("other")).unwrap_err(), Fault::NotOurs);
    assert_eq!(age::open(&sealed, &[Identity::random()]).unwrap_err(), Fault::NotOurs);
    let text = String::from_utf8_lossy(&sealed).into_owned();
    // A stranger's file must not take all of the memory.
    let greedy = text.replacen(" 18\n", " 40\n", 1).into_bytes();
    assert!(matches!(age::open_with_passphrase(&greedy, &passphrase), Err(Fault::Form(_))));
    assert!(crate::holders::opened_with_passphrase(&sealed, passphrase.expose()) == plain);
}

#[test]
fn recipients_and_identities_of_other_kinds_are_refused() {
    let own = Identity::random();
    let (text, recipient) = (own.text().expose().to_owned(), own.recipient().to_string());
    for wrong in
        ["", "age1", "ssh-ed25519 AAAA", &text, &recipient[..recipient.len() - 1], &format!("{recipient}q")]
    {
        assert!(Recipient::parse(wrong).is_err(), "{wrong}");
    }
    for wrong in ["", "# nothing", &recipient, &text[..text.len() - 1], &format!("{text}\nAGE-PLUGIN-X-1QQQ")]
    {
        assert!(Identity::read_all(&secret(wrong)).is_err(), "{wrong}");
    }
    assert_eq!(Identity::read_all(&secret(&format!("# a\n\n{text}\r\n{text}"))).unwrap().len(), 2);
    assert!(!format!("{own:?}").contains(&text[20..30]));
}
