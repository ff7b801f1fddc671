-- How a job goes on, goes back and ends: the writes that several transitions
-- share. Every check stands in the functions that call these.
--
-- Redis takes no write back when a later one of the same function fails, as where the
-- user lacks a right. So the writes stand in an order in which each may be the last one:
-- first the set that a job goes to, then its record, and at the very end it leaves the set
-- where it was. Until then that set leads to it: claim and reap go by the record, and put
-- right what is missing. What is sent again and again until the right is back asks for it
-- first (need_rights), so that it leaves no traces each time.

-- The first 64 bytes of a reason: what stands in the record. A longer value
-- would double the record's memory; the history has the whole text. A letter of
-- several bytes at the cut is left out: half of one makes the record unreadable.
local function short(text)
    if #text <= 64 then return text end
    local cut = string.gsub(string.sub(text, 1, 61), '[\192-\255][\128-\191]*$', '')
    return cut .. '...'
end

-- Removes the oldest records of one kind, those beyond its retention.
local function trim(ns, state, at_ms, most)
    local set, keep = key.ended(ns, state), RETENTION[state]
    local excess = math.min(redis.call('ZCARD', set) - keep.count, most)
    local old = excess > 0 and redis.call('ZRANGE', set, 0, excess - 1)
        or redis.call('ZRANGE', set, '-inf', at_ms - keep.ms, 'BYSCORE', 'LIMIT', 0, most)
    if #old == 0 then return end
    local gone = {}
    for _, id in ipairs(old) do
        gone[#gone + 1] = key.job(ns, id)
        gone[#gone + 1] = key.history(ns, id)
        if state == 'dead' then gone[#gone + 1] = key.evaluation(ns, id) end
    end
    redis.call('ZREMRANGEBYRANK', set, 0, #old - 1)
    delete_many(gone)
end

-- Takes jobs out of wherever they are: the running set or their lane. job.lane
-- is where one was found, if that may not be where its stage belongs.
local function leave(ns, jobs)
    local running, from = key.running(ns), {}
    for _, job in ipairs(jobs) do
        local set = job.lane or (job.state == 'running' and running or key.scheduled(ns, job.stage))
        local ids = from[set]
        if not ids then
            ids = {}
            from[set] = ids
        end
        ids[#ids + 1] = job.id
    end
    for set, ids in pairs(from) do call_many('ZREM', set, ids, 1) end
end

-- Forgets kept reports, and takes their bytes off the total.
local function drop_reports(ns, jobs)
    local bytes, reports = 0, {}
    for _, job in ipairs(jobs) do
        if job.report_bytes then
            bytes = bytes + (tonumber(job.report_bytes) or 0)
            reports[#reports + 1] = key.report(ns, job.id)
        end
    end
    if #reports == 0 then return end
    -- Shows that the sum can be changed, before the records stop saying by how much.
    add_up(ns, 'report_bytes', 0)
    delete_many(reports)
    for _, job in ipairs(jobs) do
        if job.report_bytes then redis.call('HDEL', key.job(ns, job.id), 'report_bytes', 'report_ms') end
    end
    local left = add_up(ns, 'report_bytes', 0 - bytes)
    -- Somebody deleted the sum while reports were kept.
    if left < 0 then put('HSET', key.stats(ns), 'report_bytes', 0) end
end

-- Forgets what was to be graded. A dead job can be revived, and needs it then.
local function drop_evaluations(ns, jobs, state)
    if state == 'dead' then return end
    for _, job in ipairs(jobs) do
        if is_feedback(job) then redis.call('DEL', key.evaluation(ns, job.id)) end
    end
end

-- Gives back the scopes that these jobs, and no others, hold.
local function unlock(ns, jobs)
    local locks, own = {}, {}
    for i, job in ipairs(jobs) do locks[i] = key.lock(ns, scope_of(job)) end
    local ids = read_many(locks)
    for i, lock in ipairs(locks) do
        if ids[i] == jobs[i].id then own[#own + 1] = lock end
    end
    delete_many(own)
end

-- What is left to do of jobs whose records say that they have ended. Doing it again
-- changes nothing.
local function let_go(ns, jobs, state, at_ms)
    local members, at_text = {}, digits(at_ms)
    for _, job in ipairs(jobs) do members[#members + 1], members[#members + 2] = at_text, job.id end
    call_many('ZADD', key.ended(ns, state), members, 2)
    unlock(ns, jobs)
    drop_reports(ns, jobs)
    drop_evaluations(ns, jobs, state)
    leave(ns, jobs)
end

-- The same for a job that was met where live jobs are, as its end was cut off half-way;
-- job.lane is the set.
local function complete(ns, job, at_ms)
    let_go(ns, { job }, job.state, tonumber(job.ended_ms or '') or at_ms)
end

local NOTHING = {}

-- Ends jobs as `state`. job.ending is the reason, if there is one to give; a
-- job's own `settling` fields are written with it.
local function end_jobs(ns, jobs, state, at_ms)
    if #jobs == 0 then return end
    local at_text = digits(at_ms)
    for _, job in ipairs(jobs) do
        local at = key.job(ns, job.id)
        if job.ending then
            redis.call('HSET', at, 'state', state, 'ended_ms', at_text, 'reason', short(job.ending), unpack(job.settling or {}))
        else
            redis.call('HSET', at, 'state', state, 'ended_ms', at_text, unpack(job.settling or NOTHING))
        end
        if job.cancel_requested then redis.call('HDEL', at, 'cancel_requested') end
    end
    let_go(ns, jobs, state, at_ms)
    count(ns, state, #jobs)
    trim(ns, state, at_ms, #jobs + TRIM_MORE)
end

-- Puts running jobs back into their lanes. job.due_ms is when each may start
-- again, job.settling what else is written.
local function reschedule(ns, jobs)
    if #jobs == 0 then return end
    local lanes = {}
    for _, job in ipairs(jobs) do
        local lane = key.scheduled(ns, job.stage)
        lanes[lane] = lanes[lane] or {}
        table.insert(lanes[lane], job.due_ms)
        table.insert(lanes[lane], job.id)
    end
    for lane, members in pairs(lanes) do call_many('ZADD', lane, members, 2) end
    for _, job in ipairs(jobs) do
        redis.call('HSET', key.job(ns, job.id), 'state', 'scheduled', 'due_ms', job.due_ms, unpack(job.settling))
    end
    leave(ns, jobs)
    for lane, members in pairs(lanes) do wake_if_first(ns, lane, members) end
end

-- What is read of a job: what proves a claim, what its end needs beside that,
-- and what going on or back needs. Each field takes time.
local CLAIM_FIELDS = { 'state', 'fence' }
local END_FIELDS = { 'state', 'fence', 'username', 'repository', 'scope', 'report_bytes', 'cancel_requested' }
local SETTLE_FIELDS = {
    'state', 'fence', 'username', 'repository', 'scope', 'stage', 'attempt', 'failures', 'crashes',
    'worker', 'created_ms', 'started_ms', 'revived_ms', 'report_bytes', 'cancel_requested',
}

-- Reads these fields of the job of a claim and says whether the claim still
-- holds: `ok`, `already` (this fence settled it), `stale` or `gone`.
local function read_claim(ns, id, fence, fields)
    local values = read_fields(key.job(ns, id), fields, 1)
    if not values[1] then return 'gone' end
    if values[2] ~= fence then return 'stale' end
    local job = { id = id }
    for i = 1, #fields do job[fields[i]] = values[i] or nil end
    return job.state == 'running' and 'ok' or 'already', job
end

-- Reads the claims of a batch: a code for each, and the jobs that are `ok`
-- with the place of their arguments. An id that stands twice counts once.
local function read_claims(ns, args, first, step, fields)
    local codes, jobs, seen = {}, {}, {}
    for i = first, #args, step do
        local id = args[i]
        local code, job = read_claim(ns, id, args[i + 1], fields)
        if seen[id] then code = code == 'ok' and 'already' or code end
        if code == 'ok' then
            seen[id] = true
            job.place = i
            jobs[#jobs + 1] = job
            job.code = #codes + 1
        end
        codes[#codes + 1] = code
    end
    return codes, jobs
end

-- Gives running jobs back to their lanes: the transitions retry, defer, release
-- and grade. A job that a client wants cancelled is cancelled instead, and one
-- past its age is dead. event.step is how many arguments each job has, and
-- event.advance what else changes of one. Returns a code for each claim.
local function give_back(ns, args, event)
    local max_age_ms, at_ms = tonumber(args[1]), now(ns)
    local codes, jobs = read_claims(ns, args, 2, event.step or 5, SETTLE_FIELDS)
    local back, cancelled, expired = {}, {}, {}
    if #jobs > 0 then need_rights(ns) end
    for _, job in ipairs(jobs) do
        mend(job)
        local reason = args[job.place + 3]
        local failures = (job.failures or 0) + event.failures
        job.settling = failures > 0 and { 'failures', failures } or {}
        remember(ns, job, at_ms, event.name, reason, args[job.place + 4])
        if event.advance then event.advance(ns, job, args) end
        if job.cancel_requested then
            job.ending = 'cancelled by request'
            codes[job.code] = 'cancelled'
            cancelled[#cancelled + 1] = job
        elseif is_too_old(job, max_age_ms, at_ms) then
            job.ending = 'expired: older than JOB_MAX_AGE; last: ' .. reason
            remember(ns, job, at_ms, 'expire', job.ending)
            expired[#expired + 1] = job
        else
            job.due_ms = at_ms + math.floor(tonumber(args[job.place + 2]))
            table.insert(job.settling, 'reason')
            table.insert(job.settling, short(reason))
            if event.resumes then
                table.insert(job.settling, 'resumes')
                table.insert(job.settling, 'yes')
            end
            back[#back + 1] = job
        end
    end
    reschedule(ns, back)
    end_jobs(ns, cancelled, 'cancelled', at_ms)
    end_jobs(ns, expired, 'dead', at_ms)
    count(ns, event.counter, #back)
    if #jobs > 0 then wake_if_due(ns, at_ms) end
    return codes
end

-- Writes the stage and numbers the body; `truncated` names the lists in it that were cut.
-- A claim numbers its body once. A completed stage ends a row of crashes.
local function step(ns, job, fence, stage, has_body, truncated)
    local at = key.job(ns, job.id)
    local known = redis.call('HMGET', at, 'bodies', 'body_fence', 'truncated')
    local body = tonumber(known[1] or 0) or 0
    if has_body and known[2] ~= fence then
        body = body + 1
        redis.call('HSET', at, 'stage', stage, 'bodies', body, 'body_fence', fence)
        if truncated ~= '' then
            redis.call('HSET', at, 'truncated', truncated)
        elseif known[3] then
            redis.call('HDEL', at, 'truncated')
        end
    else
        redis.call('HSET', at, 'stage', stage)
    end
    if job.crashes then redis.call('HDEL', at, 'crashes') end
    return body
end

-- Cancels jobs of feedback whose place a newer one took: job.superseded_by.
local function supersede(ns, jobs, at_ms)
    for _, job in ipairs(jobs) do
        job.ending = 'superseded by ' .. job.superseded_by
        job.settling = { 'superseded_by', job.superseded_by }
        remember(ns, job, at_ms, 'supersede', job.ending)
    end
    end_jobs(ns, jobs, 'cancelled', at_ms)
    count(ns, 'superseded', #jobs)
end
