//! Headers: what is written is read, and nothing else is.

use super::*;

const LIMIT: usize = 1 << 30;

fn job() -> Header {
    Header { kind: Kind::Job, length: 1234, call: 7, distance: -0x1234_5678_9abc }
}

#[test]
fn a_header_is_read_as_it_was_written() {
    for kind in [Kind::Hello, Kind::Unfit, Kind::Job, Kind::Done, Kind::Panicked, Kind::Bye] {
        let header = Header { kind, ..job() };
        assert_eq!(Header::from_bytes(&header.to_bytes(42), 42, LIMIT), Ok(header));
    }
}

#[test]
fn a_header_of_another_build_is_garbage() {
    assert_eq!(Header::from_bytes(&job().to_bytes(42), 43, LIMIT), Err(BadHeader::Garbage));
}

#[test]
fn a_header_with_any_bit_flipped_is_garbage() {
    let bytes = job().to_bytes(42);
    for bit in 0..HEADER * 8 {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::from_bytes(&flipped, 42, LIMIT), Err(BadHeader::Garbage), "bit {bit}");
    }
}

#[test]
fn a_length_above_the_limit_is_refused_before_anything_is_read() {
    let long = Header { length: 101, ..job() };
    let refused = Header::from_bytes(&long.to_bytes(42), 42, 100);
    assert_eq!(refused, Err(BadHeader::TooLong { length: 101, limit: 100 }));
    let short = Header { length: 100, ..job() };
    assert_eq!(Header::from_bytes(&short.to_bytes(42), 42, 100), Ok(short));
}

#[test]
fn an_unknown_kind_is_garbage_though_its_check_is_right() {
    let mut bytes = job().to_bytes(42);
    bytes[4..8].copy_from_slice(&99_u32.to_ne_bytes());
    let sum = check(&bytes, 42);
    bytes[24..32].copy_from_slice(&sum.to_ne_bytes());
    assert_eq!(Header::from_bytes(&bytes, 42, LIMIT), Err(BadHeader::Garbage));
}

#[test]
fn random_bytes_are_garbage() {
    let mut seed = 1;
    for _ in 0..10_000 {
        let mut bytes = [0; HEADER];
        for chunk in bytes.chunks_mut(8) {
            seed = mix(seed);
            chunk.copy_from_slice(&seed.to_ne_bytes());
        }
        bytes[0..4].copy_from_slice(b"ksp1");
        assert_eq!(Header::from_bytes(&bytes, 42, LIMIT), Err(BadHeader::Garbage));
    }
}

#[test]
fn a_digest_depends_on_length_and_order() {
    let digests = [digest(b""), digest(b"\0"), digest(b"ab"), digest(b"ba"), digest(b"ab\0")];
    for (at, one) in digests.iter().enumerate() {
        assert!(!digests[at + 1..].contains(one));
    }
}
