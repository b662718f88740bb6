//! Transport: frames in pieces, large ones, and streams that lie.

use super::*;
use crate::frame::Kind;
use std::io::Write;
use std::os::unix::net::UnixStream;

const BUILD: u64 = 5;
const LIMIT: usize = 1 << 26;

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("the system gives a pair")
}

fn bytes_of(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u32;
    let header = Header { kind, length, call: 3, distance: 0 };
    [&header.to_bytes(BUILD)[..], payload].concat()
}

#[test]
fn frames_come_one_after_the_other() {
    let (ours, theirs) = pair();
    let mut incoming = Incoming::default();
    for payload in [&b""[..], b"one", b"two", b""] {
        let frame = Outgoing::new(Header::new(Kind::Job, 9), payload, BUILD);
        frame.send_all(&ours).expect("it is sent");
        let header = incoming.read_all(&theirs, BUILD, LIMIT).expect("it is read");
        assert_eq!(header.map(|header| header.length as usize), Some(payload.len()));
        assert_eq!(incoming.payload(), payload);
        incoming.clear();
    }
    drop(ours);
    assert_eq!(incoming.read_all(&theirs, BUILD, LIMIT).expect("it ends"), None);
}

#[test]
fn a_frame_may_come_by_the_byte() {
    let (mut ours, theirs) = pair();
    let mut incoming = Incoming::default();
    let bytes = bytes_of(Kind::Done, b"kachi");
    for (at, byte) in bytes.iter().enumerate() {
        ours.write_all(&[*byte]).expect("it is written");
        let step = incoming.read(&theirs, BUILD, LIMIT).expect("it is read");
        assert_eq!(matches!(step, Step::Frame(_)), at + 1 == bytes.len());
    }
    assert_eq!(incoming.payload(), b"kachi");
}

#[test]
fn a_large_frame_goes_in_pieces_and_its_memory_is_given_back() {
    let (ours, theirs) = pair();
    let payload: Vec<u8> = (0..16 << 20).map(|n: u32| (n % 251) as u8).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let frame = Outgoing::new(Header::new(Kind::Job, 1), &payload, BUILD);
            frame.send_all(&ours).expect("it is sent");
        });
        let mut incoming = Incoming::default();
        incoming.read_all(&theirs, BUILD, LIMIT).expect("it is read");
        assert!(incoming.payload() == payload);
        incoming.clear();
        assert!(incoming.bytes.capacity() <= KEEP);
    });
}

#[test]
fn a_stream_that_ends_within_a_frame_ends() {
    let bytes = bytes_of(Kind::Done, b"kachi");
    for length in 0..bytes.len() {
        let (mut ours, theirs) = pair();
        ours.write_all(&bytes[..length]).expect("it is written");
        drop(ours);
        let read = Incoming::default().read_all(&theirs, BUILD, LIMIT);
        assert!(matches!(read, Ok(None)), "{length} bytes: {read:?}");
    }
}

#[test]
fn garbage_and_a_length_above_the_limit_are_errors() {
    let garbage = [b'x'; 100].to_vec();
    let long = bytes_of(Kind::Done, &[0; 64]);
    let more = [bytes_of(Kind::Done, b"kachi"), vec![0]].concat();
    for bytes in [garbage, long, more] {
        let (mut ours, theirs) = pair();
        ours.write_all(&bytes).expect("it is written");
        drop(ours);
        let error = Incoming::default().read_all(&theirs, BUILD, 63).expect_err("it is no frame");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}

#[test]
fn a_length_that_lies_reserves_no_memory_for_it() {
    let header = Header { kind: Kind::Done, length: 1 << 30, call: 3, distance: 0 };
    let (mut ours, theirs) = pair();
    let mut incoming = Incoming::default();
    ours.write_all(&header.to_bytes(BUILD)).expect("it is written");
    for _ in 0..100 {
        ours.write_all(&[7; 10_000]).expect("it is written");
        let step = incoming.read(&theirs, BUILD, usize::MAX).expect("it is read");
        assert_eq!(step, Step::Part);
        let (length, capacity) = (incoming.bytes.len(), incoming.bytes.capacity());
        assert!(capacity <= 2 * length + TRUST + FIRST, "{capacity} for {length}");
    }
    drop(ours);
    assert!(matches!(incoming.read_all(&theirs, BUILD, usize::MAX), Ok(None)));
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    let (ours, theirs) = pair();
    drop(theirs);
    let frame = Outgoing::new(Header::new(Kind::Bye, 0), b"", BUILD);
    assert_eq!(frame.send_all(&ours).expect_err("it is gone").kind(), io::ErrorKind::BrokenPipe);
}
