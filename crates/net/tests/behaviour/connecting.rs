#[cfg(target_os = "linux")]
use crate::alone;
use crate::hand::{listener, refusing, run, silent};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use kasasagi_net::{AddrErrors, ConnectOptions, ListenOptions, TcpListener, TcpStream};
use kasasagi_reactor::time::timeout;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

#[test]
fn conn_01_every_address_is_tried_until_one_answers() {
    run(async {
        let (listener, addr) = listener().await;
        let (_kept, refused) = refusing();
        let stream = TcpStream::connect([refused, addr]).await.expect("the second one listens");
        assert_eq!(stream.peer_addr().expect("it is connected"), addr);
        drop(listener);
    });
}

#[test]
fn conn_01_when_all_fail_one_error_lists_all() {
    let ((_a, first), (_b, second)) = (refusing(), refusing());
    let error = run(TcpStream::connect([first, second])).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let text = error.to_string();
    assert!(text.starts_with(&format!("connect to {first}: Connection refused")), "{text}");
    assert!(text.contains(&format!("; {second}: Connection refused")), "{text}");
    let all = error.get_ref().and_then(|error| error.downcast_ref::<AddrErrors>());
    let tried: Vec<_> = all.expect("it holds them").attempts().iter().map(|(a, _)| *a).collect();
    assert_eq!(tried, [first, second]);
}

#[test]
fn conn_02_no_address_is_an_error() {
    let error = run(TcpStream::connect(Vec::new())).expect_err("there is nothing to connect to");
    assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    assert!(error.to_string().contains("connect to an empty list"), "{error}");
    assert!(run(TcpListener::bind([])).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn conn_04_a_timed_out_connect_closes_its_socket() {
    alone::alone("connecting::conn_04_a_timed_out_connect_closes_its_socket", || {
        run(async {
            let (_kept, addr) = silent();
            let before = alone::sockets();
            for _ in 0..3 {
                let connecting = TcpStream::connect(addr);
                assert!(timeout(Duration::from_millis(20), connecting).await.is_err());
            }
            assert_eq!(alone::sockets(), before);
        });
    });
}

#[test]
fn conn_05_a_local_address_is_honoured() {
    run(async {
        let (listener, addr) = listener().await;
        let local = SocketAddr::from(([127, 0, 0, 2], 0));
        let stream = TcpStream::connect_from(local, addr).await.expect("127.0.0.2 is loopback");
        assert_eq!(stream.local_addr().expect("it is bound").ip(), local.ip());
        assert_eq!(listener.accept().await.expect("a client").1.ip(), local.ip());
    });
}

#[test]
fn conn_05_a_local_address_in_use_is_named() {
    run(async {
        let (listener, addr) = listener().await;
        let error = TcpStream::connect_from(addr, addr).await.expect_err("the listener has it");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(
            error.to_string().contains(&format!("bind to the local address {addr}")),
            "{error}"
        );
        drop(listener);
    });
}

#[test]
fn conn_05_addresses_of_another_family_are_skipped() {
    run(async {
        let (listener, addr) = listener().await;
        let v6: SocketAddr = "[::1]:1".parse().expect("an address");
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        TcpStream::connect_from(local, [v6, addr]).await.expect("the second is of the family");
        let error = TcpStream::connect_from(local, v6).await.expect_err("none is of the family");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains("family"), "{error}");
        drop(listener);
    });
}

#[test]
fn conn_07_a_refused_port_is_connection_refused() {
    let (_kept, addr) = refusing();
    let error = run(TcpStream::connect(addr)).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn conn_08_nodelay_is_set_on_both_ends() {
    run(async {
        let (listener, addr) = listener().await;
        let ours = TcpStream::connect(addr).await.expect("it listens");
        let (theirs, _) = listener.accept().await.expect("a client");
        assert!(ours.nodelay().expect("an option") && theirs.nodelay().expect("an option"));
        let slow = ConnectOptions::new().nodelay(false).connect(addr).await.expect("it listens");
        assert!(!slow.nodelay().expect("an option"));
    });
}

#[test]
fn conn_16_a_cancelled_connect_can_be_made_again() {
    run(async {
        let ((listening, queue), addr) = silent();
        let connecting = TcpStream::connect(addr);
        assert!(timeout(Duration::from_millis(10), connecting).await.is_err());
        drop(queue);
        drop(listening);
        let listener = ListenOptions::new().bind(addr).await.expect("the port is free again");
        let (ours, theirs) =
            futures_util::future::join(TcpStream::connect(addr), listener.accept()).await;
        let (mut ours, mut theirs) = (ours.expect("it listens"), theirs.expect("a client").0);
        AsyncWriteExt::write_all(&mut ours, b"x").await.expect("it is connected");
        let mut buf = [0];
        AsyncReadExt::read_exact(&mut theirs, &mut buf).await.expect("it was sent");
    });
}
