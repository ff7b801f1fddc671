//! The order of the measurements: each once a round, with the raw loop between
//! any two, because the speed of a machine drifts.

use hookme_tests::github::{GithubOptions, RepositorySpec};
use hookme_tests::redis_server::Persistence;
use hookme_tests::{GithubStandIn, Program, Receiver};

use crate::figure::Samples;
use crate::meter::Cost;
use crate::progress::Progress;
use crate::scene::Scene;
use crate::sizes::Sizes;
use crate::{drain, idle, lateness, memory, raw_loop, seed, submit};

/// Snapshots that every round begins with.
const READY: &str = "ready.rdb";
const FAILED_ONCE: &str = "failed-once.rdb";
const FOR_REPORTS: &str = "for-reports.rdb";
/// A limit on running jobs that no worker reaches.
const FAR_LIMIT: (&str, &str) = ("MAX_RUNNING_JOBS", "1000000");

/// The default room for GitHub's answers.
const KEPT: (&str, &str) = ("GITHUB_CACHE_MAX_BYTES", "67108864");

/// A rate, beside the raw loop of the same minute.
#[derive(Debug, Default)]
pub(crate) struct Rated {
    pub(crate) per_second: Samples,
    pub(crate) ratio: Samples,
    pub(crate) functions: Samples,
    pub(crate) commands: Samples,
    pub(crate) redis_us: Samples,
    pub(crate) program_us: Samples,
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) raw: Samples,
    pub(crate) submit: Rated,
    pub(crate) empty: Rated,
    pub(crate) delivery: Rated,
    pub(crate) report: Rated,
    pub(crate) kept: Rated,
    pub(crate) limit_cost_percent: Samples,
    pub(crate) governor_cost_percent: Samples,
    pub(crate) late_p50_ms: Samples,
    pub(crate) late_p99_ms: Samples,
    pub(crate) bytes_per_job: Samples,
    pub(crate) idle_calls: Samples,
    pub(crate) resident_idle_mb: Samples,
    pub(crate) resident_after_mb: Samples,
    pub(crate) durable: Vec<Durable>,
}

/// The queue's rates with an append-only file.
#[derive(Debug)]
pub(crate) struct Durable {
    pub(crate) name: &'static str,
    pub(crate) submit: Rated,
    pub(crate) empty: Rated,
}

impl Rated {
    fn add(&mut self, per_second: f64, cost: Cost, raw: f64) {
        self.per_second.add(per_second);
        self.ratio.add(per_second / raw);
        self.functions.add(cost.functions);
        self.commands.add(cost.commands);
        self.redis_us.add(cost.redis_us);
        self.program_us.add(cost.program_us);
    }
}

/// Measures everything.
pub(crate) async fn run(sizes: &Sizes, progress: &Progress) -> anyhow::Result<Results> {
    let mut run = Run {
        sizes: *sizes,
        progress,
        receiver: Receiver::start_counting().await?,
        raw_before: 0.0,
        results: Results::default(),
    };
    let mut scene = Scene::start(Persistence::None).await?;
    progress.say("filling the queue for the snapshots")?;
    prepare(&mut scene, sizes).await?;
    let mut durable = Vec::new();
    for (name, persistence) in [
        ("appendfsync everysec", Persistence::AofEverysec),
        ("appendfsync always", Persistence::AofAlways),
    ] {
        let entry = Durable {
            name,
            submit: Rated::default(),
            empty: Rated::default(),
        };
        durable.push((entry, Scene::start(persistence).await?));
    }
    for round in 0..sizes.rounds {
        progress.say(&format!("round {} of {}", round + 1, sizes.rounds))?;
        run.receiver = Receiver::start_counting().await?;
        run.round(&mut scene, round).await?;
        for (entry, scene) in &mut durable {
            run.durable(entry, scene).await?;
        }
        run.quiet(&mut scene).await?;
    }
    for pair in 0..sizes.more_pairs {
        run.limit_cost(&mut scene, pair).await?;
        run.governor_cost(&mut scene, pair).await?;
    }
    run.results.durable = durable.into_iter().map(|(entry, _)| entry).collect();
    Ok(run.results)
}

/// A GitHub whose repositories have two issues and so many contributors.
async fn github(contributors: usize) -> anyhow::Result<GithubStandIn> {
    let options = GithubOptions {
        generate: Some(RepositorySpec {
            issues: 2,
            pull_requests: 0,
            contributors,
            ..RepositorySpec::default()
        }),
        keep_headers: false,
        tells_plenty: false,
        ..GithubOptions::default()
    };
    GithubStandIn::start(options).await
}

/// Fills the queue and takes the snapshots.
async fn prepare(scene: &mut Scene, sizes: &Sizes) -> anyhow::Result<()> {
    let at_once = |_| std::time::Duration::ZERO;
    for (name, jobs) in [(FOR_REPORTS, sizes.reports), (READY, sizes.jobs)] {
        scene.flush().await?;
        seed::submit(&scene.queue, 0..jobs, at_once).await?;
        scene.pause().await?;
        scene.save(name).await?;
    }
    scene.flush().await?;
    seed::submit(&scene.queue, 0..sizes.jobs, at_once).await?;
    seed::fail_first_delivery(&scene.queue).await?;
    scene.pause().await?;
    scene.save(FAILED_ONCE).await
}

struct Run<'a> {
    sizes: Sizes,
    progress: &'a Progress,
    receiver: Receiver,
    raw_before: f64,
    results: Results,
}

impl Run<'_> {
    /// Everything that is held against the raw loop.
    async fn round(&mut self, scene: &mut Scene, round: usize) -> anyhow::Result<()> {
        self.raw_before = self.raw().await?;

        scene.flush().await?;
        let (rate, cost) = submit::measure(scene, self.sizes.jobs).await?;
        let raw = self.raw_around("submit", rate).await?;
        self.results.submit.add(rate, cost, raw);

        let (rate, cost) = self.drain_empty(scene, &[]).await?;
        let raw = self.raw_around("empty jobs", rate).await?;
        self.results.empty.add(rate, cost, raw);

        let webhook = self.receiver.url();
        scene.load(FAILED_ONCE).await?;
        let worker = scene.worker(&[("WEBHOOK_URL", &webhook)]).await?;
        let drained = self.drain_real(scene, worker, self.sizes.jobs).await?;
        let raw = self.raw_around("deliveries", drained.per_second).await?;
        self.results
            .delivery
            .add(drained.per_second, drained.cost, raw);

        self.reports(scene).await?;
        self.limit_cost(scene, round).await?;
        self.governor_cost(scene, round).await
    }

    /// Full reports, with GitHub's answers not kept and kept.
    async fn reports(&mut self, scene: &mut Scene) -> anyhow::Result<()> {
        let (github, webhook) = (github(2).await?, self.receiver.url());
        let environment = [("WEBHOOK_URL", &*webhook), ("API_URL", &github.url())];
        scene.load(FOR_REPORTS).await?;
        let worker = scene.worker(&environment).await?;
        let drained = self.drain_real(scene, worker, self.sizes.reports).await?;
        let raw = self.raw_around("full reports", drained.per_second).await?;
        self.results
            .report
            .add(drained.per_second, drained.cost, raw);

        scene.load(FOR_REPORTS).await?;
        let kept = [&environment[..], &[KEPT]].concat();
        let worker = scene.worker(&kept).await?;
        let drained = self.drain_real(scene, worker, self.sizes.reports).await?;
        let rate = drained.per_second;
        let raw = self.raw_around("full reports, answers kept", rate).await?;
        self.results.kept.add(rate, drained.cost, raw);
        Ok(())
    }

    /// One drain of reports with a governor that holds nothing back and one without,
    /// in turns. Nobody has contributors, so that no names are asked for: a lone
    /// worker remembers none.
    async fn governor_cost(&mut self, scene: &mut Scene, pair: usize) -> anyhow::Result<()> {
        let (github, webhook) = (github(0).await?, self.receiver.url());
        let environment = [("WEBHOOK_URL", &*webhook), ("API_URL", &github.url())];
        let governed_first = pair.is_multiple_of(2);
        let mut rates = [0.0; 2];
        for governed in [governed_first, !governed_first] {
            scene.load(FOR_REPORTS).await?;
            let worker = if governed {
                scene.worker(&environment).await?
            } else {
                scene.lone_worker(&environment).await?
            };
            let drained = drain::measure(scene, worker, self.sizes.reports).await?;
            rates[usize::from(governed)] = drained.per_second;
        }
        let [free, governed] = rates;
        let percent = (1.0 - governed / free) * 100.0;
        self.say("reports lost to the governor in %", &[percent])?;
        self.results.governor_cost_percent.add(percent);
        Ok(())
    }

    /// The queue alone, with an append-only file.
    async fn durable(&mut self, entry: &mut Durable, scene: &mut Scene) -> anyhow::Result<()> {
        let name = entry.name;
        self.raw_before = self.raw().await?;
        scene.flush().await?;
        scene.pause().await?;
        let (rate, cost) = submit::measure(scene, self.sizes.jobs).await?;
        let raw = self.raw_around(&format!("submit, {name}"), rate).await?;
        entry.submit.add(rate, cost, raw);
        let worker = scene.empty_worker(&[]).await?;
        let drained = drain::measure(scene, worker, self.sizes.jobs).await?;
        let rate = drained.per_second;
        let raw = self
            .raw_around(&format!("empty jobs, {name}"), rate)
            .await?;
        entry.empty.add(rate, drained.cost, raw);
        Ok(())
    }

    /// What is no rate.
    async fn quiet(&mut self, scene: &mut Scene) -> anyhow::Result<()> {
        let late = lateness::measure(scene, self.sizes.late_jobs, self.sizes.late_over).await?;
        self.say(
            "due to start, p50 and p99 in ms",
            &[late.p50_ms, late.p99_ms],
        )?;
        self.results.late_p50_ms.add(late.p50_ms);
        self.results.late_p99_ms.add(late.p99_ms);
        let bytes = memory::measure(scene, self.sizes.jobs).await?;
        self.say("bytes per waiting job", &[bytes])?;
        self.results.bytes_per_job.add(bytes);
        let calls = idle::measure(scene, self.sizes.idle).await?;
        self.say("calls a minute of an idle worker", &[calls])?;
        self.results.idle_calls.add(calls);
        Ok(())
    }

    /// One drain with a limit that does not bind and one without, in turns.
    async fn limit_cost(&mut self, scene: &mut Scene, pair: usize) -> anyhow::Result<()> {
        let limited_first = pair.is_multiple_of(2);
        let environment: [&[(&str, &str)]; 2] = [&[], &[FAR_LIMIT]];
        let (first, _) = self
            .drain_empty(scene, environment[usize::from(limited_first)])
            .await?;
        let (second, _) = self
            .drain_empty(scene, environment[usize::from(!limited_first)])
            .await?;
        let (free, limited) = if limited_first {
            (second, first)
        } else {
            (first, second)
        };
        let percent = (free / limited - 1.0) * 100.0;
        self.say("cost of a limit in %", &[percent])?;
        self.results.limit_cost_percent.add(percent);
        Ok(())
    }

    async fn drain_empty(
        &mut self,
        scene: &mut Scene,
        environment: &[(&str, &str)],
    ) -> anyhow::Result<(f64, Cost)> {
        scene.load(READY).await?;
        let worker = scene.empty_worker(environment).await?;
        let drained = drain::measure(scene, worker, self.sizes.jobs).await?;
        Ok((drained.per_second, drained.cost))
    }

    /// A drain by the real worker, whose memory is noted.
    async fn drain_real(
        &mut self,
        scene: &mut Scene,
        worker: Program,
        jobs: usize,
    ) -> anyhow::Result<drain::Drained> {
        let drained = drain::measure(scene, worker, jobs).await?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "no memory comes near 2^52 bytes"
        )]
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let results = &mut self.results;
        results
            .resident_idle_mb
            .add(megabytes(drained.resident_idle));
        results
            .resident_after_mb
            .add(megabytes(drained.resident_after));
        Ok(drained)
    }

    /// Runs the raw loop after a measurement of `rate`; returns the mean of the
    /// loops before and after it.
    async fn raw_around(&mut self, what: &str, rate: f64) -> anyhow::Result<f64> {
        let after = self.raw().await?;
        let mean = f64::midpoint(self.raw_before, after);
        self.raw_before = after;
        self.say(
            &format!("{what}: per second, of the raw loop"),
            &[rate, rate / mean],
        )?;
        Ok(mean)
    }

    async fn raw(&mut self) -> anyhow::Result<f64> {
        let rate = raw_loop::measure(&self.receiver.url(), self.sizes.raw).await?;
        self.results.raw.add(rate);
        Ok(rate)
    }

    fn say(&self, what: &str, values: &[f64]) -> anyhow::Result<()> {
        let values: Vec<String> = values.iter().map(|value| format!("{value:.2}")).collect();
        Ok(self
            .progress
            .say(&format!("  {what}: {}", values.join(", ")))?)
    }
}
