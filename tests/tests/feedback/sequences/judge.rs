//! What must hold, whatever happened.
//!
//! A job that died when its comment might exist is never superseded once it is revived:
//! its comment is looked for, and if GitHub does not have it, it is made after those of
//! newer commits that came meanwhile. Such a *reopened* job is the one exception to the
//! order of comments.

use std::collections::BTreeMap;

use hookme_shared::job::{JobId, Stage, State};

use super::crew::Crew;

/// The fields that are looked at.
const FIELDS: [&str; 6] = [
    "state",
    "stage",
    "comment_tried_ms",
    "comment_url",
    "superseded_by",
    "reason",
];

/// A job as Redis has it.
#[derive(Debug)]
pub(super) struct Record {
    pub state: State,
    stage: Stage,
    /// Its comment was begun and may exist.
    pub is_begun: bool,
    is_closed: bool,
    superseded_by: Option<JobId>,
    reason: String,
    has_evaluation: bool,
}

impl Crew {
    /// Looks at all jobs, and judges them.
    pub(super) async fn judge(&mut self) {
        let superseded = self.superseded();
        self.look().await;
        for (id, newer) in self.superseded() {
            if !superseded.contains_key(&id) {
                self.judge_rival(id, newer);
            }
        }
        self.judge_records();
        self.judge_superseded();
        for pull_request in 0..self.github.len() {
            self.judge_turns(pull_request);
            self.judge_order(pull_request);
        }
    }

    /// What must hold when nothing is left to be done.
    pub(super) async fn judge_end(&mut self) {
        for (id, record) in &self.records {
            match record.state {
                State::Scheduled | State::Running => panic!("{id} is stuck: {record:?}"),
                State::Succeeded => assert!(self.exists(*id), "{id} has no comment: {record:?}"),
                State::Cancelled => assert!(
                    record.superseded_by.is_some() || self.unwanted.contains(id),
                    "nobody wanted {id} cancelled: {record:?}"
                ),
                State::Dead => assert!(
                    self.buried.contains(id) || record.reason.starts_with("poison"),
                    "nobody gave {id} up: {record:?}"
                ),
            }
        }
        let left_overs = self.desk.house.left_over_keys().await.unwrap();
        assert_eq!(left_overs, [""; 0]);
    }

    async fn look(&mut self) {
        let mut pipe = redis::pipe();
        for id in &self.ids {
            let record = self.desk.house.key(&format!("job:{id}"));
            pipe.cmd("HMGET").arg(record).arg(&FIELDS);
            pipe.exists(self.desk.house.key(&format!("evaluation:{id}")));
        }
        if self.ids.is_empty() {
            return;
        }
        let values: Vec<redis::Value> = pipe.query_async(&mut self.redis).await.unwrap();
        for (id, pair) in self.ids.iter().zip(values.chunks(2)) {
            let fields: [Option<String>; 6] = redis::from_redis_value(pair[0].clone()).unwrap();
            let [state, lane, tried_ms, url, superseded_by, reason] = fields;
            let record = Record {
                state: state.unwrap().parse().unwrap(),
                stage: lane.unwrap().parse().unwrap(),
                is_begun: tried_ms.is_some(),
                is_closed: url.is_some(),
                superseded_by: superseded_by.map(|id| id.parse().unwrap()),
                reason: reason.unwrap_or_default(),
                has_evaluation: redis::from_redis_value(pair[1].clone()).unwrap(),
            };
            self.records.insert(*id, record);
        }
    }

    fn superseded(&self) -> BTreeMap<JobId, JobId> {
        let records = self.records.iter();
        let superseded = records.filter_map(|(id, record)| Some((*id, record.superseded_by?)));
        superseded.collect()
    }

    /// What takes another's place will have a comment, or has one, or may.
    fn judge_rival(&self, id: JobId, newer: JobId) {
        let rival = &self.records[&newer];
        assert!(
            rival.state.is_live() || self.exists(newer) || rival.is_begun,
            "{id} gave way to {newer}: {rival:?}"
        );
    }

    /// A commit has one live job at most. What was to be graded is kept for as long as
    /// the job can still be graded. A comment that Redis knows of exists.
    fn judge_records(&self) {
        let mut live = BTreeMap::new();
        for (id, record) in &self.records {
            let task = self.tasks[id];
            if record.state.is_live() {
                let other = live.insert((task.pull_request, task.commit), id);
                assert_eq!(other, None, "{id} is not the only live job of its commit");
            }
            let is_needed = record.state.is_live() || record.state == State::Dead;
            assert_eq!(record.has_evaluation, is_needed, "{id}: {record:?}");
            assert!(!record.is_closed || self.exists(*id), "{id}: {record:?}");
        }
    }

    /// A superseded job has no comment, without exception, and names a newer one.
    fn judge_superseded(&self) {
        for (id, record) in &self.records {
            let Some(newer) = record.superseded_by else {
                continue;
            };
            let (task, newer) = (self.tasks[id], self.tasks[&newer]);
            assert_eq!(record.state, State::Cancelled, "{id}: {record:?}");
            assert_eq!(task.pull_request, newer.pull_request, "{id}: {record:?}");
            assert!(task.place < newer.place, "{id}: {record:?}");
            assert!(!self.exists(*id), "{id} has a comment: {record:?}");
        }
    }

    /// One worker at most is at a comment of the pull request; and one comment at most
    /// is begun and not closed, but for those of reopened jobs.
    fn judge_turns(&self, pull_request: usize) {
        let live = self.records.iter().filter(|(id, record)| {
            self.tasks[id].pull_request == pull_request && record.state.is_live()
        });
        let live: Vec<_> = live.collect();
        let at_work = live
            .iter()
            .filter(|(_, record)| record.state == State::Running && record.stage == Stage::Comment);
        assert!(at_work.count() <= 1, "two at once: {live:#?}");
        let begun = live.iter().filter(|(id, record)| {
            record.is_begun && !record.is_closed && !self.reopened.contains(id)
        });
        assert!(begun.count() <= 1, "two were begun: {live:#?}");
    }

    /// Comments stand in the order of their tasks, but for those of reopened jobs.
    fn judge_order(&self, pull_request: usize) {
        let comments = self.github[pull_request].iter();
        let comments = comments.filter(|id| !self.reopened.contains(id));
        let places: Vec<_> = comments.map(|id| self.tasks[id].place).collect();
        assert!(places.is_sorted(), "{places:?}: {:#?}", self.records);
    }
}
