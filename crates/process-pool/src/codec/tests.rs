//! Codec: round trips, limits, and bytes that are nobody's encoding.

use super::*;
use crate::Bytes;
use crate::frame::mix;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Magpie {
    Nest { eggs: u32, named: Option<String> },
    Flock(Vec<(i64, f64)>),
    Gone,
}

fn round<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let mut bytes = Vec::new();
    encode(value, &mut bytes, usize::MAX).expect("it can be encoded");
    assert_eq!(&decode::<T>(&bytes).expect("it can be decoded"), value);
}

#[test]
fn what_is_encoded_is_decoded() {
    round(&());
    round(&Magpie::Nest { eggs: 7, named: Some("kasa".into()) });
    round(&vec![Magpie::Flock(vec![(-1, 0.5), (i64::MAX, f64::MIN)]), Magpie::Gone]);
    round(&BTreeMap::from([(1_u8, "one".to_owned()), (2, "two".to_owned())]));
    round(&Bytes::from((0..=255).collect::<Vec<u8>>()));
    round(&Result::<u8, String>::Err("no".into()));
}

#[test]
fn what_is_longer_than_a_message_is_refused() {
    for fits in [20, 21] {
        assert_eq!(encode(&Bytes::from(vec![0; 19]), &mut Vec::new(), fits), Ok(()));
        assert_eq!(encode(&vec![0_u8; 19], &mut Vec::new(), fits), Ok(()));
    }
    for small in [0, 1, 19] {
        assert!(encode(&Bytes::from(vec![0; 19]), &mut Vec::new(), small).is_err());
        let refused = encode(&vec![0_u8; 19], &mut Vec::new(), small).expect_err("it is too long");
        assert!(refused.contains("max_message"), "{refused}");
    }
}

#[test]
fn what_is_left_over_is_an_error() {
    let mut bytes = Vec::new();
    encode(&5_u32, &mut bytes, 100).expect("it can be encoded");
    bytes.push(0);
    assert!(decode::<u32>(&bytes).expect_err("a byte is left over").contains("left over"));
}

#[test]
fn what_is_cut_off_is_an_error() {
    let mut bytes = Vec::new();
    let whole = Magpie::Nest { eggs: 300, named: Some("kasa".into()) };
    encode(&whole, &mut bytes, 100).expect("it can be encoded");
    for length in 0..bytes.len() {
        decode::<Magpie>(&bytes[..length]).expect_err("it is cut off");
    }
}

#[test]
fn random_bytes_are_an_error_or_a_value_and_no_panic() {
    let mut seed = 9;
    for length in 0..2_000 {
        let bytes: Vec<u8> = std::iter::repeat_with(|| {
            seed = mix(seed);
            seed as u8
        })
        .take(length % 97)
        .collect();
        let _ = decode::<Vec<Magpie>>(&bytes);
        let _ = decode::<(String, Bytes)>(&bytes);
        let _ = decode::<Vec<u64>>(&bytes);
    }
}

#[test]
fn a_length_that_lies_reserves_no_memory_for_it() {
    // A vector of four billion strings, which are not there.
    let lie = [0xff, 0xff, 0xff, 0xff, 0x0f];
    decode::<Vec<String>>(&lie).expect_err("it is cut off");
    decode::<Bytes>(&lie).expect_err("it is cut off");
}

#[test]
fn a_function_gets_its_argument_and_gives_its_result() {
    let (mut argument, mut reply) = (Vec::new(), Vec::new());
    encode(&(20_u8, 22_u8), &mut argument, 100).expect("it can be encoded");
    let add = |(a, b): (u8, u8)| u32::from(a) + u32::from(b);
    assert_eq!(answer(add, &argument, &mut reply, 100), Answer::Done);
    assert_eq!(decode::<u32>(&reply), Ok(42));
    let refused = answer(|name: String| name, &[9, b'a'], &mut reply, 100);
    assert!(matches!(refused, Answer::BadArgument(_)));
    let refused = answer(|(): ()| "0123456789", &[], &mut Vec::new(), 10);
    assert!(matches!(refused, Answer::BadResult(_)));
}
