//! What other replicas say: a connection of its own that listens, and is opened again whenever it is lost.
//!
//! In: notifications (`NOTIFY`), which are sent with the commits that they are of. Out: a call for each that another
//! replica sent, and one of every kind whenever the connection was made anew, since nobody knows what was missed. While
//! there is none, whoever waits looks by itself.

use super::way::{Driver, Way};
use crate::store::signal::{Heard, Signal};
use futures_util::stream::StreamExt;
use std::time::Duration;
use tokio::time::timeout;
use tokio_postgres::AsyncMessage;

/// The channel; a database has its own.
pub(super) const CHANNEL: &str = "wabridge";
/// The wait after the first failure; it doubles up to the longest.
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);
/// A connection on which nothing was heard for so long is asked whether it is one still.
const SILENCE: Duration = Duration::from_secs(30);
/// How long it may take to answer.
const ANSWER: Duration = Duration::from_secs(10);

/// What is sent: the kind, and who sends it.
pub(super) fn said(signal: Signal, replica: i64) -> String {
    format!("{} {replica:x}", signal.as_str())
}

/// What was heard, unless this replica said it itself, or a later version something that this one does not know.
fn understood(payload: &str, replica: i64) -> Option<Signal> {
    let (kind, sender) = payload.split_once(' ')?;
    let signal = Signal::ALL.into_iter().find(|signal| signal.as_str() == kind)?;
    (sender != format!("{replica:x}")).then_some(signal)
}

/// Listens for as long as the runtime lives.
pub(super) async fn listen(way: Way, replica: i64, heard: Heard) {
    let mut wait = FIRST;
    loop {
        listen_once(&way, replica, &heard, &mut wait).await;
        tracing::debug!(milliseconds = wait.as_millis(), "other replicas are not heard; connecting again");
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST);
    }
}

/// Listens until the connection is lost.
async fn listen_once(way: &Way, replica: i64, heard: &Heard, wait: &mut Duration) -> Option<()> {
    let (client, mut driver) = way.connect().await.ok()?;
    let mut hear = |message| {
        if let AsyncMessage::Notification(notification) = message
            && let Some(signal) = understood(notification.payload(), replica)
        {
            heard(signal);
        }
    };
    answered(&mut driver, &mut hear, client.batch_execute(&format!("LISTEN {CHANNEL}"))).await?;
    *wait = FIRST;
    Signal::ALL.into_iter().for_each(|signal| heard(signal));
    loop {
        match timeout(SILENCE, driver.next()).await {
            Ok(Some(Ok(message))) => hear(message),
            Ok(_) => return None,
            Err(_) => answered(&mut driver, &mut hear, client.batch_execute("")).await?,
        }
    }
}

/// Waits for an answer, and hears what comes before it. None, if the connection is lost or too slow.
async fn answered(
    driver: &mut Driver,
    hear: &mut (dyn FnMut(AsyncMessage) + Send),
    asked: impl Future<Output = Result<(), tokio_postgres::Error>>,
) -> Option<()> {
    let mut asked = std::pin::pin!(asked);
    let answer = async {
        loop {
            tokio::select! {
                answer = &mut asked => return answer.ok(),
                message = driver.next() => hear(message?.ok()?),
            }
        }
    };
    timeout(ANSWER, answer).await.ok()?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_says_is_understood_and_nothing_else() {
        for signal in Signal::ALL {
            let payload = said(signal, -7);
            assert_eq!(understood(&payload, 7), Some(signal));
            assert_eq!(understood(&payload, -7), None, "it said so itself");
        }
        assert_eq!(understood("moved 7", 8), None, "a later version's");
        assert_eq!(understood("", 8), None);
    }
}
