//! Encrypted connections to real servers: each `sslmode`, with the right and the wrong authorities and
//! names, for SQL and for replication.

use std::path::{Path, PathBuf};
use std::time::Duration;

use penstock_postgres::connect::{Config, ServerError};
use penstock_postgres::follow::{FollowOptions, Follower};
use penstock_postgres::replica::ReplicaOptions;
use penstock_postgres::setup::Setup;
use penstock_postgres_harness::{Installation, Options, Server, until};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

const LONG: Duration = Duration::from_secs(120);

/// Authorities and certificates of this test, and the folder of their files.
struct Certificates {
    folder: PathBuf,
    /// The server's, for `localhost`, and its key.
    server: (String, String),
    authority: String,
}

impl Certificates {
    /// Makes them, with the file of the authority `ca.crt`, of another one `other.crt`, of the server's own
    /// certificate `server.crt`, and of the certificate `ann.crt` of a user and its key `ann.key`.
    fn make(name: &str) -> Certificates {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("encryption-{name}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let (ca, other) = (authority("ca"), authority("other"));
        let of_server = signed(&ca, "server", &["localhost"]);
        let of_ann = signed(&ca, "ann", &[]);
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("a file");
        };
        write("ca.crt", &ca.pem());
        write("other.crt", &other.pem());
        write("server.crt", &of_server.0);
        write("ann.crt", &of_ann.0);
        write("ann.key", &of_ann.1);
        write("empty.crt", "");
        Certificates { folder, server: of_server, authority: ca.pem() }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A server that has them. The role `sealed` must come encrypted, `plain` must not, and `ann` has
    /// a certificate of her own; all may do everything.
    fn server(&self) -> Server {
        let file = |name: &str, content: &str| (name.to_owned(), content.to_owned());
        let line = |text: &str| text.to_owned();
        let options = Options {
            settings: vec![
                line("ssl = on"),
                line("ssl_cert_file = 'own.crt'"),
                line("ssl_key_file = 'own.key'"),
                line("ssl_ca_file = 'users.crt'"),
            ],
            files: vec![
                file("own.crt", &self.server.0),
                file("own.key", &self.server.1),
                file("users.crt", &self.authority),
            ],
            hba: vec![
                line("hostssl all sealed all scram-sha-256"),
                line("host all sealed all reject"),
                line("hostnossl all plain all scram-sha-256"),
                line("host all plain all reject"),
                line("hostssl all ann all cert"),
                line("host all ann all reject"),
            ],
            ..Options::fast()
        };
        let server = Server::start(&Installation::newest().expect("a Postgres"), options);
        let server = server.expect("a server");
        server
            .sql(
                "create role sealed superuser login password 'secret'; create role plain superuser login \
                 password 'secret'; create role ann superuser login; create table t(id int primary key); \
                 insert into t values (1)",
            )
            .expect("roles and a table");
        server
    }
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority")
}

/// A certificate for a name and hosts, and its key.
fn signed(by: &CertifiedIssuer<'static, KeyPair>, name: &str, hosts: &[&str]) -> (String, String) {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names of hosts");
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, by).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

fn config(server: &Server, host: &str, user: &str, parameters: &str) -> Config {
    let port = server.port();
    let text =
        format!("host={host} port={port} user={user} password=secret dbname=postgres {parameters}");
    Config::parse(&text).expect("a connection string")
}

/// Whether a connection comes about, and is encrypted.
fn connects(config: &Config) -> Result<bool, ServerError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let session = config.connect().await?;
        let sql = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
        Ok(session.query_one(sql, &[]).await.expect("an answer").get(0))
    })
}

/// Follows, and says of which of its sessions at the server how many are encrypted.
fn follows(server: &Server, config: Config, name: &str) -> (bool, bool) {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("encryption-{name}.db"));
    for end in ["", "-wal", "-shm"] {
        let mut file = path.clone().into_os_string();
        file.push(end);
        let _ = std::fs::remove_file(file);
    }
    let options = FollowOptions::new(config, Setup::default(), ReplicaOptions::new(&path));
    let follower = Follower::start(options).expect("a follower");
    follower.wait_until_copied(LONG).expect("a copy");
    let live = follower.database().subscribe_sql("SELECT id FROM t", ()).expect("live");
    let before = live.rows().len();
    server.sql("insert into t select coalesce(max(id), 0) + 1 from t").expect("a change");
    until("the change", || live.rows().len() == before + 1);
    let encrypted = |which: &str| {
        let sql = format!(
            "select bool_and(ssl) and bool_or(ssl) from pg_stat_ssl join pg_stat_activity using (pid) \
             where application_name = 'penstock' and backend_type {which} 'walsender'"
        );
        server.value(&sql).expect("an answer") == "t"
    };
    until("it has both kinds of sessions", || {
        let sql = "select count(distinct backend_type) from pg_stat_activity where application_name = 'penstock'";
        server.value(sql).expect("an answer") == "2"
    });
    let both = (encrypted("<>"), encrypted("="));
    follower.tear_down().expect("nothing is left");
    both
}

#[test]
fn connections_are_encrypted_as_the_mode_has_it() {
    let certificates = Certificates::make("modes");
    let server = certificates.server();
    let (ca, own) = (certificates.file("ca.crt"), certificates.file("server.crt"));
    let cases = [
        ("localhost", "sealed", "".to_owned(), true),
        ("localhost", "sealed", "sslmode=require".to_owned(), true),
        ("127.0.0.1", "sealed", format!("sslmode=verify-ca sslrootcert='{ca}'"), true),
        ("localhost", "sealed", format!("sslmode=verify-full sslrootcert='{ca}'"), true),
        // The server's certificate itself is trusted.
        ("localhost", "sealed", format!("sslmode=verify-full sslrootcert='{own}'"), true),
        // There is no place for who comes encrypted.
        ("localhost", "plain", "sslmode=prefer".to_owned(), false),
        ("localhost", "plain", "sslmode=disable".to_owned(), false),
    ];
    for (at, (host, user, parameters, encrypted)) in cases.into_iter().enumerate() {
        let config = config(&server, host, user, &parameters);
        assert_eq!(connects(&config), Ok(encrypted), "{user} {parameters}");
        let sessions = follows(&server, config, &format!("modes-{at}"));
        assert_eq!(sessions, (encrypted, encrypted), "{user} {parameters}");
    }
    let (certificate, key) = (certificates.file("ann.crt"), certificates.file("ann.key"));
    let own = format!("sslmode=require sslcert='{certificate}' sslkey='{key}'");
    let ann = config(&server, "localhost", "ann", &own);
    assert_eq!(follows(&server, ann, "own"), (true, true));
}

#[test]
fn who_is_not_to_be_trusted_is_refused_in_words() {
    let certificates = Certificates::make("refused");
    let server = certificates.server();
    let file = |name: &str| certificates.file(name);
    let (ca, other) = (file("ca.crt"), file("other.crt"));
    let cases = [
        (
            "localhost",
            "sealed",
            format!("sslmode=verify-full sslrootcert='{other}'"),
            "the certificate of localhost is not signed by an authority that is trusted: name the file of its authority with sslrootcert=FILE",
        ),
        (
            "localhost",
            "sealed",
            format!("sslmode=verify-ca sslrootcert='{other}'"),
            "is not signed by an authority",
        ),
        // A file of authorities is minded even where it need not be.
        (
            "localhost",
            "sealed",
            format!("sslmode=require sslrootcert='{other}'"),
            "is not signed by an authority",
        ),
        // The operating system does not know ours.
        ("localhost", "sealed", "sslmode=verify-full".to_owned(), "sslrootcert=FILE"),
        (
            "127.0.0.1",
            "sealed",
            format!("sslmode=verify-full sslrootcert='{ca}'"),
            "is not for the name 127.0.0.1",
        ),
        (
            "localhost",
            "sealed",
            format!("sslmode=verify-full sslrootcert='{ca}.not'"),
            "ca.crt.not",
        ),
        (
            "localhost",
            "sealed",
            format!("sslmode=verify-full sslrootcert='{}'", file("empty.crt")),
            "there are none",
        ),
        ("localhost", "sealed", "sslmode=disable".to_owned(), "SQLSTATE 28000"),
        ("localhost", "plain", "sslmode=require".to_owned(), "SQLSTATE 28000"),
        ("localhost", "ann", "sslmode=require".to_owned(), "SQLSTATE 28000"),
        (
            "localhost",
            "ann",
            format!("sslmode=require sslcert='{0}' sslkey='{0}'", file("ann.crt")),
            "sslkey: no key",
        ),
    ];
    for (host, user, parameters, expected) in cases {
        let error = connects(&config(&server, host, user, &parameters)).expect_err(&parameters);
        let text = error.to_string();
        assert!(text.contains(expected), "{user} {parameters}: {text}");
        assert!(!error.is_passing() && !text.contains("secret"), "{user} {parameters}: {text}");
    }
}

#[test]
fn a_server_without_encryption_is_talked_to_only_if_that_is_enough() {
    let server = Server::fast().expect("a server");
    server.sql("create table t(id int primary key)").expect("a table");
    for (at, parameters) in ["", "sslmode=prefer", "sslmode=disable"].into_iter().enumerate() {
        let config = config(&server, "localhost", "postgres", parameters);
        assert_eq!(connects(&config), Ok(false), "{parameters}");
        assert_eq!(follows(&server, config, &format!("without-{at}")), (false, false));
    }
    let required = config(&server, "localhost", "postgres", "sslmode=require");
    let error = connects(&required).expect_err("there is none");
    assert!(error.to_string().contains("the server does not offer encryption"), "{error}");
    assert!(!error.is_passing());
    // Through its Unix socket there is none, and none is needed.
    let socket =
        Config::parse(&format!("{} sslmode=require", server.socket_url())).expect("a socket");
    assert_eq!(connects(&socket), Ok(false));
}
