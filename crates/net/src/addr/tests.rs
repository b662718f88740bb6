use super::sealed::ToQuery;
use super::*;

fn known(query: Query) -> Vec<String> {
    match query {
        Query::Known(addrs) => addrs.map(|addr| addr.to_string()).collect(),
        other => panic!("not known without a resolver: {other:?}"),
    }
}

fn refusal(text: &str) -> String {
    match text.to_query() {
        Query::Invalid(error) => {
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            error.to_string()
        }
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn conn_06_numbers_need_no_resolver() {
    assert_eq!(known("127.0.0.1:80".to_query()), ["127.0.0.1:80"]);
    assert_eq!(known("[::1]:80".to_query()), ["[::1]:80"]);
    assert_eq!(known("[fe80::1%1]:80".to_query()), ["[fe80::1%1]:80"]);
    assert_eq!(known(("fe80::1%1", 80).to_query()), ["[fe80::1%1]:80"]);
    assert_eq!(known(("[::1]", 80).to_query()), ["[::1]:80"]);
    assert_eq!(known((String::from("10.0.0.1"), 1).to_query()), ["10.0.0.1:1"]);
    assert_eq!(known((Ipv4Addr::LOCALHOST, 1).to_query()), ["127.0.0.1:1"]);
    assert_eq!(known((Ipv6Addr::LOCALHOST, 1).to_query()), ["[::1]:1"]);
    let both = [SocketAddr::from(([1, 1, 1, 1], 1)), SocketAddr::from(([2, 2, 2, 2], 2))];
    assert_eq!(known(both.to_query()), ["1.1.1.1:1", "2.2.2.2:2"]);
    assert_eq!(known(both.to_vec().to_query()), ["1.1.1.1:1", "2.2.2.2:2"]);
    assert_eq!(known((&&both[..]).to_query()), ["1.1.1.1:1", "2.2.2.2:2"]);
}

#[test]
fn names_go_to_the_resolver_as_they_stand() {
    for (query, text) in [
        ("example.com:80".to_query(), "example.com:80"),
        ("localhost:http".to_query(), "localhost:http"),
        (("localhost", "http").to_query(), "localhost:http"),
        (("localhost", "80").to_query(), "localhost:80"),
        ("[fe80::1%eth0]:80".to_query(), "fe80::1%eth0:80"),
    ] {
        match query {
            Query::Unknown(name) => assert_eq!(name.to_string(), text),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn what_is_no_address_is_refused_with_a_remedy() {
    assert!(refusal("example.com").contains("write \"example.com:80\""));
    assert!(refusal("example.com:").contains("write \"example.com:80\""));
    assert!(refusal("::1:80").contains("\"[::1]:80\""));
    assert!(refusal(":80").contains("0.0.0.0"));
    assert!(refusal("example.com:65536").contains("65535"));
}
