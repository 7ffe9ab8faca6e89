//! Streams over real sockets: the whole answer as a client of HTTP/1.1 gets it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::get;
use tocsin_api::live::{Live, respond};
use tocsin_pipeline::commit::Publish;
use tocsin_testkit::sse::{Client, ClientError};
use tokio::net::TcpListener;

use crate::world::{US, World, ann, brief, event};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

const PATH: &str = "/events/security";

/// Serves ann's stream.
async fn serve(live: &Arc<Live>) -> SocketAddr {
    let live = Arc::clone(live);
    let answer = move |request: Request| {
        let live = Arc::clone(&live);
        async move { respond(&live, &ann(), &request.into_parts().0) }
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, Router::new().route(PATH, get(answer))).into_future());
    address
}

/// What a blocking client does.
async fn apart<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(act).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_reads_comes_back_and_sees_the_end() {
    let mut world = World::new();
    let server = serve(&world.live).await;
    let mut client = apart(move || {
        let mut client = Client::open(server, PATH, &[], PATIENCE).unwrap();
        client.read_chunk().unwrap();
        client
    })
    .await;
    assert!((2_000..=5_000).contains(&client.lint().retry_ms().unwrap()));
    world.step(US, &[event(1)]);
    let (id, first) = apart(move || {
        let first = client.next_event().unwrap().unwrap();
        (client.lint().last_event_id().to_string(), brief(&first))
    })
    .await;
    assert_eq!(first, "event 1");
    // The client was dropped: its connection goes, and its place with it.
    while world.publisher.is_followed(US) {
        tokio::task::yield_now().await;
    }
    world.step(US, &[event(2)]);
    let (mut client, second) = apart(move || {
        let mut client = Client::open(server, PATH, &[("Last-Event-ID", &id)], PATIENCE).unwrap();
        let second = client.next_event().unwrap().unwrap();
        (client, brief(&second))
    })
    .await;
    assert_eq!(second, "event 2");
    world.stop.stop();
    assert_eq!(apart(move || client.next_event().unwrap()).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_too_many_is_refused_in_words() {
    let world = World::new();
    let server = serve(&world.live).await;
    let refused = apart(move || {
        let open = || Client::open(server, PATH, &[], PATIENCE);
        let _held: Vec<Client> = (0..5).map(|_| open().unwrap()).collect();
        open().unwrap_err()
    })
    .await;
    let ClientError::Refused { status, body, .. } = refused else { panic!("{refused}") };
    assert_eq!((status, body.contains("Max 5 SSE connections per user")), (429, true));
}
