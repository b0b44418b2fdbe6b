//! Replies that arrive, come too late, or never come.

use super::*;
use std::cell::Cell;

#[test]
fn a_result_arrives() {
    let reply = Arc::new(Reply::new());
    let sender = ReplySender(Arc::clone(&reply));
    std::thread::scope(|scope| {
        scope.spawn(move || sender.send(7));
        assert!(matches!(reply.wait(|| None), Waited::Done(Some(7))));
    });
}

#[test]
fn a_dropped_job_ends_the_wait() {
    let reply = Arc::new(Reply::<i32>::new());
    drop(ReplySender(Arc::clone(&reply)));
    assert!(matches!(reply.wait(|| None), Waited::Done(None)));
}

#[test]
fn an_abandoned_job_keeps_its_result() {
    let reply = Arc::new(Reply::new());
    let sender = ReplySender(Arc::clone(&reply));
    let n_checks = Cell::new(0);
    let stop = || {
        n_checks.set(n_checks.get() + 1);
        (n_checks.get() == 3).then_some(StopCause::Interrupted)
    };
    assert!(matches!(reply.wait(stop), Waited::Abandoned(StopCause::Interrupted)));
    assert_eq!(sender.send(7), Err(7));
}

#[test]
fn a_result_that_is_there_wins() {
    let reply = Arc::new(Reply::new());
    ReplySender(Arc::clone(&reply)).send(7).unwrap();
    assert!(matches!(reply.wait(|| Some(StopCause::DeadlinePassed)), Waited::Done(Some(7))));
}
