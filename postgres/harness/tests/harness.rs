//! The harness against every version installed.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use penstock_postgres_harness::server::{Stop, processes_in};
use penstock_postgres_harness::{Client, Installation, Options, Proxy, Server, until};

fn each(test: impl Fn(Server)) {
    for installation in Installation::all().expect("a Postgres to test with") {
        test(Server::start(&installation, Options::fast()).expect("it starts"));
    }
}

#[test]
fn a_server_answers_and_leaves_nothing_behind() {
    each(|server| {
        let version = server.value("show server_version").expect("an answer");
        assert!(version.starts_with(&server.installation().major.to_string()), "{version}");
        assert_eq!(server.value("show wal_level").expect("an answer"), "logical");
        let socket = Client::connect(&server.socket_url()).expect("the socket");
        assert_eq!(socket.value("select 1 + 1").expect("an answer"), "2");
        let data = server.data();
        assert!(
            processes_in(&data).len() > 3,
            "its processes are found: {:?}",
            processes_in(&data)
        );
        drop((server, socket));
        assert_eq!(processes_in(&data), []);
        assert!(!data.exists() && !data.parent().expect("its folder").exists());
    });
}

#[test]
fn what_was_committed_survives_a_crash() {
    let installation = Installation::newest().expect("a Postgres to test with");
    let mut server = Server::start(&installation, Options::default()).expect("it starts");
    server.sql("create table t (id int); insert into t values (1), (2)").expect("written");
    let port = server.port();
    server.crash().expect("it starts again");
    assert_eq!(server.port(), port);
    assert_eq!(server.value("select count(*) from t").expect("an answer"), "2");
    server.stop(Stop::Fast).expect("it stops");
    assert_eq!(processes_in(&server.data()), []);
    assert!(!server.is_running() && server.sql("select 1").is_err());
    server.start_again().expect("it starts again");
    assert_eq!(server.value("select count(*) from t").expect("an answer"), "2");
}

#[test]
fn a_server_goes_back_to_a_backup_on_its_timeline_or_a_new_one() {
    each(|mut server| {
        let identity = "select system_identifier from pg_control_system()";
        let timeline = "select timeline_id from pg_control_checkpoint()";
        let slots = "select count(*) from pg_replication_slots";
        server.sql("create table t (id int)").expect("made");
        server.sql("select pg_create_logical_replication_slot('s', 'pgoutput')").expect("made");
        let before = server.value(identity).expect("an answer");
        let backup = server.back_up().expect("a copy");
        server.sql("insert into t values (1)").expect("written");
        server.go_back(&backup).expect("it goes back");
        assert_eq!(server.value("select count(*) from t").expect("an answer"), "0");
        assert_eq!(server.value(timeline).expect("an answer"), "1");
        assert_eq!(server.value(slots).expect("an answer"), "1");
        server.restore(&backup, false).expect("it is restored");
        server.sql("checkpoint").expect("done");
        assert_eq!(server.value(timeline).expect("an answer"), "2");
        assert_eq!(server.value(slots).expect("an answer"), "0");
        server.sql("insert into t values (1)").expect("written");
        server.fail_over().expect("it fails over");
        server.sql("checkpoint").expect("done");
        assert_eq!(server.value(timeline).expect("an answer"), "3");
        assert_eq!(server.value("select count(*) from t").expect("an answer"), "1");
        assert_eq!(server.value(identity).expect("an answer"), before);
    });
}

#[test]
fn the_watchdog_stops_a_server_whose_test_was_killed() {
    // The test runs itself as a child that starts a server and is killed.
    if let Ok(report) = std::env::var("PENSTOCK_HARNESS_VICTIM") {
        let server = Server::fast().expect("it starts");
        std::fs::write(report + ".tmp", server.data().display().to_string()).expect("written");
        let report = std::env::var("PENSTOCK_HARNESS_VICTIM").expect("it was there");
        std::fs::rename(format!("{report}.tmp"), report).expect("renamed");
        loop {
            std::thread::park();
        }
    }
    let report = std::env::temp_dir().join(format!("penstock-victim-{}", std::process::id()));
    let mut victim = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", "the_watchdog_stops_a_server_whose_test_was_killed"])
        .env("PENSTOCK_HARNESS_VICTIM", &report)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it runs");
    until("the victim has a server", || report.exists());
    let data = std::path::PathBuf::from(std::fs::read_to_string(&report).expect("a path"));
    assert!(!processes_in(&data).is_empty());
    victim.kill().expect("killed");
    victim.wait().expect("gone");
    until("the server is gone", || processes_in(&data).is_empty());
    until("its folder is gone", || !data.exists());
    std::fs::remove_file(report).expect("removed");
}

/// A server that repeats what it hears.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let (mut reader, mut writer) = (&stream, &stream);
                let _ = std::io::copy(&mut reader, &mut writer);
            });
        }
    });
    port
}

fn heard(stream: &mut TcpStream, text: &[u8]) -> bool {
    let mut answer = vec![0; text.len()];
    stream.write_all(text).is_ok() && stream.read_exact(&mut answer).is_ok() && answer == text
}

#[test]
fn a_proxy_strands_connections_and_points_new_ones_elsewhere() {
    let proxy = Proxy::to(echo()).expect("a proxy");
    let connect = || TcpStream::connect(("127.0.0.1", proxy.port())).expect("connected");
    let mut stranded = connect();
    assert_eq!(said(&mut stranded, b"hello"), Some(5));
    proxy.strand();
    stranded.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a time-out");
    assert_eq!(said(&mut stranded, b"hello"), None, "nothing comes, and no end either");
    assert_eq!(said(&mut connect(), b"hello"), Some(5));
    let nobody = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a port");
    proxy.point_to(nobody.port());
    assert_eq!(said(&mut connect(), b"hello"), Some(0), "it is closed at once");
}

/// How many bytes come back; none if nothing does in time.
fn said(to: &mut TcpStream, what: &[u8]) -> Option<usize> {
    let _ = to.write_all(what);
    match to.read(&mut [0; 16]) {
        Ok(count) => Some(count),
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => Some(0),
        Err(_) => None,
    }
}

#[test]
fn a_proxy_passes_freezes_and_cuts() {
    let proxy = Proxy::to(echo()).expect("a proxy");
    let connect = || TcpStream::connect(("127.0.0.1", proxy.port())).expect("connected");
    let mut stream = connect();
    assert!(heard(&mut stream, b"hello"));
    assert_eq!((proxy.bytes_passed(), proxy.connections_made()), (5, 1));

    proxy.freeze();
    stream.write_all(b"frozen").expect("the connection is open");
    stream.set_read_timeout(Some(std::time::Duration::from_millis(50))).expect("set");
    assert!(stream.read(&mut [0; 6]).is_err(), "nothing passes");
    proxy.thaw();
    stream.set_read_timeout(None).expect("set");
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).expect("it passes again");
    assert_eq!(&answer, b"frozen");

    proxy.cut();
    assert!(!heard(&mut stream, b"hello"));
    let mut stream = connect();
    assert!(heard(&mut stream, b"hello"));
    proxy.cut_after(7);
    assert!(heard(&mut stream, b"hello"));
    assert!(!heard(&mut stream, b"hello"));
    proxy.refuse(true);
    assert!(!heard(&mut connect(), b"hello"));
    proxy.refuse(false);
    assert!(heard(&mut connect(), b"hello"));
}

#[test]
fn an_error_of_the_server_names_its_code() {
    let server = Server::fast().expect("it starts");
    let error = server.sql("select * from nowhere").expect_err("there is no such table");
    assert_eq!(error.0, "relation \"nowhere\" does not exist (42P01)");
}
