//! Handshakes, and streams that are encrypted.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_rustls::TlsConnector;

use super::verify::Verifier;
use super::{Level, Tls};

/// Why a connection cannot be encrypted.
#[derive(Debug, thiserror::Error)]
pub(in crate::connect) enum TlsError {
    /// The connection broke.
    #[error("the connection broke while encryption was agreed on: {0}")]
    Io(io::Error),
    /// Somebody has to change something.
    #[error("{0}")]
    Refused(String),
}

/// Makes encrypted connections to a host.
#[derive(Clone)]
pub(in crate::connect) struct Connector {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    host: String,
    /// Whether a handshake has succeeded.
    has_shaken: Arc<AtomicBool>,
}

impl Connector {
    /// Reads the files that are named, each time, so that they may be replaced.
    pub(in crate::connect) fn new(tls: &Tls, host: &str) -> Result<Connector, TlsError> {
        let refused = TlsError::Refused;
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|_| refused(format!("\"{host}\" is not the name of a host")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let level = tls.level();
        let trusted = match (level, &tls.roots) {
            (Level::Nothing, _) => Vec::new(),
            (_, Some(file)) => certificates("sslrootcert", file)?,
            (_, None) => of_system()?,
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let trusted = if tls.roots.is_some() { trusted } else { Vec::new() };
        let verifier = Verifier { level, roots, trusted, provider: Arc::clone(&provider) };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| refused(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &tls.identity {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = certificates("sslcert", certificate)?;
                let key = PrivateKeyDer::from_pem_file(key).map_err(|error| {
                    let key = key.display();
                    refused(format!(
                        "sslkey: no key without a password can be read from {key}: {error}"
                    ))
                })?;
                let own = config.with_client_auth_cert(chain, key);
                own.map_err(|error| refused(format!("sslcert and sslkey: {error}")))?
            }
        };
        let (config, host, has_shaken) = (Arc::new(config), host.to_owned(), Arc::default());
        Ok(Connector { config, name, host, has_shaken })
    }

    /// Agrees on encryption with a server that is ready for it.
    pub(in crate::connect) async fn handshake<S>(&self, stream: S) -> Result<Encrypted<S>, TlsError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), stream).await;
        let stream = stream.map_err(|error| self.failed(error))?;
        self.has_shaken.store(true, Ordering::Release);
        Ok(Encrypted(Box::new(stream)))
    }

    /// Whether it has encrypted a connection.
    pub(in crate::connect) fn has_encrypted(&self) -> bool {
        self.has_shaken.load(Ordering::Acquire)
    }

    fn failed(&self, error: io::Error) -> TlsError {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let host = &self.host;
        TlsError::Refused(match inner {
            None => return TlsError::Io(error),
            Some(rustls::Error::InvalidCertificate(why)) => match why {
                CertificateError::UnknownIssuer => format!(
                    "the certificate of {host} is not signed by an authority that is trusted: name the file of \
                     its authority with sslrootcert=FILE"
                ),
                CertificateError::NotValidForName
                | CertificateError::NotValidForNameContext { .. } => format!(
                    "the certificate of the server is not for the name {host}: connect by a name that it is for, \
                     or with sslmode=verify-ca"
                ),
                CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                    format!("the certificate of {host} has expired")
                }
                why => format!("the certificate of {host} is not accepted: {why}"),
            },
            Some(error) => format!("no encryption can be agreed on with {host}: {error}"),
        })
    }
}

/// The certificates of a file.
fn certificates(parameter: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let failed = |reason: String| {
        TlsError::Refused(format!(
            "{parameter}: no certificates can be read from {}: {reason}",
            file.display()
        ))
    };
    let found = CertificateDer::pem_file_iter(file).map_err(|error| failed(error.to_string()))?;
    let found: Result<Vec<_>, _> = found.collect();
    let found = found.map_err(|error| failed(error.to_string()))?;
    if found.is_empty() { Err(failed("there are none".to_owned())) } else { Ok(found) }
}

/// The authorities that the operating system trusts, as they were when they were first asked for: they
/// are hundreds of files.
fn of_system() -> Result<Vec<CertificateDer<'static>>, TlsError> {
    static FOUND: OnceLock<rustls_native_certs::CertificateResult> = OnceLock::new();
    let found = FOUND.get_or_init(rustls_native_certs::load_native_certs);
    if found.certs.is_empty() {
        let reasons: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        return Err(TlsError::Refused(format!(
            "the operating system trusts no authorities: install them (ca-certificates), or name a file with \
             sslrootcert=FILE {}",
            reasons.join(", ")
        )));
    }
    Ok(found.certs.clone())
}

/// An encrypted stream.
pub(in crate::connect) struct Encrypted<S>(Box<tokio_rustls::client::TlsStream<S>>);

impl<S> MakeTlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type TlsConnect = Connector;
    type Error = TlsError;

    fn make_tls_connect(&mut self, _domain: &str) -> Result<Connector, TlsError> {
        Ok(self.clone())
    }
}

impl<S> TlsConnect<S> for Connector
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Encrypted<S>;
    type Error = TlsError;
    type Future = Pin<Box<dyn Future<Output = Result<Encrypted<S>, TlsError>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.handshake(stream).await })
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Encrypted<S> {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Encrypted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Encrypted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut *self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.0).poll_shutdown(context)
    }
}
