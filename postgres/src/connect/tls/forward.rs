//! Encryption for replication connections.
//!
//! What reads them speaks to a Unix socket as well as to a server. So it is given one, in a folder that
//! only we may enter, and what passes there goes encrypted to the server and back. The certificate is
//! checked before, and a password is sent after.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};

use super::connector::{Connector, Encrypted, TlsError};
use crate::connect::CONNECT_TIMEOUT;

/// What asks a server whether it can be talked to encrypted: a length, and a number that is no version.
const REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xD2, 0x16, 0x2F];

/// How long the server is told that we are going.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Connects to a server, encrypted. Gives the folder of a socket that leads there, for one connection
/// that comes soon. Needs a runtime, which it does not outlive.
pub(in crate::connect) async fn open(
    host: &str,
    port: u16,
    connector: &Connector,
) -> Result<PathBuf, TlsError> {
    let mut stream = TcpStream::connect((host, port)).await.map_err(TlsError::Io)?;
    stream.set_nodelay(true).map_err(TlsError::Io)?;
    stream.write_all(&REQUEST).await.map_err(TlsError::Io)?;
    match stream.read_u8().await.map_err(TlsError::Io)? {
        b'S' => {}
        _ => return Err(TlsError::Refused(NOT_OFFERED.to_owned())),
    }
    let server = connector.handshake(stream).await?;
    let folder = Folder::make().map_err(TlsError::Io)?;
    let path = folder.0.clone();
    let listener = UnixListener::bind(folder.socket(port)).map_err(TlsError::Io)?;
    tokio::spawn(async move {
        let accepted = tokio::time::timeout(CONNECT_TIMEOUT, listener.accept()).await;
        drop((folder, listener));
        if let Ok(Ok((ours, _))) = accepted {
            pass(ours, server).await;
        }
    });
    Ok(path)
}

/// What is said of a server that is not ready for encryption.
pub(in crate::connect) const NOT_OFFERED: &str = "the server does not offer encryption, which sslmode asks for: switch ssl on there, or write sslmode=prefer or \
     disable where the network is trusted";

/// Passes everything on until either side ends: neither closes only half of the connection.
async fn pass(mut ours: UnixStream, server: Encrypted<TcpStream>) {
    let (mut from_us, mut to_us) = ours.split();
    let (mut from_server, mut to_server) = tokio::io::split(server);
    tokio::select! {
        _ = tokio::io::copy(&mut from_us, &mut to_server) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_us) => {}
    }
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, to_server.shutdown()).await;
}

/// A folder that only we may enter. It goes when this is dropped, with the socket in it; connections
/// through it stay.
struct Folder(PathBuf);

impl Folder {
    fn make() -> io::Result<Folder> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("penstock-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Folder(path)),
                // Somebody else's, or left by a process that had our number before.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn socket(&self, port: u16) -> PathBuf {
        self.0.join(format!(".s.PGSQL.{port}"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let remove = |path: &Path| std::fs::remove_dir_all(path);
        let _ = remove(&self.0);
    }
}
