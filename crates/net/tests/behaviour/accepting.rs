#[cfg(unix)]
use crate::alone::alone;
use crate::hand::{listener, run};
use futures_util::StreamExt;
use kasasagi_net::{AddrErrors, ListenOptions, TcpListener, TcpStream};
use kasasagi_reactor::time::timeout;
use std::io::ErrorKind;
use std::time::Duration;

#[test]
fn srv_19_a_cancelled_accept_loses_no_connection() {
    run(async {
        let (listener, addr) = listener().await;
        assert!(timeout(Duration::from_millis(1), listener.accept()).await.is_err());
        let ours = TcpStream::connect(addr).await.expect("it listens");
        let (_, from) = listener.accept().await.expect("the connection waits");
        assert_eq!(from, ours.local_addr().expect("it is bound"));
    });
}

#[test]
fn connections_come_in_order_as_a_stream() {
    run(async {
        let (listener, addr) = listener().await;
        let mut clients = Vec::new();
        for _ in 0..10 {
            clients.push(TcpStream::connect(addr).await.expect("it listens"));
        }
        let mut incoming = listener.incoming();
        for client in &clients {
            let stream = incoming.next().await.expect("it never ends").expect("a client");
            assert_eq!(stream.peer_addr().expect("connected"), client.local_addr().expect("bound"));
        }
    });
}

#[test]
fn srv_17_a_connection_that_was_reset_in_the_queue_is_no_error() {
    run(async {
        let (listener, addr) = listener().await;
        let gone = TcpStream::connect(addr).await.expect("it listens");
        gone.set_linger(Some(Duration::ZERO)).expect("an option");
        drop(gone);
        let ours = TcpStream::connect(addr).await.expect("it listens");
        loop {
            let (_, from) = listener.accept().await.expect("the listener is sound");
            if from == ours.local_addr().expect("bound") {
                break;
            }
        }
    });
}

#[test]
fn srv_12_a_port_in_use_is_named() {
    run(async {
        let (listener, addr) = listener().await;
        let error = TcpListener::bind(addr).await.expect_err("somebody listens there");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&format!("listen on {addr}: ")), "{error}");
        assert!(error.get_ref().is_some_and(|inner| inner.is::<AddrErrors>()));
        drop(listener);
    });
}

#[test]
fn srv_14_a_port_can_be_shared_when_asked() {
    run(async {
        let options = ListenOptions::new().reuse_port(true);
        let first = TcpListener::bind_with("127.0.0.1:0", &options).await.expect("a free port");
        let addr = first.local_addr().expect("bound");
        options.bind(addr).await.expect("both said so");
    });
}

/// With every descriptor in use, `accept` pauses; with one free again, it takes the connection that waited.
#[test]
#[cfg(unix)]
fn srv_16_a_listener_outlives_a_shortage_of_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    alone("accepting::srv_16_a_listener_outlives_a_shortage_of_descriptors", || {
        run(async {
            let (listener, addr) = listener().await;
            let mut clients = vec![TcpStream::connect(addr).await.expect("it listens")];
            assert!(timeout(Duration::from_secs(5), listener.accept()).await.is_ok());
            clients.push(TcpStream::connect(addr).await.expect("it listens"));
            let maximum = getrlimit(Resource::Nofile).maximum;
            setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum })
                .expect("a lower limit");
            let mut hoard = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                hoard.push(file);
            }
            assert!(timeout(Duration::from_millis(60), listener.accept()).await.is_err());
            // 5 + 10 + 20 ms are over after 60 ms at the latest, and 5 + 10 + 20 + 40 are not: no spinning.
            assert!((1..=4).contains(&listener.pauses()), "{} pauses", listener.pauses());
            hoard.pop();
            let (_, from) = listener.accept().await.expect("the listener is whole");
            assert_eq!(from, clients[1].local_addr().expect("bound"));
        });
    });
}
