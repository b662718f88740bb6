use crate::hand::{pair, run};
use futures_util::future::{join, join3};
use futures_util::{AsyncReadExt, AsyncWriteExt};
use kasasagi_net::{ReuniteError, TcpStream};
use kasasagi_reactor::time::timeout;
use std::io::{ErrorKind, IoSlice, IoSliceMut};
use std::net::Shutdown;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(2);

#[test]
fn conn_14_a_cancelled_read_takes_nothing() {
    run(async {
        let (ours, theirs) = pair().await;
        let mut buf = [0; 16];
        for _ in 0..3 {
            assert!(timeout(SHORT, ours.read(&mut buf)).await.is_err());
        }
        theirs.write_all(b"hello").await.expect("connected");
        assert_eq!(ours.read(&mut buf).await.expect("sent"), 5);
    });
}

#[test]
fn conn_15_a_cancelled_write_does_not_hinder_the_next() {
    run(async {
        let (ours, theirs) = pair().await;
        let much = vec![b'h'; 16 << 20];
        assert!(timeout(SHORT, ours.write_all(&much)).await.is_err());
        let send = async {
            ours.write_all(b"world").await.expect("connected");
            ours.shutdown(Shutdown::Write).expect("connected");
        };
        let receive = async {
            let mut all = Vec::new();
            (&theirs).read_to_end(&mut all).await.expect("connected");
            all
        };
        let ((), all) = join(send, receive).await;
        assert!(all.ends_with(b"world"));
    });
}

#[test]
fn conn_17_a_megabyte_each_way_at_once() {
    run(async {
        let (mut ours, mut theirs) = pair().await;
        let data: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(31) >> 3) as u8).collect();
        let exchange = async |stream: &mut TcpStream| {
            let (mut read, mut write) = stream.split();
            let mut back = vec![0; data.len()];
            let (sent, got) = join(write.write_all(&data), read.read_exact(&mut back)).await;
            sent.and(got).expect("connected");
            back == data
        };
        let whole = join(exchange(&mut ours), exchange(&mut theirs)).await;
        assert_eq!(whole, (true, true));
    });
}

#[test]
fn half_a_close_lets_the_answer_come_back() {
    run(async {
        let (mut ours, mut theirs) = pair().await;
        ours.write_all(b"question").await.expect("connected");
        ours.close().await.expect("connected");
        ours.close().await.expect("twice is fine");
        let mut question = String::new();
        theirs.read_to_string(&mut question).await.expect("it ends");
        theirs.write_all(b"answer").await.expect("our reading side is open");
        drop(theirs);
        let mut answer = String::new();
        ours.read_to_string(&mut answer).await.expect("it ends");
        assert_eq!((question.as_str(), answer.as_str()), ("question", "answer"));
        let error = ours.write(b"more").await.expect_err("the writing side is closed");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn closing_a_connection_that_is_gone_is_fine() {
    run(async {
        let (mut ours, theirs) = pair().await;
        theirs.set_linger(Some(Duration::ZERO)).expect("an option");
        drop(theirs);
        let mut buf = [0];
        let error = ours.read(&mut buf).await.expect_err("the peer reset it");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        ours.close().await.expect("there is nothing to close");
    });
}

#[test]
fn a_reset_wakes_a_reader_and_a_blocked_writer() {
    run(async {
        let (ours, theirs) = pair().await;
        let read = async { ours.read(&mut [0; 4]).await.map(|_| ()) };
        let write = async { ours.write_all(&vec![0; 64 << 20]).await };
        let reset = async {
            assert!(timeout(SHORT, theirs.peek(&mut [])).await.is_ok());
            theirs.set_linger(Some(Duration::ZERO)).expect("an option");
            drop(theirs);
        };
        let (read, write, ()) = join3(read, write, reset).await;
        let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
        // One of the two gets the reset itself; the other sees what it left: an end, or a broken pipe.
        assert!(read.map_or_else(|error| kinds.contains(&error.kind()), |()| true));
        assert!(kinds.contains(&write.expect_err("not all of it fits").kind()));
    });
}

#[test]
fn one_byte_at_a_time_is_every_byte() {
    run(async {
        let (ours, theirs) = pair().await;
        let text = b"one byte at a time";
        theirs.write_all(text).await.expect("connected");
        let mut got = Vec::new();
        while got.len() < text.len() {
            let mut byte = [0];
            assert_eq!(ours.read(&mut byte).await.expect("sent"), 1);
            got.push(byte[0]);
        }
        assert_eq!(got, text);
        assert!(timeout(SHORT, ours.read(&mut [0])).await.is_err(), "there is no more");
    });
}

#[test]
fn empty_reads_and_writes_do_not_wait() {
    run(async {
        let (mut ours, _theirs) = pair().await;
        assert_eq!(ours.read(&mut []).await.expect("nothing to do"), 0);
        assert_eq!(ours.peek(&mut []).await.expect("nothing to do"), 0);
        // The first wait fills the peer's window, so that a real write would wait.
        let _ = timeout(SHORT, ours.write_all(&vec![0; 64 << 20])).await;
        assert_eq!(ours.write(&[]).await.expect("nothing to do"), 0);
        assert_eq!(ours.write_vectored(&[IoSlice::new(&[])]).await.expect("nothing to do"), 0);
    });
}

#[test]
fn many_slices_leave_and_arrive_in_one_call() {
    run(async {
        let (mut ours, mut theirs) = pair().await;
        let slices = [IoSlice::new(b"head "), IoSlice::new(b""), IoSlice::new(b"body")];
        assert_eq!(ours.write_vectored(&slices).await.expect("connected"), 9);
        let (mut a, mut b) = ([0; 5], [0; 8]);
        let n = theirs
            .read_vectored(&mut [IoSliceMut::new(&mut a), IoSliceMut::new(&mut b)])
            .await
            .expect("sent");
        assert_eq!((n, &a, &b[..4]), (9, b"head ", &b"body"[..]));
    });
}

#[test]
fn a_peek_takes_nothing() {
    run(async {
        let (ours, theirs) = pair().await;
        theirs.write_all(b"abc").await.expect("connected");
        let mut buf = [0; 8];
        for _ in 0..3 {
            assert_eq!(ours.peek(&mut buf).await.expect("sent"), 3);
        }
        assert_eq!(ours.read(&mut buf).await.expect("sent"), 3);
    });
}

#[test]
fn read_exact_says_how_much_there_was() {
    run(async {
        let (ours, theirs) = pair().await;
        theirs.write_all(b"abc").await.expect("connected");
        drop(theirs);
        let error = ours.read_exact(&mut [0; 8]).await.expect_err("it ends before");
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(error.to_string(), "the stream ended after 3 of 8 bytes");
    });
}

#[test]
fn owned_halves_come_together_again_or_end_the_stream() {
    run(async {
        let (ours, mut theirs) = pair().await;
        let (read, write) = ours.into_split();
        let (other, _end) = pair().await;
        let (stranger, other_write) = other.into_split();
        let Err(ReuniteError(stranger, write)) = stranger.reunite(write) else {
            panic!("they are of two connections")
        };
        let ours = read.reunite(write).expect("they are of one");
        drop(stranger.reunite(other_write));
        ours.write_all(b"still open").await.expect("reuniting ends nothing");
        let (mut read, write) = ours.into_split();
        drop(write);
        let mut text = String::new();
        theirs.read_to_string(&mut text).await.expect("the write half's drop ends it");
        assert_eq!(text, "still open");
        theirs.write_all(b"yes").await.expect("reading goes on");
        read.read_exact(&mut [0; 3]).await.expect("sent");
    });
}

#[test]
fn std_streams_go_in_and_come_out() {
    run(async {
        let (ours, theirs) = pair().await;
        let ours = ours.into_std().expect("it is forgotten");
        let ours = TcpStream::from_std(ours).expect("it is watched again");
        theirs.write_all(b"x").await.expect("connected");
        ours.read_exact(&mut [0]).await.expect("sent");
        ours.set_ttl(9).expect("an option");
        assert_eq!(ours.ttl().expect("an option"), 9);
        ours.set_nodelay(false).expect("an option");
        assert!(!ours.nodelay().expect("an option"));
        assert!(ours.take_error().expect("an option").is_none());
        assert_eq!(ours.peer_addr().expect("connected"), theirs.local_addr().expect("bound"));
    });
}
