-- claim: gives a worker jobs that are due, under a lease.
--
-- Moves    scheduled -> running; scheduled -> dead if it is too old or unreadable;
--          a delivery without a report that is good goes to the lane of fetches;
--          a comment that a newer commit made needless: -> cancelled
-- Keys     1 the namespace with its hash tag
-- Args     1 worker        its id
--          2 request       random; the same one returns the same batch
--          3 wanted        jobs, 1 or more
--          4 lease         ms
--          5 alone         1 if the worker holds no job at all
--          6 turn          whole number; which turn of the weighted round is next
--          7 max age       ms from creation to expiry
--          8 report age    ms that a kept report is good for
--          9 running limit 10 starts limit 11 interval in ms: unless the settings say otherwise
--         12 identity     whose limits at GitHub count, as in github_acquire; empty: not known
--         13 token        its fingerprint
--         14 write gap    ms  15 content a minute  16 content an hour: as in github_acquire
--         17 lane 18 weight, and so on: the lanes to take from
-- Returns  {next, ms, {job, ...}}; next says when to ask again: now, in (after ms),
--          hint, empty (when alone; to one worker at a time); for the parts of a job see
--          `told`
-- Cost     O(wanted * log of the lane)
-- Repeat   with the same request: the same batch, as far as it still is the worker's
--
-- One script, because the size of the running set is the global limit.

-- A kept report of no more bytes comes with the claim, which saves a round trip.
local REPORT_BYTES_WITH_CLAIM = 8192
-- A fetch that had to wait goes on where it stood for so long; then it begins anew.
local CHECKPOINT_MS = 6 * 3600000

local function small_report(ns, job)
    if job.stage ~= 'deliver' or not job.report_bytes then return nil end
    if (tonumber(job.report_bytes) or 0) > REPORT_BYTES_WITH_CLAIM then return nil end
    return look('GET', key.report(ns, job.id)) or nil
end

-- So many jobs that run alone are passed over in one claim for what is due behind them.
local PASSED_OVER_MAX = 256
-- The word to a worker to empty itself is forgotten after this, or when the worker is gone.
local EMPTYING_MS = 86400000
-- A comment that waits for another of its pull request is looked at again after this.
local BEFORE_LOOK_MS = 2000

-- What only feedback has.
local function told_of_feedback(job)
    if job.kind ~= 'feedback' then return nil end
    return {
        job.pull_request or false, job.commit or false, job.passed or false, job.total or false,
        job.comment_tries or false, job.comment_tried_ms or false, job.comment_url or false,
    }
end

-- What the worker is told of a job that it has: not the whole record, for each
-- part takes time here and there.
local function told(ns, job, fence, late_ms, attempt, started_ms)
    return {
        job.id, fence, late_ms, attempt, started_ms,
        job.kind or false, job.username, job.repository, job.stage, job.due_ms, job.created_ms,
        job.failures or false, job.crashes or false, job.bodies or false, job.report_bytes or false,
        small_report(ns, job) or false, job.webhook_url or false,
        told_of_feedback(job),
    }
end

local function claimed_before(ns, worker, request)
    local last = look('HMGET', key.worker(ns, worker), 'claim_request', 'claim_jobs')
    if not last or last[1] ~= request then return nil end
    local batch = {}
    for id in string.gmatch(last[2], '%S+') do
        local job = read_job(ns, id)
        if job and job.state == 'running' and job.fence == job.attempt .. ':' .. request then
            batch[#batch + 1] = told(ns, job, job.fence, 0, job.attempt, job.started_ms)
        end
    end
    return batch
end

-- The next candidate: from the lane whose turn it is, else from any other.
local function next_candidate(lanes, turn)
    local first = #lanes.round > 0 and lanes.round[turn % #lanes.round + 1] or 1
    for offset = 0, #lanes - 1 do
        local lane = lanes[(first - 1 + offset) % #lanes + 1]
        local id = lane.due[lane.taken + 1]
        if id then
            lane.taken = lane.taken + 1
            return id, lane
        end
    end
end

-- How many jobs of a lane may be claimed that ask GitHub: none while it makes everybody
-- wait, so that no job is claimed only to be put back, and then one as the probe; of
-- those that make content one at a time.
local function through_gate(ns, args, lanes, lane, at_ms)
    local identity, class = args[12], ASKING[lane.name]
    lanes.known = lanes.known or take_limits(ns, identity, at_ms)
    local until_ms, _, narrow = gate(lanes.known, class, args[13], at_ms)
    if not until_ms and class == 'content' then
        local start_ms = content_claim_ms(ns, identity, { args[15], args[16] }, lanes.known, at_ms)
        until_ms = start_ms > at_ms and start_ms or nil
        if tonumber(args[14]) > 0 then lane.most = 1 end
    end
    if until_ms then
        lane.most = 0
    elseif narrow then
        -- Of two lanes, one sends the probe.
        lane.most, until_ms = next(lanes.narrow) and 0 or 1, at_ms + PROBE_LOOK_MS
        lanes.narrow[lane.name] = true
    elseif lane.most and #lane.due > lane.most then
        until_ms = at_ms + args[14]
    end
    if until_ms then lanes.opens_ms = math.min(lanes.opens_ms or until_ms, until_ms) end
    if class == 'content' then lanes.content_opens_ms = until_ms end
end

-- The lanes that are open with what is due in each, and a round of turns in which
-- each that has something due has as many as it weighs.
local function open_lanes(ns, args, paused, at_ms, most)
    local lanes = { round = {}, narrow = {} }
    for i = 17, #args, 2 do
        if not is_paused(paused, args[i]) then
            local lane = { name = args[i], set = key.scheduled(ns, args[i]), due = {}, taken = 0 }
            if most > 0 then lane.due = redis.call('ZRANGE', lane.set, '-inf', at_ms, 'BYSCORE', 'LIMIT', 0, most) end
            if #lane.due > 0 and ASKING[lane.name] and args[12] ~= '' then through_gate(ns, args, lanes, lane, at_ms) end
            for place = #lane.due, (lane.most or #lane.due) + 1, -1 do lane.due[place] = nil end
            if lane.most ~= 0 then
                lanes[#lanes + 1] = lane
                for _ = 1, #lane.due > 0 and args[i + 1] or 0 do table.insert(lanes.round, #lanes) end
            end
        end
    end
    return lanes
end

-- The start of the next scheduled job that is not due yet, or nil.
local function next_due(lanes, at_ms)
    local soonest = lanes.opens_ms
    for _, lane in ipairs(lanes) do
        local first = redis.call('ZRANGE', lane.set, '(' .. at_ms, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
        if first[2] and (not soonest or tonumber(first[2]) < soonest) then soonest = tonumber(first[2]) end
    end
    return soonest
end

-- Whether what is kept of this job is older than `most_ms`, or of unknown age, as the clock
-- was set back since by more than that.
local function is_kept_too_long(job, most_ms, at_ms)
    local age_ms = at_ms - (job.report_ms or 0)
    return math.abs(age_ms) >= tonumber(most_ms)
end

-- Passes over a job that runs alone: another takes its place among the candidates.
local function pass_over(plan, lane, at_ms)
    plan.passed_over = plan.passed_over + 1
    if plan.passed_over > PASSED_OVER_MAX then return end
    lane.due[#lane.due + 1] = redis.call('ZRANGE', lane.set, '-inf', at_ms, 'BYSCORE', 'LIMIT', #lane.due, 1)[1]
end

-- Whether the job is in another set, where its record says that it is.
local function is_elsewhere(ns, job, lane)
    if job.state ~= 'running' and job.stage == lane.name then return false end
    local set = job.state == 'running' and key.running(ns) or key.scheduled(ns, job.stage or '')
    return look('ZSCORE', set, job.id)
end

-- Decides what to do with each candidate; writes nothing.
local function choose(ns, args, lanes, room, starts_left, at_ms)
    local plan = {
        jobs = {}, ended = {}, strays = {}, completed = {}, to_fetch = {}, superseded = {}, behind = {},
        starts = 0, passed_over = 0,
    }
    local alone, turn = args[5] == '1', tonumber(args[6])
    while #plan.jobs < room do
        local id, lane = next_candidate(lanes, turn)
        if not id then break end
        local job = read_job(ns, id)
        local readable = job and is_readable(job)
        local suspect = readable and tonumber(job.crashes or 0) >= ALONE_FROM
        local before
        if readable and job.stage == 'comment' and is_feedback(job) then before, job.superseded_by = rivals(ns, job) end
        -- The stage of a newer version may be no lane that is known here.
        if job then job.lane = lane.set end
        if not job or is_elsewhere(ns, job, lane) then
            plan.strays[#plan.strays + 1] = { lane.set, id }
        elseif RETENTION[job.state] then
            plan.completed[#plan.completed + 1] = job
        elseif not readable then
            job.stage, job.ending = lane.name, 'its record cannot be read'
            plan.ended[#plan.ended + 1] = job
        elseif is_too_old(job, tonumber(args[7]), at_ms) then
            job.ending = 'expired: older than JOB_MAX_AGE'
            plan.ended[#plan.ended + 1] = job
        elseif job.stage == 'deliver' and job.kind ~= 'feedback' and is_kept_too_long(job, args[8], at_ms) then
            plan.to_fetch[#plan.to_fetch + 1] = job
        elseif job.superseded_by then
            plan.superseded[#plan.superseded + 1] = job
        elseif before then
            plan.behind[#plan.behind + 1] = job
        elseif suspect and not alone then
            pass_over(plan, lane, at_ms)
        elseif not job.resumes and starts_left and starts_left <= plan.starts then
            plan.rate_bound = true
        else
            if not job.resumes then plan.starts = plan.starts + 1 end
            if suspect then
                plan.jobs, plan.alone = { job }, true
                break
            end
            plan.jobs[#plan.jobs + 1] = job
            turn = turn + 1
        end
    end
    return plan
end

-- That a comment was begun lies ahead if the clock was set back since: it counts as begun
-- now, so that whoever waits for its end waits once.
local function follow_tried(ns, job, at_ms)
    if (tonumber(job.comment_tried_ms or '') or 0) <= at_ms then return end
    job.comment_tried_ms = digits(at_ms)
    redis.call('HSET', key.job(ns, job.id), 'comment_tried_ms', job.comment_tried_ms)
end

-- Makes one job running; returns what the worker is told about it.
local function start(ns, job, args, at_ms, at_text)
    local at, attempt = key.job(ns, job.id), (job.attempt or 0) + 1
    local attempt_text = digits(attempt)
    local fence = attempt_text .. ':' .. args[2]
    if job.reason or job.resumes then redis.call('HDEL', at, 'reason', 'resumes') end
    if job.report_bytes and job.stage == 'fetch' and is_kept_too_long(job, CHECKPOINT_MS, at_ms) then
        drop_reports(ns, { job })
        job.report_bytes = nil
    end
    follow_tried(ns, job, at_ms)
    redis.call('HSET', at, 'state', 'running', 'attempt', attempt_text, 'fence', fence,
        'worker', args[1], 'started_ms', at_text)
    return told(ns, job, fence, math.max(0, at_ms - job.due_ms), attempt, at_ms)
end

-- Deliveries that must be fetched again: they wait with the fetches, and as those do.
local function send_to_fetch(ns, jobs)
    local lane, others = key.scheduled(ns, 'fetch'), {}
    for _, job in ipairs(jobs) do
        redis.call('ZADD', lane, job.due_ms, job.id)
        redis.call('HSET', key.job(ns, job.id), 'stage', 'fetch')
        if job.lane ~= lane then others[#others + 1] = job end
    end
    drop_reports(ns, jobs)
    leave(ns, others)
end

-- Comments that come after another of their pull request.
local function put_off(ns, jobs, at_ms)
    for _, job in ipairs(jobs) do
        redis.call('HSET', key.job(ns, job.id), 'due_ms', at_ms + BEFORE_LOOK_MS)
        redis.call('ZADD', job.lane, at_ms + BEFORE_LOOK_MS, job.id)
    end
end

-- Writes what becomes of those that are not claimed; returns how many they are.
local function write_others(ns, plan, at_ms)
    for _, member in ipairs(plan.strays) do redis.call('ZREM', member[1], member[2]) end
    for _, job in ipairs(plan.completed) do complete(ns, job, at_ms) end
    send_to_fetch(ns, plan.to_fetch)
    for _, job in ipairs(plan.ended) do remember(ns, job, at_ms, 'expire', job.ending) end
    end_jobs(ns, plan.ended, 'dead', at_ms)
    supersede(ns, plan.superseded, at_ms)
    put_off(ns, plan.behind, at_ms)
    return #plan.strays + #plan.completed + #plan.to_fetch + #plan.ended + #plan.superseded + #plan.behind
end

-- What the others learn of a job that will ask GitHub.
local function note_asking(ns, args, lanes, job, at_ms)
    local class = ASKING[job.stage]
    if not class or args[12] == '' then return end
    if lanes.narrow[job.stage] then note_probe_claim(ns, args[12], at_ms) end
    if class == 'content' then note_content_claim(ns, args[12], tonumber(args[14]), at_ms) end
end

local function write(ns, args, lanes, plan, starts_limit, interval_ms, at_ms)
    if #plan.jobs == 0 then return {} end

    local batch, leases, starts, ids = {}, {}, {}, {}
    local at_text, until_text = digits(at_ms), digits(at_ms + args[4])
    for i, job in ipairs(plan.jobs) do
        ids[i] = job.id
        leases[#leases + 1], leases[#leases + 2] = until_text, job.id
        if starts_limit and not job.resumes then
            starts[#starts + 1], starts[#starts + 2] = at_ms, job.id .. ':' .. (job.attempt or 0) + 1
        end
    end
    call_many('ZADD', key.running(ns), leases, 2)
    put_for('HSET', key.worker(ns, args[1]), 4 * args[4], 'claim_request', args[2], 'claim_jobs', table.concat(ids, ' '))
    for i, job in ipairs(plan.jobs) do batch[i] = start(ns, job, args, at_ms, at_text) end
    leave(ns, plan.jobs)
    if #starts > 0 then
        put_many('ZADD', key.starts(ns), starts, 2)
        redis.call('PEXPIRE', key.starts(ns), interval_ms)
    end
    for _, job in ipairs(plan.jobs) do note_asking(ns, args, lanes, job, at_ms) end
    count(ns, 'claimed', #batch)
    return batch
end

-- Whether this worker is to empty itself for a job that was passed over. One at a time is
-- asked, so that the others go on.
local function must_empty(ns, worker, at_ms)
    local asked = emptying(ns, at_ms)
    if asked and asked ~= worker then return false end
    redis.call('SET', key.emptying(ns), worker, 'PX', EMPTYING_MS)
    return true
end

-- A worker that holds nothing and has no such job to run has done what it was asked.
local function note_empty(ns, worker)
    if look('GET', key.emptying(ns)) == worker then redis.call('DEL', key.emptying(ns)) end
end

register('claim', { 'allow-oom' }, function(keys, args)
    local ns = keys[1]
    local again = claimed_before(ns, args[1], args[2])
    if again then return { 'now', 0, again } end

    local at_ms = now(ns)
    local settings = look('HMGET', key.settings(ns), 'max_running_jobs', 'jobs_per_interval', 'jobs_interval', 'paused') or {}
    local most, starts_limit = limit(settings[1], args[9]), limit(settings[2], args[10])
    local interval_ms = positive(whole(settings[3])) or positive(args[11]) or 1000
    local wanted, running = tonumber(args[3]), redis.call('ZCARD', key.running(ns))
    local room = math.max(0, math.min(wanted, most and most - running or wanted))
    local starts_left
    if starts_limit then
        put('ZREMRANGEBYSCORE', key.starts(ns), '-inf', at_ms - interval_ms)
        starts_left = starts_limit - (look('ZCARD', key.starts(ns)) or 0)
    end

    local lanes = open_lanes(ns, args, settings[4], at_ms, room)
    local plan = choose(ns, args, lanes, room, starts_left, at_ms)
    local others = write_others(ns, plan, at_ms)
    -- Where a job gave way, another may be claimed at once.
    if lanes.content_opens_ms and others == 0 then note_content_opens(ns, args[12], lanes.content_opens_ms, at_ms) end
    local batch = write(ns, args, lanes, plan, starts_limit, interval_ms, at_ms)

    if args[5] == '1' and not plan.alone then note_empty(ns, args[1]) end
    if plan.passed_over > 0 and must_empty(ns, args[1], at_ms) then return { 'empty', 0, batch } end
    if most and running + #batch >= most then return { 'hint', 0, batch } end
    if plan.rate_bound then
        local oldest = look('ZRANGE', key.starts(ns), 0, 0, 'WITHSCORES')
        return { 'in', math.max(1, (oldest[2] or at_ms) + interval_ms - at_ms), batch }
    end
    if plan.alone or others > 0 or (room > 0 and #batch == room) then
        if #batch > 0 then wake_if_due(ns, at_ms) end
        return { 'now', 0, batch }
    end
    local soonest = next_due(lanes, at_ms)
    if soonest then return { 'in', math.max(1, soonest - at_ms), batch } end
    return { 'hint', 0, batch }
end)
