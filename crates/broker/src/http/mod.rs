//! What an operator looks at: `/metrics` for Prometheus, `/healthz` for who starts and ends
//! processes, and a page at `/`.

mod connections;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use klamm_types::TopicPartition;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::groups::{OFFSETS, Standing};
use crate::shared::Shared;
use connections::{Busy, Connections};

const PAGE: &str = include_str!("page.html");
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a connection lasts.
const LONGEST: Duration = Duration::from_secs(30);
const BREATH: Duration = Duration::from_millis(50);
/// How long the head of a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers until `stopping` says so.
pub(crate) async fn serve(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let mut connections = Connections::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return Ok(()),
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot take an HTTP connection: {error}");
                tokio::time::sleep(BREATH).await;
                continue;
            }
        };
        // All are in their first request, which ends soon.
        while !connections.make_room() && !*stopping.borrow() {
            tokio::time::sleep(BREATH).await;
        }
        let (shared, busy) = (Arc::clone(&shared), Busy::default());
        let own = busy.clone();
        let task = tokio::spawn(async move {
            // Who does not read must not keep others out.
            let _ = tokio::time::timeout(LONGEST, answer(stream, &shared, &own)).await;
        });
        connections.add(task.abort_handle(), busy);
    }
}

async fn answer(stream: TcpStream, shared: &Arc<Shared>, busy: &Busy) {
    let respond = |request: Request<Incoming>| {
        let (shared, busy) = (Arc::clone(shared), busy.clone());
        async move {
            let asked = (request.method().clone(), request.uri().path().to_owned());
            busy.begin();
            // The figures of partitions may have to be read from the disk.
            let work = move || {
                let response = respond(&asked.0, &asked.1, &shared);
                // Not when the response is taken: one that is not read is not waited for.
                busy.end();
                response
            };
            let done = tokio::task::spawn_blocking(work).await;
            let failed = |_| plain(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be answered\n");
            Ok::<_, Infallible>(done.unwrap_or_else(failed))
        }
    };
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(PATIENCE).keep_alive(true);
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service_fn(respond)).await {
        tracing::debug!(%error, "an HTTP connection ended");
    }
}

fn respond(method: &Method, path: &str, shared: &Shared) -> Response<Full<Bytes>> {
    match (method, path) {
        (&Method::GET | &Method::HEAD, "/") => response(StatusCode::OK, HTML, PAGE.to_owned()),
        (&Method::GET | &Method::HEAD, "/metrics") => {
            response(StatusCode::OK, OPEN_METRICS, shared.metrics.text(&shared.metadata, &shared.groups))
        }
        (&Method::GET | &Method::HEAD, "/healthz") => health(shared),
        (&Method::GET | &Method::HEAD, _) => {
            plain(StatusCode::NOT_FOUND, "there are /, /metrics and /healthz\n")
        }
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD\n"),
    }
}

/// Well, or what failed: directories, partitions, partitions of groups, background tasks, reads.
fn health(shared: &Shared) -> Response<Full<Bytes>> {
    let folders = shared.metadata.storage().folders().iter().filter(|folder| folder.logs().is_none());
    let folders = folders.map(|folder| format!("folder {} failed\n", folder.path.display()));
    let offline = shared.metadata.storage().offline().into_iter();
    let partitions =
        offline.map(|(partition, reason)| format!("partition {partition} is offline: {reason}\n"));
    let standings = shared.groups.standings().into_iter().enumerate();
    let groups = standings.filter(|(_, standing)| *standing == Standing::Failed).map(|(partition, _)| {
        format!("the groups of {OFFSETS}-{partition} are not served: it cannot be read, the log says why\n")
    });
    let storage = shared.metadata.storage();
    let failures = storage.failures().lines(|log| storage.log(log).map(|log| log.bounds().start()));
    let refusing = refusing(shared).into_iter();
    let refusing =
        refusing.map(|(partition, why)| format!("partition {partition} takes no records: {why}\n"));
    let failed: String = folders.chain(partitions).chain(groups).chain(refusing).chain(failures).collect();
    match failed.is_empty() {
        true => plain(StatusCode::OK, "ok\n"),
        false => response(StatusCode::SERVICE_UNAVAILABLE, TEXT, failed),
    }
}

/// Partitions that cannot be written to, and why: those whose log has failed, and those that
/// refused what came last.
fn refusing(shared: &Shared) -> BTreeMap<TopicPartition, String> {
    let storage = shared.metadata.storage();
    let mut refusing: BTreeMap<_, _> =
        shared.stuck.refusing(|partition| storage.log(partition).is_some()).into_iter().collect();
    refusing.extend(shared.groups.refusing());
    refusing.extend(shared.metadata.refusing());
    refusing.extend(storage.failed_logs());
    refusing
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    response(status, TEXT, text.to_owned())
}

fn response(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
