//! HTTP/1.1 and HTTP/2 (prior knowledge) over one TCP connection each.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use ::http::{HeaderMap, HeaderValue, Request, Response, Uri};
use anyhow::{Context, Result};
use bytes::Bytes;
use futures::Stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::time;

use crate::background::Background;
use crate::eventually::eventually;

/// A request that waits for its response; dropping it resets the stream.
pub type Pending = Pin<Box<dyn Future<Output = Result<Response<Incoming>>> + Send>>;

/// The body of a request.
pub type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// Which protocol to speak; the URL is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.1.
    H1,
    /// HTTP/2 without TLS, by prior knowledge.
    H2,
}

/// A response, whole.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// The trailers, where there were any.
    pub trailers: HeaderMap,
}

/// An HTTP/1.1 connection: one request at a time.
#[derive(Debug)]
pub struct H1 {
    sender: http1::SendRequest<Body>,
    _driver: Background,
}

/// An HTTP/2 connection: any number of requests, in the order of the calls.
#[derive(Debug)]
pub struct H2 {
    sender: http2::SendRequest<Body>,
    _driver: Background,
}

impl Answer {
    /// A header's value; empty when it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> Result<serde_json::Value> {
        serde_json::from_slice(&self.body).with_context(|| format!("read JSON: {}", self.text()))
    }
}

impl H1 {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = connect(address).await?;
        let (sender, connection) = http1::handshake(stream).await.context("open HTTP/1.1")?;
        let driver = Background::start(async {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "HTTP/1.1 connection ended");
            }
        });
        Ok(Self {
            sender,
            _driver: driver,
        })
    }

    /// Whether the other side has closed it: nothing more can be sent.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends a request with an absolute URL and waits for the response's headers.
    pub async fn send(&mut self, mut request: Request<Body>) -> Result<Response<Incoming>> {
        let host = request
            .uri()
            .host()
            .context("the URL names a host")?
            .to_owned();
        if !request.headers().contains_key("host") {
            request
                .headers_mut()
                .insert("host", HeaderValue::from_str(&host)?);
        }
        let path = request
            .uri()
            .path_and_query()
            .context("the URL has a path")?
            .as_str();
        *request.uri_mut() = path.parse::<Uri>().context("take the path of the URL")?;
        self.sender
            .ready()
            .await
            .context("wait for the connection")?;
        self.sender
            .send_request(request)
            .await
            .context("send a request")
    }
}

impl H2 {
    /// Connects.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = connect(address).await?;
        let builder = http2::Builder::new(TokioExecutor::new());
        let (sender, connection) = builder.handshake(stream).await.context("open HTTP/2")?;
        let driver = Background::start(async {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "HTTP/2 connection ended");
            }
        });
        Ok(Self {
            sender,
            _driver: driver,
        })
    }

    /// Whether the other side has closed it, or takes nothing more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Sends until one is held: not answered for a while. For what only a later update brings about,
    /// such as a new route; before it has arrived, requests are answered at once.
    pub async fn send_until_held(&self, url: &str, deadline: Duration) -> Result<Pending> {
        eventually(deadline, &format!("{url} is held"), async || {
            let mut request: Pending = Box::pin(self.send(get(url).ok()?));
            let answered = time::timeout(Duration::from_millis(300), request.as_mut()).await;
            answered.is_err().then_some(request)
        })
        .await
    }

    /// Sends a request with an absolute URL at once; the future waits for the response's headers.
    /// Dropping the future resets the stream.
    pub fn send(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Incoming>>> + Send + use<> {
        let response = self.sender.clone().send_request(request);
        async { response.await.context("send a request") }
    }
}

/// Sends one request on a connection of its own and reads the whole answer.
pub async fn fetch(
    version: Version,
    address: SocketAddr,
    request: Request<Body>,
) -> Result<Answer> {
    match version {
        Version::H1 => read(H1::open(address).await?.send(request).await?).await,
        Version::H2 => {
            let connection = H2::open(address).await?;
            let answer = read(connection.send(request).await?).await;
            drop(connection);
            answer
        }
    }
}

/// Reads a response to its end.
pub async fn read(response: Response<Incoming>) -> Result<Answer> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("read the body")?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let status = head.status.as_u16();
    Ok(Answer {
        status,
        headers: head.headers,
        body: body.to_bytes(),
        trailers,
    })
}

/// A GET.
pub fn get(url: &str) -> Result<Request<Body>> {
    Request::get(url).body(full("")).context("make a request")
}

/// A POST.
pub fn post(url: &str, body: Body) -> Result<Request<Body>> {
    Request::post(url).body(body).context("make a request")
}

/// A body of known length.
pub fn full(data: impl Into<Bytes>) -> Body {
    Full::new(data.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// A body of unknown length: chunked in HTTP/1.1.
pub fn streamed(chunks: impl Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures::StreamExt as _;
    StreamBody::new(chunks.map(|chunk| Ok(Frame::data(chunk)))).boxed_unsync()
}

async fn connect(address: SocketAddr) -> Result<TokioIo<TcpStream>> {
    let stream = TcpStream::connect(address).await.context("connect")?;
    stream.set_nodelay(true).context("set TCP_NODELAY")?;
    Ok(TokioIo::new(stream))
}
