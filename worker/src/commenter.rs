//! Works on feedback jobs: the story of one attempt, from the grade to the comment on
//! the pull request and the word of it to the webhook.

use std::sync::Arc;
use std::time::Duration;

use hookme_shared::feedback::Evaluation;
use hookme_shared::job::{FeedbackRecord, Job, Stage};
use hookme_shared::queue::{Loaded, Queue, QueueError, Settlement};
use url::Url;

use crate::courier::{Courier, Parcel};
use crate::feedback::comment::Comment;
use crate::feedback::news::news;
use crate::feedback::template::{Context, Rendered, Template};
use crate::github::{ContentPermit, Created, Failure, Github, Outlook, REDIRECTS_MAX};
use crate::handle::{Attempt, Handle, jitter, not_renewed};
use crate::policy::outbox::{self, Step, TRIES_MAX};
use crate::policy::retry::RetryPolicy;
use crate::policy::settlement::{after_asking, after_looking};
use crate::report::Omissions;

/// Everything that a feedback job needs.
pub struct Commenter {
    /// Where jobs are.
    pub queue: Queue,
    /// Takes comments.
    pub github: Arc<Github>,
    /// What a comment looks like.
    pub template: Template,
    /// Tells of a comment where its word goes.
    pub courier: Courier,
    /// When a failed job is tried again.
    pub retry: RetryPolicy,
}

/// How a part of the story ended.
enum Told<T> {
    /// The story goes on with this.
    On(T),
    /// The attempt ends like this.
    Ended(Settlement),
    /// The job is another's by now.
    Lost,
}

/// What one request for a comment led to.
enum Posted {
    /// The comment is there, or the attempt is over.
    Done(Told<String>),
    /// There is no comment: GitHub has this address for it.
    Moved(Url),
}

impl Handle for Commenter {
    fn outlook(&self) -> Outlook {
        self.github.outlook()
    }

    async fn handle(&self, attempt: Attempt) -> Result<Option<Settlement>, QueueError> {
        let Some(feedback) = &attempt.job.feedback else {
            return Ok(Some(bury("its record names no commit")));
        };
        let told = match (attempt.job.stage, &feedback.comment_url) {
            (_, Some(url)) => Told::On(url.clone()),
            (Stage::Comment, None) => self.comment(&attempt, feedback).await?,
            (Stage::Grade | Stage::Fetch | Stage::Deliver, None) => {
                match self.evaluation(&attempt).await? {
                    Told::On(evaluation) => Told::Ended(Settlement::Grade(evaluation.grade())),
                    Told::Ended(settlement) => Told::Ended(settlement),
                    Told::Lost => Told::Lost,
                }
            }
        };
        match told {
            Told::On(url) => Ok(Some(self.tell(&attempt, feedback, &url).await?)),
            Told::Ended(settlement) => Ok(Some(settlement)),
            Told::Lost => Ok(None),
        }
    }
}

impl Commenter {
    async fn evaluation(&self, attempt: &Attempt) -> Result<Told<Evaluation>, QueueError> {
        let load = self.queue.load_evaluation(attempt.job.id, &attempt.fence);
        let bytes = match load.await? {
            Loaded::Kept(bytes) => bytes,
            Loaded::Missing => return Ok(Told::Ended(bury("its evaluation is gone"))),
            Loaded::Lost => return Ok(Told::Lost),
        };
        Ok(match serde_json::from_slice(&bytes) {
            Ok(evaluation) => Told::On(evaluation),
            Err(error) => Told::Ended(bury(&format!("its evaluation cannot be read: {error}"))),
        })
    }

    /// Brings it about that the comment exists, once; says where it is.
    async fn comment(
        &self,
        attempt: &Attempt,
        feedback: &FeedbackRecord,
    ) -> Result<Told<String>, QueueError> {
        let comment = match self.address(&attempt.job, feedback) {
            Ok(comment) => comment,
            Err(reason) => return Ok(Told::Ended(bury(reason))),
        };
        let claimed_ms = attempt.job.started_ms.unwrap_or_default();
        let term = self.github.timeout();
        match outbox::next(feedback.comment_tried_ms, claimed_ms, term) {
            Step::Create => self.create(attempt, feedback, &comment).await,
            Step::Wait(delay) => {
                let reason = "the request for it may be under way";
                Ok(Told::Ended(unclear(reason, delay)))
            }
            Step::Look => self.look(attempt, feedback, &comment).await,
        }
    }

    /// Where the comment belongs and what marks it; or why there can be none.
    fn address(&self, job: &Job, feedback: &FeedbackRecord) -> Result<Comment, &'static str> {
        if !self.github.has_token() {
            return Err("API_TOKEN is not set: GitHub takes comments only from a user");
        }
        let (owner, repository) = (job.username.as_str(), job.repository.as_str());
        let number = feedback.pull_request.to_string();
        let segments = ["repos", owner, repository, "issues", &number, "comments"];
        let url = self.github.url(&segments);
        Ok(Comment {
            subject: format!("pull request {owner}/{repository}#{number}"),
            url: url.ok_or("its repository cannot stand in an address")?,
            marker: outbox::marker(job.id),
        })
    }

    /// The comment's text.
    async fn write(
        &self,
        attempt: &Attempt,
        feedback: &FeedbackRecord,
        marker: &str,
    ) -> Result<Told<String>, QueueError> {
        let evaluation = match self.evaluation(attempt).await? {
            Told::On(evaluation) => evaluation,
            Told::Ended(settlement) => return Ok(Told::Ended(settlement)),
            Told::Lost => return Ok(Told::Lost),
        };
        let job = &attempt.job;
        let rendered = self.render(job, feedback, evaluation, marker.to_owned());
        Ok(match rendered.await {
            Ok(rendered) => {
                if rendered.is_cut {
                    tracing::warn!(job.id = %job.id, "the comment is longer than GitHub takes, and is cut");
                }
                Told::On(rendered.text)
            }
            Err(reason) => Told::Ended(bury(&format!("the comment cannot be written: {reason}"))),
        })
    }

    /// Makes the text of the template. That can keep a thread busy for a while, so it has
    /// one on which nothing waits.
    #[expect(
        clippy::disallowed_methods,
        reason = "the template's fuel bounds it, and a panic comes back here as an error"
    )]
    async fn render(
        &self,
        job: &Job,
        feedback: &FeedbackRecord,
        evaluation: Evaluation,
        marker: String,
    ) -> Result<Rendered, String> {
        let (template, job, feedback) = (self.template.clone(), job.clone(), feedback.clone());
        let rendering = tokio::task::spawn_blocking(move || {
            let context = Context {
                owner: &job.username,
                repository: &job.repository,
                pull_request: feedback.pull_request,
                commit: &feedback.commit,
                evaluation: &evaluation,
            };
            template.render(&context, &marker)
        });
        let rendered = rendering.await.map_err(|error| error.to_string())?;
        rendered.map_err(|error| error.to_string())
    }

    /// Looks whether the comment that an earlier attempt began exists; makes it if not.
    async fn look(
        &self,
        attempt: &Attempt,
        feedback: &FeedbackRecord,
        comment: &Comment,
    ) -> Result<Told<String>, QueueError> {
        let job = &attempt.job;
        match comment.find(&self.github, job.created_ms).await {
            Ok(Some(url)) => {
                tracing::info!(job.id = %job.id, url, "the comment of an earlier attempt exists");
                self.close(attempt, url).await
            }
            Ok(None) if feedback.comment_tries >= TRIES_MAX => {
                let reason = format!("GitHub made no comment in {TRIES_MAX} tries");
                Ok(Told::Ended(bury(&reason)))
            }
            Ok(None) => self.create(attempt, feedback, comment).await,
            Err(failure) => {
                let end = after_looking(failure, job.failures, &self.retry, jitter())?;
                Ok(Told::Ended(end))
            }
        }
    }

    /// Makes the comment, once, at the address that GitHub has for it.
    async fn create(
        &self,
        attempt: &Attempt,
        feedback: &FeedbackRecord,
        comment: &Comment,
    ) -> Result<Told<String>, QueueError> {
        let text = match self.write(attempt, feedback, &comment.marker).await? {
            Told::On(text) => text,
            other => return Ok(other),
        };
        let mut url = comment.url.clone();
        for redirects in 0..=REDIRECTS_MAX {
            let permit = match redirects {
                0 => self.github.content_permit().await,
                _ => self.github.moved_permit().await,
            };
            let permit = match permit {
                Ok(permit) => permit,
                Err(failure) => return self.not_made(attempt, failure),
            };
            match self.post(attempt, comment, permit, &url, &text).await? {
                Posted::Done(told) => return Ok(told),
                Posted::Moved(to) => url = to,
            }
        }
        let subject = &comment.subject;
        let reason = format!("GitHub redirects {subject} more than {REDIRECTS_MAX} times");
        self.not_made(attempt, Failure::Final { reason })
    }

    /// Sends one request for the comment. That it is about to be made stands in Redis
    /// from right before until it is certain what came of that request: a redirected one
    /// counts on its own, as the next may take as long again.
    async fn post(
        &self,
        attempt: &Attempt,
        comment: &Comment,
        permit: ContentPermit,
        url: &Url,
        text: &str,
    ) -> Result<Posted, QueueError> {
        let (id, fence) = (attempt.job.id, &attempt.fence);
        if self.queue.open_comment(id, fence).await?.is_none() {
            return Ok(Posted::Done(Told::Lost));
        }
        if !attempt.is_ours() {
            let end = Posted::Done(Told::Ended(not_renewed()));
            return self.unmade(attempt, end).await;
        }
        match comment.create(&self.github, permit, url, text).await {
            Created::Made(described) => {
                let url = comment.address(&described);
                tracing::info!(job.id = %id, url, "a comment is made");
                Ok(Posted::Done(self.close(attempt, url).await?))
            }
            Created::Not(failure) => {
                let end = Posted::Done(self.not_made(attempt, failure)?);
                self.unmade(attempt, end).await
            }
            Created::Moved(to) => self.unmade(attempt, Posted::Moved(to)).await,
            Created::Unclear { reason } => {
                tracing::warn!(job.id = %id, reason, "whether a comment was made is not known; it is looked for before it is made again");
                let end = unclear(&reason, self.github.timeout());
                Ok(Posted::Done(Told::Ended(end)))
            }
        }
    }

    /// Notes that the comment which was about to be made does not exist.
    async fn unmade(&self, attempt: &Attempt, then: Posted) -> Result<Posted, QueueError> {
        let (id, fence) = (attempt.job.id, &attempt.fence);
        let is_ours = self.queue.close_comment(id, fence, None).await?;
        Ok(if is_ours {
            then
        } else {
            Posted::Done(Told::Lost)
        })
    }

    /// Notes where the comment is.
    async fn close(&self, attempt: &Attempt, url: String) -> Result<Told<String>, QueueError> {
        let (id, fence) = (attempt.job.id, &attempt.fence);
        let is_ours = self.queue.close_comment(id, fence, Some(&url)).await?;
        Ok(if is_ours { Told::On(url) } else { Told::Lost })
    }

    fn not_made(&self, attempt: &Attempt, failure: Failure) -> Result<Told<String>, QueueError> {
        let end = after_asking(failure, attempt.job.failures, &self.retry, jitter())?;
        Ok(Told::Ended(end))
    }

    /// Tells where the comment is, if there is anybody to tell. Redis has just confirmed
    /// the fence, or given it.
    async fn tell(
        &self,
        attempt: &Attempt,
        feedback: &FeedbackRecord,
        url: &str,
    ) -> Result<Settlement, QueueError> {
        let job = &attempt.job;
        let Some(target) = self.courier.target(job.destination.as_ref()) else {
            return Ok(Settlement::Finish);
        };
        let parcel = Parcel {
            webhook_id: job.id.to_string(),
            body: news(job, feedback, url),
            omissions: Omissions::default(),
        };
        self.courier.send(attempt, &target, parcel).await
    }
}

fn bury(reason: &str) -> Settlement {
    Settlement::Bury {
        reason: reason.to_owned(),
    }
}

/// How an attempt ends after which the comment may exist. That is no failure of the job.
fn unclear(reason: &str, delay: Duration) -> Settlement {
    Settlement::Defer {
        delay,
        reason: format!("whether its comment was made is not known: {reason}"),
    }
}
