//! A certificate that vouches for itself, made by openssl as an owner would.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Chain and key of a certificate for one name or number, such as `DNS:localhost`.
pub(crate) fn certificate(folder: &Path, name: &str) -> [PathBuf; 2] {
    let paths = [folder.join("certificate.pem"), folder.join("key.pem")];
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=server.test", "-addext", &format!("subjectAltName={name}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"])
        .arg("-out")
        .arg(&paths[0])
        .arg("-keyout")
        .arg(&paths[1])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    paths
}
