//! Chunked bodies that nobody read to their end: their connections are closed with the answer.
//!
//! In: a request with a chunked body. Out: its answer, which holds on to the rest of the body until it is
//! sent. The server closes the connection then; a rest that was let go of before it would read on, without
//! a limit of time or size.

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_util::Stream;
use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

/// A body that its request and its answer share.
#[derive(Clone)]
pub(super) struct Unread(Rc<RefCell<Payload>>);

/// Shares a chunked body. Others need not be: with a stated length the server closes by itself.
pub(super) fn share(request: &mut ServiceRequest) -> Option<Unread> {
    request.headers().contains_key(TRANSFER_ENCODING).then(|| {
        let unread = Unread(Rc::new(RefCell::new(request.take_payload())));
        request.set_payload(Payload::Stream { payload: Box::pin(unread.clone()) });
        unread
    })
}

impl Stream for Unread {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut *self.0.borrow_mut()).poll_next(cx)
    }
}

/// An answer's body, with what is left of the request's.
pub(super) struct Holding {
    pub(super) body: BoxBody,
    pub(super) _unread: Option<Unread>,
}

impl MessageBody for Holding {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}
