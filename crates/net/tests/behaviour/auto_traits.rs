use kasasagi_net::*;

fn everywhere<T: Send + Sync + Unpin + 'static>() {}

#[test]
fn sockets_and_futures_go_to_other_threads() {
    everywhere::<TcpListener>();
    everywhere::<TcpStream>();
    everywhere::<OwnedReadHalf>();
    everywhere::<OwnedWriteHalf>();
    everywhere::<ReadHalf<'static>>();
    everywhere::<WriteHalf<'static>>();
    everywhere::<Accept<'static>>();
    everywhere::<Incoming<'static>>();
    everywhere::<Bind>();
    everywhere::<Connect>();
    everywhere::<LookupHost>();
    everywhere::<Read<'static>>();
    everywhere::<ReadExact<'static>>();
    everywhere::<Peek<'static>>();
    everywhere::<Write<'static>>();
    everywhere::<WriteAll<'static>>();
    everywhere::<ListenOptions>();
    everywhere::<ConnectOptions>();
    everywhere::<AddrErrors>();
    everywhere::<ReuniteError>();
}
