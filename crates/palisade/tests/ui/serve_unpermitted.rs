use std::future::Ready;
use std::task::{Context, Poll};

use axum::body::Body;
use http::{Request, Response};
use palisade::Chain;
use palisade::stage::Stop;
use tower::Service;

#[derive(Clone)]
struct Anybody;

impl Service<Request<Body>> for Anybody {
    type Response = Response<Body>;
    type Error = Stop;
    type Future = Ready<Result<Response<Body>, Stop>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Stop>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        std::future::ready(Ok(Response::new(Body::empty())))
    }
}

fn listen(_: impl Service<Request<Body>>) {}

fn main() {
    listen(Chain::new().build(Anybody).unwrap());
}
