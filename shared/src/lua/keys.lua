-- Every key there is, one a line: a builder, its type, and what it holds. ns is
-- the namespace with its hash tag, as in '{hookme}'. The program and the test
-- for left-overs read these lines, so each keeps this shape.
local key = {}

-- none: declared with each call and never made, so that a moving slot of a cluster runs nothing
function key.never(ns) return ns .. ':never' end
-- string: nothing; written to see whether Redis takes writes, with a TTL
function key.probe(ns) return ns .. ':probe' end
-- hash: the record of a job
function key.job(ns, id) return ns .. ':job:' .. id end
-- zset: id -> due_ms
function key.scheduled(ns, lane) return ns .. ':scheduled:' .. lane end
-- zset: id -> lease_until_ms; its size is the global counter
function key.running(ns) return ns .. ':running' end
-- string: the id of the one live job of the scope
function key.lock(ns, scope) return ns .. ':lock:' .. scope end
-- zset: id -> ended_ms, for each of succeeded, dead and cancelled
function key.ended(ns, state) return ns .. ':' .. state end
-- string: what an evaluator found, JSON
function key.evaluation(ns, id) return ns .. ':evaluation:' .. id end
-- zset: job of feedback -> its place among those of the pull request, user/repository#number
function key.pull_request(ns, name) return ns .. ':pull_request:' .. name end
-- string: the report's bytes, compressed
function key.report(ns, id) return ns .. ':report:' .. id end
-- list: what happened to a job, oldest first
function key.history(ns, id) return ns .. ':history:' .. id end
-- hash: limits and pause, for whoever wants to change them
function key.settings(ns) return ns .. ':settings' end
-- hash: counters
function key.stats(ns) return ns .. ':stats' end
-- zset: worker -> when its presence ends, ms
function key.workers(ns) return ns .. ':workers' end
-- hash: what a worker says of itself, and its last claim
function key.worker(ns, id) return ns .. ':worker:' .. id end
-- string: the worker that is asked to hold nothing, for a job that runs alone, with a TTL
function key.emptying(ns) return ns .. ':emptying' end
-- list: hints that something is due sooner
function key.wake(ns) return ns .. ':wake' end
-- string: job id and body hash of an Idempotency-Key, with a TTL
function key.idempotency(ns, hash) return ns .. ':idempotency:' .. hash end
-- zset: job and attempt -> when it started, ms
function key.starts(ns) return ns .. ':starts' end
-- hash: what is known of GitHub's limits and pauses for an identity
function key.github_limits(ns, identity) return ns .. ':github:limits:' .. identity end
-- zset: identity -> when it was last used, ms
function key.github_identities(ns) return ns .. ':github:identities' end
-- string: the identity that a token belongs to, by the token's fingerprint, with a TTL
function key.github_identity(ns, fingerprint) return ns .. ':github:identity:' .. fingerprint end
-- zset: request to GitHub that was granted -> when it counts as lost, ms
function key.github_flights(ns, identity) return ns .. ':github:flights:' .. identity end
-- zset: request that makes content -> when it started, ms, for the last hour
function key.github_content(ns, identity) return ns .. ':github:content:' .. identity end
-- zset: worker -> until when it counts as waiting for its turn, ms
function key.github_waiting(ns, identity) return ns .. ':github:waiting:' .. identity end
-- hash: an answer of GitHub, kept, with a TTL
function key.github_answer(ns, hash) return ns .. ':github:answer:' .. hash end
-- zset: kept answer -> when GitHub last confirmed it, ms
function key.github_answers(ns) return ns .. ':github:answers' end
-- hash: kept answer -> the bytes it counts for, also after its own TTL has ended it
function key.github_sizes(ns) return ns .. ':github:sizes' end
-- string: since when, ms, and who asks GitHub for an answer, with a TTL
function key.github_asking(ns, hash) return ns .. ':github:asking:' .. hash end
-- hash: account id -> until when it is believed, ms, and the name
function key.github_names(ns, host) return ns .. ':github:names:' .. host end
-- hash: a place that results go to, and why nothing may be sent there
function key.destination(ns, id) return ns .. ':destination:' .. id end
-- zset: destination -> when it was last used, ms
function key.destinations(ns) return ns .. ':destinations' end
-- hash: how an origin, by its hash, took deliveries lately
function key.origin(ns, hash) return ns .. ':origin:' .. hash end
-- zset: delivery that may be under way to an origin -> when it counts as lost, ms
function key.origin_flights(ns, hash) return ns .. ':origin:flights:' .. hash end

-- The lanes: one for each stage that a job can wait for.
local LANES = { 'fetch', 'deliver', 'grade', 'comment' }
