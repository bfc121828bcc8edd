//! Clients: HTTP/1.1 and h2c on hyper itself, gRPC, WebSocket, and bare TCP for what no client
//! library sends.

mod grpc;
mod http;
mod raw;
mod websocket;

pub use self::grpc::Talk;
pub use self::http::{
    Answer, Body, H1, H2, Pending, Version, fetch, full, get, post, read, streamed,
};
pub use self::raw::Raw;
pub use self::websocket::{Socket, open_websocket};
