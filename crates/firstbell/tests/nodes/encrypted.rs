//! The way to a database that leaves the machine: encrypted, with authority and name proven. Tried here on the loopback, where
//! `sslmode=require` asks for the same.

use std::path::{Path, PathBuf};
use std::process::Command;

use firstbell::stores::{Place, Server, Stores};
use firstbell_core::failure::Failure;
use firstbell_core::secret::Secret;
use tempfile::TempDir;

use crate::postgres::{PASSWORD, Postgres};

/// An authority, and a certificate of its for one name; openssl is what makes the mail tests' too.
fn certificate(folder: &Path, name: &str) -> PathBuf {
    let at = |file: &str| folder.join(format!("{name}-{file}")).display().to_string();
    let openssl = |arguments: &[&str]| {
        let made = Command::new("openssl").args(arguments).output().expect("openssl is there");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    let (ca, ca_key, key, request, signed, more) =
        (at("ca.pem"), at("ca.key"), at("key"), at("request"), at("crt"), at("more"));
    std::fs::write(&more, format!("subjectAltName=DNS:{name}\n")).unwrap();
    let new =
        ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=fb-test"];
    openssl(&[&new[..], &["-x509", "-days", "2", "-keyout", &ca_key, "-out", &ca]].concat());
    openssl(&[&new[..], &["-keyout", &key, "-out", &request]].concat());
    openssl(&[
        "x509",
        "-req",
        "-days",
        "2",
        "-in",
        &request,
        "-CA",
        &ca,
        "-CAkey",
        &ca_key,
        "-CAcreateserial",
        "-extfile",
        &more,
        "-out",
        &signed,
    ]);
    PathBuf::from(ca)
}

fn open(url: &str, authority: Option<&Path>) -> Result<Stores, Failure> {
    let folder = TempDir::new().unwrap();
    let authority = authority.map(Path::to_owned);
    let server = Server { url: Secret::new(url.into()), authority, lease_ms: 30_000 };
    Place { server: Some(server), ..Place::of(&folder.path().join("state")) }.open()
}

#[test]
fn a_server_is_believed_by_its_authority_and_its_name() {
    let folder = TempDir::new().unwrap();
    let [localhost, elsewhere] = ["localhost", "db.example"].map(|name| certificate(folder.path(), name));
    for (name, authority, refused) in [
        ("localhost", Some(&localhost), None),
        ("localhost", Some(&elsewhere), Some("BadSignature")),
        ("localhost", None, Some("UnknownIssuer")),
        ("db.example", Some(&elsewhere), Some("not valid for name")),
    ] {
        let part = |file: &str| folder.path().join(format!("{name}-{file}"));
        let server = Postgres::encrypted(&part("crt"), &part("key"));
        let url = server.outside("postgres");
        let opened = open(&format!("{url}?sslmode=require"), authority.map(PathBuf::as_path));
        match (&opened, refused) {
            (Ok(_), None) => {}
            (Err(failure), Some(why)) => {
                assert!(
                    failure.to_string().contains(why) && !failure.to_string().contains(PASSWORD),
                    "{failure}"
                );
            }
            _ => panic!("{name}, {authority:?}: {opened:?}"),
        }
    }
    // A server that speaks in the clear only is not spoken to.
    let server = Postgres::start_at_a_port();
    assert!(open(&format!("{}?sslmode=require", server.outside("postgres")), Some(&localhost)).is_err());
    assert!(open(&server.outside("postgres"), None).is_ok());
}
