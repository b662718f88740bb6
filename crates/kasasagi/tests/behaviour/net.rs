//! Sockets under tasks; what concerns one socket alone is in the tests of `net` itself.

#[cfg(unix)]
use crate::alone::alone;
use crate::flavour::in_each_flavour;
use futures_util::AsyncReadExt;
use kasasagi::net::{TcpListener, TcpStream, lookup_host};
use kasasagi::{FutureExt, Task, spawn, time, yield_now};
use std::io::ErrorKind;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let addr = listener.local_addr().expect("a bound socket has an address");
    (listener, addr)
}

/// A port on which nobody listens any more.
async fn refusing() -> SocketAddr {
    listener().await.1
}

/// Two ends of one connection, made by two tasks.
async fn pair() -> (TcpStream, TcpStream) {
    let (listener, addr) = listener().await;
    let theirs = spawn(async move { listener.accept().await });
    let ours = TcpStream::connect(addr).await.expect("it listens");
    (ours, theirs.await.expect("no panic").expect("a client comes").0)
}

/// Says `line` back, connection by connection, until the runtime ends.
fn echo(listener: TcpListener) -> Task<()> {
    spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            drop(spawn(async move {
                let mut buf = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut buf).await {
                    stream.write_all(&buf[..n]).await.expect("the client reads");
                }
            }));
        }
    })
}

#[test]
fn conn_01_all_addresses_are_tried_and_all_failures_are_told() {
    in_each_flavour(async || {
        let (first, second) = (refusing().await, refusing().await);
        let error = TcpStream::connect([first, second]).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let text = error.to_string();
        assert!(text.contains(&first.to_string()) && text.contains(&second.to_string()), "{text}");
        let (listener, addr) = listener().await;
        TcpStream::connect([first, addr]).await.expect("the second one listens");
        drop(listener);
    });
}

#[test]
fn conn_02_no_address_is_an_error() {
    in_each_flavour(async || {
        let error = TcpStream::connect([]).await.expect_err("there is nothing to connect to");
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}

#[test]
#[cfg(target_os = "linux")]
fn conn_04_connections_of_cancelled_tasks_leave_no_socket() {
    alone("net::conn_04_connections_of_cancelled_tasks_leave_no_socket", || {
        in_each_flavour(async || {
            let (listener, addr) = listener().await;
            let before = crate::alone::sockets();
            for n in 0..100 {
                let task = spawn(async move { drop(TcpStream::connect(addr).await) });
                if n % 2 == 0 {
                    yield_now().await;
                }
                task.cancel();
                let _ = task.await;
            }
            assert_eq!(crate::alone::sockets(), before);
            drop(listener);
        });
    });
}

#[test]
fn conn_05_a_local_address_in_use_is_named() {
    in_each_flavour(async || {
        let (listener, addr) = listener().await;
        let error = TcpStream::connect_from(addr, addr).await.expect_err("it is in use");
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&addr.to_string()));
        drop(listener);
    });
}

#[test]
fn conn_06_names_services_and_numbers() {
    in_each_flavour(async || {
        let found = lookup_host("localhost:http").await.expect("localhost is known");
        assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 80));
        let scoped = lookup_host("[fe80::1%1]:80").await.expect("it is a number");
        assert_eq!(scoped[0].to_string(), "[fe80::1%1]:80");
        let error = lookup_host("localhost:nonsense").await.expect_err("there is no such service");
        assert!(error.to_string().contains("`nonsense`"), "{error}");
    });
}

#[test]
fn conn_07_conn_08_refused_is_refused_and_nodelay_is_on() {
    in_each_flavour(async || {
        let error = TcpStream::connect(refusing().await).await.expect_err("nobody listens");
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let (ours, theirs) = pair().await;
        assert!(ours.nodelay().expect("an option") && theirs.nodelay().expect("an option"));
    });
}

#[test]
fn conn_14_a_cancelled_read_leaves_the_data_to_the_next_reader() {
    in_each_flavour(async || {
        let (ours, theirs) = pair().await;
        let ours = Arc::new(ours);
        for round in 0..50u8 {
            let stream = Arc::clone(&ours);
            let reader = spawn(async move { stream.read(&mut [0; 8]).await });
            if round % 2 == 0 {
                yield_now().await;
            }
            reader.cancel();
            assert!(reader.await.is_err(), "nothing has been sent");
            theirs.write_all(&[round]).await.expect("connected");
            let mut byte = [0];
            assert_eq!(ours.read(&mut byte).await.expect("it is there"), 1);
            assert_eq!(byte[0], round);
        }
    });
}

#[test]
fn conn_15_a_cancelled_write_does_not_hinder_the_next() {
    in_each_flavour(async || {
        let (ours, mut theirs) = pair().await;
        let ours = Arc::new(ours);
        let stream = Arc::clone(&ours);
        let writer = spawn(async move { stream.write_all(&vec![b'h'; 64 << 20]).await });
        let mut first = [0];
        theirs.read_exact(&mut first).await.expect("it has begun");
        writer.cancel();
        assert!(writer.await.is_err(), "not all of it fits");
        let reader = spawn(async move {
            let mut all = Vec::new();
            theirs.read_to_end(&mut all).await.map(|_| all)
        });
        ours.write_all(b"world").await.expect("connected");
        ours.shutdown(Shutdown::Write).expect("connected");
        let all = reader.await.expect("no panic").expect("it ends");
        assert!(all.ends_with(b"hworld"));
    });
}

#[test]
fn conn_16_a_cancelled_connect_can_be_made_again() {
    in_each_flavour(async || {
        let (listener, addr) = listener().await;
        drop(echo(listener));
        for _ in 0..20 {
            let connecting = spawn(async move { TcpStream::connect(addr).await });
            connecting.cancel();
            drop(connecting.await);
            let stream = TcpStream::connect(addr).await.expect("it listens");
            stream.write_all(b"again").await.expect("connected");
            let mut back = [0; 5];
            stream.read_exact(&mut back).await.expect("it comes back");
            assert_eq!(&back, b"again");
        }
    });
}

#[test]
fn conn_17_a_megabyte_each_way_at_once_in_four_tasks() {
    in_each_flavour(async || {
        let (ours, theirs) = pair().await;
        let data: Arc<[u8]> = (0..1u32 << 20).map(|n| (n.wrapping_mul(31) >> 3) as u8).collect();
        let mut tasks = Vec::new();
        for stream in [ours, theirs] {
            let (mut read, mut write) = stream.into_split();
            let (sent, expected) = (Arc::clone(&data), Arc::clone(&data));
            tasks.push(spawn(async move { write.write_all(&sent).await.is_ok() }));
            tasks.push(spawn(async move {
                let mut back = Vec::new();
                AsyncReadExt::read_to_end(&mut read, &mut back).await.is_ok()
                    && back[..] == expected[..]
            }));
        }
        for task in tasks {
            assert!(task.await.expect("no panic"));
        }
    });
}

#[test]
fn half_a_close_lets_the_answer_come_back() {
    in_each_flavour(async || {
        let (mut ours, mut theirs) = pair().await;
        let answer = spawn(async move {
            let mut question = String::new();
            theirs.read_to_string(&mut question).await.expect("it ends");
            theirs.write_all(question.to_uppercase().as_bytes()).await.expect("still open");
        });
        ours.write_all(b"question").await.expect("connected");
        ours.shutdown(Shutdown::Write).expect("connected");
        let mut text = String::new();
        ours.read_to_string(&mut text).await.expect("it ends");
        answer.await.expect("no panic");
        assert_eq!(text, "QUESTION");
    });
}

#[test]
fn a_reset_reaches_a_task_that_waits() {
    in_each_flavour(async || {
        let (ours, theirs) = pair().await;
        let reader = spawn(async move { ours.read(&mut [0]).await });
        yield_now().await;
        theirs.set_linger(Some(Duration::ZERO)).expect("an option");
        drop(theirs);
        let error = reader.await.expect("no panic").expect_err("the peer reset it");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    });
}

#[test]
fn one_byte_reads_and_empty_writes() {
    in_each_flavour(async || {
        let (ours, theirs) = pair().await;
        assert_eq!(theirs.write(b"").await.expect("nothing to do"), 0);
        theirs.write_all(b"bytes").await.expect("connected");
        for expected in b"bytes" {
            let mut byte = [0];
            assert_eq!(ours.read(&mut byte).await.expect("sent"), 1);
            assert_eq!(byte[0], *expected);
        }
        assert!(time::timeout(Duration::from_millis(2), ours.read(&mut [0])).await.is_err());
    });
}

#[test]
fn two_hundred_connections_talk_at_once() {
    in_each_flavour(async || {
        let (listener, addr) = listener().await;
        drop(echo(listener));
        let done = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..200u32)
            .map(|n| {
                let done = Arc::clone(&done);
                spawn(async move {
                    let stream = TcpStream::connect(addr).await.expect("it listens");
                    for round in 0..20 {
                        let message = (n << 8 | round).to_le_bytes();
                        stream.write_all(&message).await.expect("connected");
                        let mut back = [0; 4];
                        stream.read_exact(&mut back).await.expect("it comes back");
                        assert_eq!(back, message);
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        assert_eq!(done.load(Ordering::Relaxed), 200);
    });
}

#[test]
fn srv_19_several_acceptors_get_every_connection_once() {
    in_each_flavour(async || {
        let (listener, addr) = listener().await;
        let listener = Arc::new(listener);
        let acceptors: Vec<_> = (0..4)
            .map(|_| {
                let listener = Arc::clone(&listener);
                spawn(async move {
                    for _ in 0..10 {
                        drop(listener.accept().await.expect("the listener is sound"));
                    }
                })
            })
            .collect();
        let last = Arc::clone(&listener);
        let given_up = spawn(async move { drop(last.accept().await) });
        yield_now().await;
        given_up.cancel();
        drop(given_up.await);
        let clients: Vec<_> = (0..41).map(|_| spawn(TcpStream::connect(addr))).collect();
        for acceptor in acceptors {
            acceptor.await.expect("no panic, and 40 connections");
        }
        for client in clients {
            client.await.expect("no panic").expect("the backlog takes it");
        }
        listener.accept().await.expect("the one that is left");
    });
}

#[test]
#[cfg(unix)]
fn srv_16_a_listener_outlives_a_shortage_of_descriptors() {
    alone("net::srv_16_a_listener_outlives_a_shortage_of_descriptors", || {
        in_each_flavour(async || {
            let (listener, addr) = listener().await;
            let (server, client) = (Arc::new(listener), TcpStream::connect(addr).await);
            let old = rlimit::getrlimit(rlimit::Resource::NOFILE).expect("Unix has it");
            rlimit::setrlimit(rlimit::Resource::NOFILE, 64, old.1).expect("a lower limit");
            let mut hoard = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                hoard.push(file);
            }
            let listener = Arc::clone(&server);
            let accepting = spawn(async move { listener.accept().await });
            while server.pauses() == 0 {
                time::sleep(Duration::from_millis(1)).await;
            }
            drop(hoard);
            let (_, from) = accepting.await.expect("no panic").expect("the listener is whole");
            assert_eq!(from, client.expect("it listens").local_addr().expect("bound"));
            rlimit::setrlimit(rlimit::Resource::NOFILE, old.0, old.1).expect("it was so before");
        });
    });
}

/// Waits until the task called `name` waits for something, and says for what and where.
async fn wait_site(name: &str) -> (&'static str, u32) {
    loop {
        let all = kasasagi::task::all();
        let wait = all.iter().find(|task| &*task.name == name).and_then(|task| task.wait);
        if let Some((wait, place)) = wait.and_then(|wait| Some((wait, wait.place?))) {
            assert_eq!(place.file(), file!(), "{name}: {wait:?}");
            return (wait.kind.as_str(), place.line());
        }
        yield_now().await;
    }
}

#[test]
fn a_waiting_socket_is_shown_with_the_line_that_asked() {
    in_each_flavour(async || {
        let (listener, addr) = listener().await;
        let stream = Arc::new(TcpStream::connect(addr).await.expect("it listens"));
        let _theirs = listener.accept().await.expect("a client comes");
        let (reading, peeking) = (Arc::clone(&stream), Arc::clone(&stream));
        let line = line!();
        let tasks = [
            spawn(async move { drop(listener.accept().await) }.named("accepts")),
            spawn(async move { drop(reading.read(&mut [0]).await) }.named("reads")),
            spawn(async move { drop(peeking.peek(&mut [0]).await) }.named("peeks")),
            spawn(async move { drop(stream.write_all(&vec![0; 64 << 20]).await) }.named("writes")),
        ];
        assert_eq!(wait_site("accepts").await, ("readable", line + 2));
        assert_eq!(wait_site("reads").await, ("readable", line + 3));
        assert_eq!(wait_site("peeks").await, ("readable", line + 4));
        assert_eq!(wait_site("writes").await, ("writable", line + 5));
        for task in tasks {
            task.cancel();
            drop(task.await);
        }
    });
}

/// Over loopback a connection is made or refused by the time `connect` returns; a full queue leaves it open.
#[test]
#[cfg(target_os = "linux")]
fn a_connection_under_way_is_shown_as_one() {
    in_each_flavour(async || {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.expect("a socket is to be had");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("a free port");
        socket.listen(0).expect("a bound socket listens");
        let addr = socket.local_addr().expect("it is bound").as_socket().expect("it is IPv4");
        let full: Vec<_> = (0..8).map(|_| spawn(TcpStream::connect(addr))).collect();
        let line = line!() + 1;
        let connects = spawn(async move { drop(TcpStream::connect(addr).await) }.named("connects"));
        assert_eq!(wait_site("connects").await, ("connect", line));
        for task in full.iter() {
            task.cancel();
        }
        connects.cancel();
        drop(connects.await);
    });
}
