//! How long to wait until all nodes answer.

use std::time::{Duration, Instant};

use crate::{
    back_off,
    cluster::NodeAddress,
    error::{Error, ErrorKind, Phase, Result},
};

/// A wait for all nodes of a client.
#[derive(Debug)]
pub(crate) struct Readiness {
    end: Option<Instant>,
    tries: u32,
}

/// What each node has answered.
type Answers<T> = Vec<(NodeAddress, Result<T>)>;

impl Readiness {
    /// One that ends then.
    pub(crate) fn until(end: Option<Instant>) -> Self {
        Self { end, tries: 0 }
    }

    /// When it ends.
    #[cfg(feature = "async")]
    pub(crate) fn end(&self) -> Option<Instant> {
        self.end
    }

    /// How long it may still take.
    pub(crate) fn left(&self, now: Instant) -> Duration {
        self.end
            .map_or(Duration::MAX, |end| end.saturating_duration_since(now))
    }

    /// What the nodes have answered, if they have in time: says when to ask again, or that all are
    /// ready.
    ///
    /// # Errors
    ///
    /// There is no time to ask again, or it would be of no use.
    pub(crate) fn heard<T>(
        &mut self,
        answers: Option<Result<Answers<T>>>,
        now: Instant,
        random: u64,
    ) -> Result<Option<Instant>> {
        let error = match answers {
            None => no_answer(),
            Some(Err(error)) => error,
            Some(Ok(answers)) => match answers.into_iter().find_map(|(_, answer)| answer.err()) {
                None => return Ok(None),
                Some(error) => error,
            },
        };
        let left = self.left(now);
        let may_pass = match error.kind() {
            ErrorKind::Closed | ErrorKind::Config | ErrorKind::Refused => false,
            ErrorKind::Server => error.is_retryable(),
            _ => true,
        };
        if !may_pass || left.is_zero() {
            return Err(error);
        }
        self.tries = self.tries.saturating_add(1);
        let pause = back_off::wait(back_off::FIRST, self.tries, left, random);
        Ok(Some(now + pause.max(LEAST_PAUSE).min(left)))
    }
}

/// How long to wait at least before nodes are asked again.
const LEAST_PAUSE: Duration = Duration::from_millis(10);

/// The error of nodes of which none has answered in time.
fn no_answer() -> Error {
    Error::new(
        ErrorKind::Timeout(Phase::Reply),
        "no node has answered within the time allowed",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answers(each: &[Option<Error>]) -> Option<Result<Answers<()>>> {
        let node = |error: &Option<Error>| {
            let answer = error.clone().map_or(Ok(()), Err);
            (NodeAddress::new("h", 1), answer)
        };
        Some(Ok(each.iter().map(node).collect()))
    }

    #[test]
    fn all_nodes_must_answer_and_what_passes_is_waited_for() {
        let start = Instant::now();
        let mut ready = Readiness::until(Some(start + Duration::from_secs(5)));
        assert!(
            ready
                .heard(answers(&[None, None]), start, 0)
                .unwrap()
                .is_none()
        );
        for passing in [
            Error::server(b"LOADING x"),
            Error::new(ErrorKind::Connect, "x"),
            Error::new(ErrorKind::Timeout(Phase::Reply), "x"),
        ] {
            let again = ready.heard(answers(&[None, Some(passing.clone())]), start, 0);
            let again = again.unwrap().unwrap();
            assert!(again > start && again <= start + Duration::from_secs(5));
            let late = start + Duration::from_secs(5);
            let error = ready
                .heard(answers(&[Some(passing.clone())]), late, 0)
                .unwrap_err();
            assert_eq!(error.kind(), passing.kind());
        }
        for lasting in [
            Error::server(b"NOPERM x"),
            Error::new(ErrorKind::Closed, "x"),
            Error::new(ErrorKind::Config, "x"),
        ] {
            assert!(ready.heard(answers(&[Some(lasting)]), start, 0).is_err());
        }
        let unasked: Result<Answers<()>> = Err(Error::new(ErrorKind::Connect, "x"));
        assert!(ready.heard(Some(unasked), start, 0).unwrap().is_some());
        assert!(ready.heard::<()>(None, start, 0).unwrap().is_some());
    }
}
