//! Bodies of requests on their way to a backend, and whether their sender has broken them off.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use axum_core::body::Body;
use bytes::Bytes;
use http::Request;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use palisade::body::{BodyFault, fault_of};

/// Why the body of a request has ended before its end, if it has.
pub(super) type Fault = Arc<OnceLock<BodyFault>>;

/// The same request, with the place where the fault of its body will stand.
pub(super) fn noting_faults(request: Request<Body>) -> (Request<Body>, Fault) {
    let fault = Fault::default();
    if request.body().is_end_stream() {
        return (request, fault);
    }
    let noted = Arc::clone(&fault);
    (request.map(|body| Body::new(Noting { body, fault: noted })), fault)
}

struct Noting {
    body: Body,
    fault: Fault,
}

impl HttpBody for Noting {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if let Poll::Ready(Some(Err(error))) = &frame {
            // A second fault changes nothing.
            let _ = self.fault.set(fault_of(error).unwrap_or(BodyFault::Severed));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
