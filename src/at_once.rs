//! Work that is done while its caller waits: how much of it, and for how long.

use std::{future::Future, time::Duration};

use futures::future::join_all;

use crate::error::Result;

/// The most objects of a job that is carried out within its request, and that ends as soon as its last object is done.
/// More take longer than a caller waits, and ending them early would cost a list for each object.
pub const FEW: usize = 5;

/// How long a caller waits for them; what has no result by then goes through the queue. Well below the 200 seconds
/// within which the API answers, and enough for the retries of a single request.
pub const WITHIN: Duration = Duration::from_secs(20);

/// Does `work` for each item, all concurrently, and returns what came of each: `None` for an item whose work failed, or
/// was not done in time. Work is stopped wherever it is then, so it has to be safe to do again.
pub async fn each<'a, T: 'a, D, F>(items: &'a [T], work: impl Fn(&'a T) -> F) -> Vec<Option<D>>
where
    F: Future<Output = Result<D>>,
{
    let works: Vec<_> = items.iter().map(|item| in_time(work(item))).collect();
    join_all(works).await
}

async fn in_time<D>(work: impl Future<Output = Result<D>>) -> Option<D> {
    match tokio::time::timeout(WITHIN, work).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => {
            tracing::info!("Not done within the request: {error}");
            None
        }
        Err(_) => {
            tracing::info!("Not done within the request: it takes more than {} seconds", WITHIN.as_secs());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::error::Error;

    #[tokio::test(start_paused = true)]
    async fn what_fails_or_takes_too_long_holds_up_nothing_else() {
        let began = tokio::time::Instant::now();
        let done = each(&["done", "fails", "hangs"], async |item| match *item {
            "hangs" => pending().await,
            "fails" => Err(Error::Busy("busy".into())),
            done => Ok(done),
        });
        assert_eq!(done.await, [Some("done"), None, None]);
        assert_eq!(began.elapsed().as_secs(), WITHIN.as_secs());
    }
}
