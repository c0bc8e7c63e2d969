//! Answers, and the body type that can break off.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::{
    HeaderMap, Response, StatusCode,
    body::{Body, Frame, SizeHint},
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue},
};

/// An answer before it is sent. The headers are boxed to keep it small: it is also the error type of
/// handlers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: Box<HeaderMap>,
    pub(crate) body: Bytes,
    /// Announce the whole length, send half and cut the connection.
    pub(crate) cut: bool,
}

impl Reply {
    pub(crate) fn new(status: StatusCode) -> Self {
        Self { status, headers: Box::new(HeaderMap::with_capacity(16)), body: Bytes::new(), cut: false }
    }

    pub(crate) fn body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        self.body = body.into();
        self
    }

    /// Adds a header. A value which no header can carry is left out.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub(crate) fn set(&mut self, name: &'static str, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
    }

    pub(crate) fn set_static(&mut self, name: &'static str, value: &'static str) {
        self.headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }

    pub(crate) fn into_response(self) -> Response<ReplyBody> {
        let mut response = Response::new(ReplyBody { data: self.body, cut: self.cut, stage: Stage::Data });
        *response.status_mut() = self.status;
        *response.headers_mut() = *self.headers;
        if response.body().cut {
            let length = response.body().data.len();
            response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }
}

/// The body of an answer: all of it at once, or half of it and then a broken connection.
#[derive(Debug)]
pub(crate) struct ReplyBody {
    data: Bytes,
    cut: bool,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Data,
    /// Half is written. One more turn, so that it reaches the client before the connection breaks.
    Flush,
    Break,
    End,
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match self.stage {
            Stage::Data => {
                self.stage = if self.cut { Stage::Flush } else { Stage::End };
                let end = if self.cut { self.data.len() / 2 } else { self.data.len() };
                Poll::Ready(Some(Ok(Frame::data(self.data.slice(..end)))))
            }
            Stage::Flush => {
                self.stage = Stage::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Stage::Break => {
                self.stage = Stage::End;
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
            }
            Stage::End => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.stage == Stage::End || (!self.cut && self.data.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        let sent = if self.stage == Stage::Data { 0 } else { self.data.len() };
        SizeHint::with_exact((self.data.len() - sent) as u64)
    }
}
