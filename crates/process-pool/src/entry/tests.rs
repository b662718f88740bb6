//! Entry: distances lead back to their functions, and to nothing else.

use super::*;

fn double(n: u32) -> u32 {
    n * 2
}

fn call(function: Function, argument: u32) -> u32 {
    let (mut bytes, mut reply) = (Vec::new(), Vec::new());
    codec::encode(&argument, &mut bytes, 100).expect("it can be encoded");
    assert_eq!(function.call(&bytes, &mut reply, 100), Answer::Done);
    codec::decode(&reply).expect("it can be decoded")
}

#[test]
fn a_function_is_found_at_its_distance() {
    for function in [Function::of(double), Function::of(|n: u32| n + n)] {
        let distance = function.distance().expect("it is of this program");
        let found = Function::at(distance).expect("it lies in the code");
        assert_eq!(found, function);
        assert_eq!(call(found, 21), 42);
    }
}

#[test]
fn functions_lie_apart() {
    let functions = [
        Function::of(double).distance(),
        Function::of(|n: u32| n + 3).distance(),
        Function::of(|text: String| text.len()).distance(),
    ];
    assert!(functions[0] != functions[1] && functions[1] != functions[2]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_distance_out_of_the_code_is_refused() {
    for distance in [i64::MIN, -1, 0, 1, i64::MAX, 0_i64.wrapping_sub(anchor() as i64)] {
        assert_eq!(Function::at(distance), None, "{distance}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn this_image_is_the_program_and_has_a_build() {
    let image = image();
    assert!(image.is_program && image.has_identity && !image.code.is_empty() && image.build != 0);
}

#[cfg(target_os = "linux")]
#[test]
fn notes_are_read_to_the_build_id_and_no_further() {
    let note = |kind: u32, name: &[u8], content: &[u8]| {
        let mut bytes = Vec::new();
        for word in [name.len() as u32, content.len() as u32, kind] {
            bytes.extend(word.to_ne_bytes());
        }
        for part in [name, content] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    };
    let id = note(3, b"GNU\0", b"nineteen bytes of id");
    let expected = Some(digest(b"nineteen bytes of id"));
    assert_eq!(loader::build_id(&id), expected);
    assert_eq!(loader::build_id(&[note(1, b"GNU\0", b"abi"), id.clone()].concat()), expected);
    assert_eq!(loader::build_id(&note(3, b"Go\0", b"another's")), None);
    for length in 0..id.len() {
        assert_eq!(loader::build_id(&id[..length]), None, "{length} bytes");
    }
    let mut lie = id;
    lie[0..4].copy_from_slice(&u32::MAX.to_ne_bytes());
    assert_eq!(loader::build_id(&lie), None);
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn the_table_of_entries_is_found_and_ours_stands_in_it() {
    let table = image().entries.clone().expect("a program that is loaded anywhere says it");
    assert!(table.contains(&(&raw const BEFORE_MAIN).addr()), "{table:?}");
    let said = [[5, 7], [25, 0x100], [27, 0x18], [0, 0]];
    assert_eq!(loader::entries(&said, 0x1000), Some(0x1100..0x1118));
    let behind_the_end = [[25, 0x100], [0, 0], [27, 0x18]];
    assert_eq!(loader::entries(&behind_the_end, 0x1000), None);
    assert_eq!(loader::entries(&[[25, usize::MAX], [27, 8]], 0x1000), None);
}
