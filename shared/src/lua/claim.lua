-- claim: gives a worker jobs that are due, under a lease.
--
-- Moves    scheduled -> running; scheduled -> dead if it is too old or unreadable
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
--         12 lane 13 weight, and so on: the lanes to take from
-- Returns  {next, ms, {{id, fence, late_ms, {field, value, ...}}, ...}}; next says
--          when to ask again: now, in (after ms), hint, empty (when alone)
-- Cost     O(wanted * log of the lane)
-- Repeat   with the same request: the same batch, as far as it still is the worker's
--
-- One script, because the size of the running set is the global limit.
local function claimed_before(ns, worker, request)
    local last = redis.call('HMGET', key.worker(ns, worker), 'claim_request', 'claim_jobs')
    if last[1] ~= request then return nil end
    local batch = {}
    for id in string.gmatch(last[2], '%S+') do
        local job, flat = read_job(ns, id)
        if job and job.state == 'running' and job.fence == job.attempt .. ':' .. request then
            batch[#batch + 1] = { id, job.fence, 0, flat }
        end
    end
    return batch
end

-- The order of lanes by their weights: `turn` counts through the round.
local function lane_of_turn(lanes, turn)
    local total = 0
    for _, lane in ipairs(lanes) do total = total + lane.weight end
    local place = total > 0 and turn % total or 0
    for i, lane in ipairs(lanes) do
        if place < lane.weight then return i end
        place = place - lane.weight
    end
    return 1
end

-- The next candidate: from the lane whose turn it is, else from any other.
local function next_candidate(lanes, turn)
    local first = lane_of_turn(lanes, turn)
    for offset = 0, #lanes - 1 do
        local lane = lanes[(first - 1 + offset) % #lanes + 1]
        lane.taken = lane.taken + 1
        if lane.due[lane.taken] then return lane.due[lane.taken], lane end
        lane.taken = lane.taken - 1
    end
end

local function open_lanes(ns, args, paused, at_ms, most)
    local lanes = {}
    for i = 12, #args, 2 do
        if not is_paused(paused, args[i]) then
            local set = key.scheduled(ns, args[i])
            local due = most > 0 and redis.call('ZRANGE', set, '-inf', at_ms, 'BYSCORE', 'LIMIT', 0, most) or {}
            lanes[#lanes + 1] = { name = args[i], set = set, weight = tonumber(args[i + 1]), due = due, taken = 0 }
        end
    end
    return lanes
end

-- The start of the next scheduled job that is not due yet, or nil.
local function next_due(lanes, at_ms)
    local soonest
    for _, lane in ipairs(lanes) do
        local first = redis.call('ZRANGE', lane.set, '(' .. at_ms, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
        if first[2] and (not soonest or tonumber(first[2]) < soonest) then soonest = tonumber(first[2]) end
    end
    return soonest
end

-- Decides what to do with each candidate; writes nothing.
local function choose(ns, args, lanes, room, starts_left, at_ms)
    local plan = { jobs = {}, ended = {}, missing = {}, starts = 0 }
    local alone, turn = args[5] == '1', tonumber(args[6])
    while #plan.jobs < room do
        local id, lane = next_candidate(lanes, turn)
        if not id then break end
        local job, flat = read_job(ns, id)
        local readable = job and is_readable(job)
        local suspect = readable and tonumber(job.crashes or 0) >= ALONE_FROM
        -- The stage of a newer version may be no lane that is known here.
        if job then job.lane = lane.set end
        if not job then
            plan.missing[#plan.missing + 1] = { lane.set, id }
        elseif not readable then
            job.stage, job.ending = lane.name, 'its record cannot be read'
            plan.ended[#plan.ended + 1] = job
        elseif is_too_old(job, tonumber(args[7]), at_ms) then
            job.ending = 'expired: older than JOB_MAX_AGE'
            plan.ended[#plan.ended + 1] = job
        elseif suspect and not alone then
            plan.when_empty = true
        elseif not job.resumes and starts_left and starts_left <= plan.starts then
            plan.rate_bound = true
        else
            job.flat = flat
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

-- Makes one job running; returns what the worker is told about it.
local function start(ns, job, args, report_age_ms, at_ms)
    local at = key.job(ns, job.id)
    local attempt = (job.attempt or 0) + 1
    local fence = attempt .. ':' .. args[2]
    local fields = { 'state', 'running', 'attempt', attempt, 'fence', fence, 'worker', args[1], 'started_ms', at_ms }
    if job.reason or job.resumes then redis.call('HDEL', at, 'reason', 'resumes') end
    if job.report_bytes and (job.report_ms or 0) + report_age_ms <= at_ms then
        drop_reports(ns, { job })
        fields[#fields + 1], fields[#fields + 2] = 'stage', 'fetch'
    end
    redis.call('HSET', at, unpack(fields))
    for _, value in ipairs(fields) do job.flat[#job.flat + 1] = tostring(value) end
    return { job.id, fence, math.max(0, at_ms - job.due_ms), job.flat }
end

local function write(ns, args, plan, starts_limit, interval_ms, at_ms)
    for _, member in ipairs(plan.missing) do redis.call('ZREM', member[1], member[2]) end
    for _, job in ipairs(plan.ended) do remember(ns, job, at_ms, 'expire', job.ending) end
    end_jobs(ns, plan.ended, 'dead', at_ms)
    if #plan.jobs == 0 then return {} end

    local batch, leases, starts, ids = {}, {}, {}, {}
    leave(ns, plan.jobs)
    for i, job in ipairs(plan.jobs) do
        batch[i] = start(ns, job, args, tonumber(args[8]), at_ms)
        ids[i] = job.id
        leases[#leases + 1], leases[#leases + 2] = at_ms + args[4], job.id
        if starts_limit and not job.resumes then
            starts[#starts + 1], starts[#starts + 2] = at_ms, job.id .. ':' .. (job.attempt or 0) + 1
        end
    end
    call_many('ZADD', key.running(ns), leases, 2)
    if #starts > 0 then
        call_many('ZADD', key.starts(ns), starts, 2)
        redis.call('PEXPIRE', key.starts(ns), interval_ms)
    end
    redis.call('HSET', key.worker(ns, args[1]), 'claim_request', args[2], 'claim_jobs', table.concat(ids, ' '))
    redis.call('PEXPIRE', key.worker(ns, args[1]), 4 * args[4])
    count(ns, 'claimed', #batch)
    return batch
end

register('claim', { 'allow-oom' }, function(keys, args)
    local ns = keys[1]
    local again = claimed_before(ns, args[1], args[2])
    if again then return { 'now', 0, again } end

    local at_ms = now(ns)
    local settings = redis.call('HMGET', key.settings(ns), 'max_running_jobs', 'jobs_per_interval', 'jobs_interval', 'paused')
    local most, starts_limit = limit(settings[1], args[9]), limit(settings[2], args[10])
    local interval_ms = positive(whole(settings[3])) or positive(args[11]) or 1000
    local wanted, running = tonumber(args[3]), redis.call('ZCARD', key.running(ns))
    local room = math.max(0, math.min(wanted, most and most - running or wanted))
    local starts_left
    if starts_limit then
        redis.call('ZREMRANGEBYSCORE', key.starts(ns), '-inf', at_ms - interval_ms)
        starts_left = starts_limit - redis.call('ZCARD', key.starts(ns))
    end

    local lanes = open_lanes(ns, args, settings[4], at_ms, room)
    local plan = choose(ns, args, lanes, room, starts_left, at_ms)
    local batch = write(ns, args, plan, starts_limit, interval_ms, at_ms)

    if plan.when_empty then return { 'empty', 0, batch } end
    if most and running + #batch >= most then return { 'hint', 0, batch } end
    if plan.rate_bound then
        local oldest = redis.call('ZRANGE', key.starts(ns), 0, 0, 'WITHSCORES')
        return { 'in', math.max(1, (oldest[2] or at_ms) + interval_ms - at_ms), batch }
    end
    if plan.alone or #plan.ended + #plan.missing > 0 or (room > 0 and #batch == room) then
        if #batch > 0 then wake_if_due(ns, at_ms) end
        return { 'now', 0, batch }
    end
    local soonest = next_due(lanes, at_ms)
    if soonest then return { 'in', math.max(1, soonest - at_ms), batch } end
    return { 'hint', 0, batch }
end)
