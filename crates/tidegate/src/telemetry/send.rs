//! Sends one batch to a collector: a connection of its own, one attempt, and one more after a moment where the collector says
//! that it is busy (OTLP specification, "OTLP/HTTP", 2026-11).

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

use crate::config::Collector;

/// How long one attempt may take.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before the second attempt.
const RETRY_DELAY: Duration = Duration::from_millis(500);
/// The port of OTLP over HTTP.
const PORT: u16 = 4318;

/// Why a batch did not arrive.
#[derive(Debug, Error)]
pub(super) enum SendError {
    /// There is no connection.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The exchange broke.
    #[error("the exchange broke: {0}")]
    Http(#[from] hyper::Error),
    /// The request cannot be written.
    #[error("the request cannot be written: {0}")]
    Request(#[from] http::Error),
    /// The collector refused.
    #[error("the collector answered {0}")]
    Status(StatusCode),
    /// The collector was silent.
    #[error("the collector did not answer in time")]
    Silent,
}

impl SendError {
    /// Whether the collector asks for another attempt.
    fn is_passing(&self) -> bool {
        matches!(self, Self::Status(status) if matches!(status.as_u16(), 429 | 502 | 503 | 504))
    }
}

/// Sends a batch.
pub(super) async fn send(collector: &Collector, body: Vec<u8>) -> Result<(), SendError> {
    let body = Bytes::from(body);
    match attempt_in_time(collector, body.clone()).await {
        Err(error) if error.is_passing() => {
            tokio::time::sleep(RETRY_DELAY).await;
            attempt_in_time(collector, body).await
        }
        outcome => outcome,
    }
}

async fn attempt_in_time(collector: &Collector, body: Bytes) -> Result<(), SendError> {
    tokio::time::timeout(ATTEMPT_TIMEOUT, attempt(collector, body)).await.unwrap_or(Err(SendError::Silent))
}

async fn attempt(collector: &Collector, body: Bytes) -> Result<(), SendError> {
    let host = collector.authority.host().trim_start_matches('[').trim_end_matches(']');
    let stream = TcpStream::connect((host, collector.authority.port_u16().unwrap_or(PORT))).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the exchange, whose failure is seen below.
    let carrying = tokio::spawn(connection);
    let mut request = Request::post(collector.path.as_str())
        .header(HOST, collector.authority.as_str())
        .header(CONTENT_TYPE, "application/x-protobuf")
        .body(Full::new(body))?;
    request.headers_mut().extend(collector.headers.iter().cloned());
    let answer = sender.send_request(request).await;
    carrying.abort();
    match answer?.status() {
        status if status.is_success() => Ok(()),
        status => Err(SendError::Status(status)),
    }
}
