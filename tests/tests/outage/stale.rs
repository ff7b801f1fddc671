//! A worker that Redis answers no more, while another holds its jobs for dead.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hookme_shared::queue::{Address, Clock, Queue, QueueError, Settlement, Terms};
use hookme_shared::secret::Secret;
use hookme_tests::fault_proxy::Mode;
use hookme_tests::redis_server::shared_server;
use hookme_tests::{FaultProxy, House, by_hand, eventually};
use hookme_worker::handle::{Attempt, Handle};

use super::PATIENCE;

/// A fifth of it lies between a stop and the end of the lease.
const LEASE: Duration = Duration::from_secs(4);

/// What happened, in order.
type Notes = Arc<Mutex<Vec<String>>>;

/// Notes when its jobs start, and when they stop, which they never do by themselves.
struct Endless {
    worker: &'static str,
    notes: Notes,
}

impl Endless {
    fn note(&self, what: &str) {
        let note = format!("{} {what}", self.worker);
        self.notes.lock().unwrap().push(note);
    }
}

struct Stopping<'a>(&'a Endless);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.note("stops");
    }
}

impl Handle for Endless {
    async fn handle(&self, _: Attempt) -> Result<Option<Settlement>, QueueError> {
        self.note("starts");
        let _stopping = Stopping(self);
        std::future::pending().await
    }
}

async fn noted(notes: &Notes, wanted: &str) -> Vec<String> {
    let seen = eventually(PATIENCE, wanted, async || {
        let notes = notes.lock().unwrap().clone();
        if notes.iter().any(|note| note == wanted) {
            Ok(notes)
        } else {
            Err(format!("{notes:?}"))
        }
    });
    seen.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_stops_before_redis_gives_it_away_although_the_renewal_still_waits() {
    let mut house = House::start().await.unwrap();
    let proxy = FaultProxy::start(shared_server().await.unwrap().port());
    let proxy = proxy.await.unwrap();
    let (notes, terms) = (
        Notes::default(),
        Terms {
            lease: LEASE,
            ..Terms::default()
        },
    );
    let handler = |worker| Endless {
        worker,
        notes: Arc::clone(&notes),
    };
    // Its calls wait for many leases.
    let mut first = house.launch_of("first", terms, Clock::Redis).unwrap();
    first.address = Address {
        url: Secret::from(proxy.url()),
        ..first.address
    };
    first.queue = Queue::new(&first.address, terms).unwrap();
    house.launch(first, handler("first")).await.unwrap();
    let job = by_hand::submit(&house.queue, "hello", Duration::ZERO);
    job.await.unwrap();
    noted(&notes, "first starts").await;
    let second = house.launch_of("second", terms, Clock::Redis).unwrap();
    house.launch(second, handler("second")).await.unwrap();

    proxy.set_mode(Mode::Blackhole);
    let notes = noted(&notes, "second starts").await;
    assert_eq!(notes, ["first starts", "first stops", "second starts"]);
}
