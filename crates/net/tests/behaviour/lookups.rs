use crate::hand::{run, without_pool};
use kasasagi_net::{TcpStream, lookup_host};
use std::io::ErrorKind;

#[test]
fn conn_06_a_service_name_is_a_port() {
    let found = run(lookup_host("127.0.0.1:http")).expect("http is known everywhere");
    assert_eq!(found, ["127.0.0.1:80".parse().expect("an address")]);
}

#[test]
fn conn_06_an_unknown_service_is_an_error_that_names_it() {
    let error = run(lookup_host(("127.0.0.1", "nonsense"))).expect_err("there is no such service");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("no service `nonsense`"), "{error}");
}

#[test]
fn conn_06_a_number_needs_no_pool() {
    let found = without_pool(lookup_host("[fe80::1%1]:80")).expect("it is a number");
    assert_eq!(found[0].to_string(), "[fe80::1%1]:80");
    without_pool(lookup_host(("127.0.0.1", "https"))).expect("both are numbers");
}

#[test]
fn a_name_without_a_pool_is_an_error_that_says_what_to_do() {
    let error = without_pool(TcpStream::connect("localhost:80")).expect_err("there is no pool");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("kasasagi::run"), "{error}");
}

#[test]
fn conn_11_localhost_is_found_on_the_pool_each_address_once() {
    let found = run(lookup_host("localhost:7")).expect("localhost is known");
    assert!(found.iter().all(|addr| addr.ip().is_loopback() && addr.port() == 7), "{found:?}");
    let mut once = found.clone();
    once.dedup();
    assert_eq!(once, found);
}

#[test]
fn a_name_that_is_not_found_is_named() {
    let error = run(TcpStream::connect("name.invalid:80")).expect_err("RFC 6761: never resolves");
    assert!(error.to_string().starts_with("look up name.invalid:80: "), "{error}");
}
