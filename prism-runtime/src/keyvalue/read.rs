//! Get and Scan: pages.

use std::sync::Arc;

use futures_util::stream;

use super::Options;
use super::page::{Page, PageRead, Position, Query, Shape};
use super::selection::Selection;
use super::validate::{Checker, Field, served};
use crate::proto::keyvalue::v1::{GetRequest, ScanRequest};
use crate::service::{Context, Encoded, MessageStream, Reply};
use crate::store::StoreFuture;
use crate::store::keyvalue::KeyValueStore;
use crate::{Error, Result, page_token};

/// What reads need. Cheap to clone.
#[derive(Clone)]
pub(super) struct Reader {
    pub(super) store: Arc<dyn KeyValueStore>,
    pub(super) options: Arc<Options>,
}

impl Reader {
    pub(super) fn get(&self, context: Context, request: GetRequest) -> Reply {
        let read = match self.start_get(&context, request) {
            Ok(read) => read,
            Err(error) => return Reply::Ready(Err(error)),
        };
        match self.store.read(read) {
            StoreFuture::Ready(Some(Ok(read))) => Reply::Ready(self.respond(&context, read)),
            StoreFuture::Ready(Some(Err(error))) => Reply::Ready(Err(error)),
            pending => {
                let reader = self.clone();
                Reply::future(async move {
                    let read = pending.await?;
                    reader.respond(&context, read)
                })
            }
        }
    }

    pub(super) fn scan(&self, context: Context, request: ScanRequest) -> Reply {
        match self.start_scan(&context, request) {
            Ok((read, limit)) => Reply::Stream(self.clone().pages(context, read, limit)),
            Err(error) => Reply::Ready(Err(error)),
        }
    }

    fn start_get(&self, context: &Context, request: GetRequest) -> Result<PageRead> {
        let now = self.options.clock.now_micros();
        let mut check = Checker::new(&self.options, now);
        check.namespace(&request.namespace);
        check.id(Field(2, "id"), &request.id);
        let selection = check.predicate(Field(3, "predicate"), request.predicate);
        check.limit(Field(4, "limit"), request.limit.into());
        check.finish()?;
        served(&self.options, &request.namespace)?;
        let query = Query { namespace: request.namespace, id: Some(request.id), selection, now };
        let after = self.open(Shape::Items, context, &query, &request.page_token)?;
        let page = Page::new(Shape::Items, limit_of(request.limit.into()), after);
        Ok(PageRead { query, page })
    }

    fn start_scan(&self, context: &Context, request: ScanRequest) -> Result<(PageRead, u64)> {
        let now = self.options.clock.now_micros();
        let mut check = Checker::new(&self.options, now);
        check.namespace(&request.namespace);
        if let Some(id) = &request.id {
            check.id(Field(2, "id"), id);
        }
        let selection = check.predicate(Field(3, "predicate"), request.predicate);
        check.limit(Field(4, "limit"), request.limit);
        check.finish()?;
        served(&self.options, &request.namespace)?;
        let query = Query { namespace: request.namespace, id: request.id, selection, now };
        let limit = limit_of(request.limit);
        let after = self.open(Shape::Scanned, context, &query, &request.page_token)?;
        Ok((PageRead { query, page: Page::new(Shape::Scanned, limit, after) }, limit))
    }

    /// The pages of a scan. Each is a read of its own that begins when the one before it was
    /// taken: between them the scan holds nothing.
    fn pages(self, context: Context, first: PageRead, limit: u64) -> MessageStream {
        let start = Some((first, limit));
        Box::pin(stream::try_unfold(start, move |state| {
            let (reader, context) = (self.clone(), context.clone());
            async move {
                let Some((mut read, limit)) = state else { return Ok::<_, Error>(None) };
                read.query.now = reader.options.clock.now_micros();
                let mut read = reader.store.read(read).await?;
                let left = limit.saturating_sub(read.page.items());
                let Some(next) = read.page.next().cloned() else {
                    return Ok(Some((read.page.into_response(None), None)));
                };
                let token = reader.seal(Shape::Scanned, &context, &read.query, &next)?;
                let following = Page::new(Shape::Scanned, left, Some(next));
                let page = std::mem::replace(&mut read.page, following);
                let response = page.into_response(Some(&token));
                Ok(Some((response, (left > 0).then_some((read, left)))))
            }
        }))
    }

    fn respond(&self, context: &Context, read: PageRead) -> Result<Encoded> {
        let token = match read.page.next() {
            Some(next) => Some(self.seal(Shape::Items, context, &read.query, next)?),
            None => None,
        };
        Ok(read.page.into_response(token.as_deref()))
    }

    fn seal(
        &self,
        shape: Shape,
        context: &Context,
        query: &Query,
        next: &Position,
    ) -> Result<Vec<u8>> {
        let binding = binding(shape, context, query);
        let token = self.options.page_tokens.seal(&binding, &next.encode(), query.now)?;
        Ok(token.into_bytes())
    }

    fn open(
        &self,
        shape: Shape,
        context: &Context,
        query: &Query,
        token: &[u8],
    ) -> Result<Option<Position>> {
        if token.is_empty() {
            return Ok(None);
        }
        // Bytes that are not text are not a token: any text that does not open gives the same error.
        let text = std::str::from_utf8(token).unwrap_or("?");
        let binding = binding(shape, context, query);
        let position = self.options.page_tokens.open(&binding, text, query.now, "page_token")?;
        Position::decode(&position).map(Some).ok_or_else(|| page_token::invalid("page_token"))
    }
}

/// 0 stands for no limit.
fn limit_of(limit: i64) -> u64 {
    match u64::try_from(limit) {
        Ok(limit) if limit > 0 => limit,
        _ => u64::MAX,
    }
}

/// What a page token is bound to: method, caller and everything of the request but its limit.
fn binding(shape: Shape, context: &Context, query: &Query) -> [u8; 32] {
    let mut hash = blake3::Hasher::new();
    let mut part = |bytes: Option<&[u8]>| {
        // The length before each part, and one that no part has for an absent one.
        hash.update(&bytes.map_or(u64::MAX, |bytes| bytes.len() as u64).to_le_bytes());
        hash.update(bytes.unwrap_or_default());
    };
    part(Some(match shape {
        Shape::Items => b"/prism.keyvalue.v1.KeyValueService/Get",
        Shape::Scanned => b"/prism.keyvalue.v1.KeyValueService/Scan",
    }));
    part(Some(context.caller().identity().as_bytes()));
    part(Some(query.namespace.as_bytes()));
    part(query.id.as_deref().map(str::as_bytes));
    match &query.selection {
        Selection::All => part(Some(b"all")),
        Selection::Keys(keys) => {
            part(Some(b"keys"));
            keys.iter().for_each(|key| part(Some(key)));
        }
        Selection::Range { start, end } => {
            part(Some(b"range"));
            part(Some(start));
            part(end.as_deref());
        }
    }
    hash.finalize().into()
}
