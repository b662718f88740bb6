use http_body_util::Empty;
use hyper::body::Bytes;
use kasasagi::net::TcpStream;
use kasasagi_http::*;

fn everywhere<T: Send + Sync + Unpin + 'static>() {}

#[test]
fn all_of_it_goes_to_other_threads() {
    everywhere::<Io<TcpStream>>();
    everywhere::<Connector>();
    everywhere::<Connecting>();
    everywhere::<Executor>();
    everywhere::<Timer>();
    everywhere::<Client<Empty<Bytes>>>();
    everywhere::<Serve<()>>();
    everywhere::<Stopped>();
}
