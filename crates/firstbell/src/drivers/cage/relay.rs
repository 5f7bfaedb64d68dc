//! The two doors inside a cage: firstbell's way in to any port, and an engine's way out over TCP.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Serves firstbell: two bytes name a port of this loopback, and everything after them goes there.
pub(super) async fn way_in(listener: UnixListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut port = [0; 2];
            stream.read_exact(&mut port).await?;
            let mut inside = TcpStream::connect(("127.0.0.1", u16::from_be_bytes(port))).await?;
            inside.set_nodelay(true)?;
            copy_bidirectional(&mut stream, &mut inside).await
        });
    }
}

/// Hands every connection to the forwarder outside, which decides where it may lead.
pub(super) async fn way_out(listener: TcpListener, out: PathBuf) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let out = out.clone();
        tokio::spawn(async move {
            let mut outside = UnixStream::connect(out).await?;
            copy_bidirectional(&mut stream, &mut outside).await
        });
    }
}
