-- reap: takes back the jobs whose lease ran out.
--
-- Moves    running -> scheduled; -> dead after too many crashes in a row;
--          -> cancelled if that was asked for
-- Keys     1 the namespace with its hash tag
-- Args     1 most     jobs in one call
--          2 lease    ms
--          3 jitter   in [0, 1)
-- Returns  {jobs taken back, leases given a fresh term}
-- Cost     O((most + CHUNK) * log of the running set); once after the clock was set back
--          also O(workers + starts of the interval)
-- Repeat   finds nothing more to do, or gives the next leases a fresh term
--
-- If no worker has reaped for a third of a lease, or one did in the future,
-- then Redis was away or its clock jumped, and the workers could not renew:
-- all leases get a fresh term instead of being taken back. One call does so for CHUNK of
-- them; `amnesty_ms` remembers since when it is being done, and until it is done nothing
-- is taken back.

-- A crashed job waits this long, doubled with each further crash.
local CRASH_WAIT_MS, CRASH_WAIT_MAX_MS = 200, 60000
-- So many crashes in a row make a job poison.
local CRASHES_MAX = 5

-- Leases of before end sooner than any that is given from `begun_ms` on, or, where the
-- clock was set back, later than any that can be given now. Returns how many were given,
-- and whether none is left.
local function amnesty(ns, begun_ms, lease_ms, at_ms)
    local running, leases = key.running(ns), {}
    local function give(ids)
        for _, id in ipairs(ids) do leases[#leases + 1], leases[#leases + 2] = at_ms + lease_ms, id end
        return #ids < CHUNK
    end
    -- Those of this very moment are given at its begin, and not again.
    local before = at_ms == begun_ms and '' or '('
    local no_sooner = give(redis.call('ZRANGE', running, '-inf', before .. begun_ms + lease_ms, 'BYSCORE', 'LIMIT', 0, CHUNK))
    local no_later = give(redis.call('ZRANGE', running, '(' .. at_ms + lease_ms, '+inf', 'BYSCORE', 'LIMIT', 0, CHUNK))
    call_many('ZADD', running, leases, 2)
    return #leases / 2, no_sooner and no_later
end

-- Goes on with the amnesty that began at `begun_ms`; returns how many leases it gave.
local function go_on(ns, begun_ms, lease_ms, at_ms)
    local given, is_done = amnesty(ns, begun_ms, lease_ms, at_ms)
    if is_done then
        put('HDEL', key.stats(ns), 'amnesty_ms')
    else
        put('HSET', key.stats(ns), 'amnesty_ms', digits(begun_ms))
    end
    return given
end

-- The wait after a crash: doubled with each, and half again as long at most.
local function crash_wait_ms(crashes, jitter)
    local wait = math.min(CRASH_WAIT_MS * 2 ^ (crashes - 1), CRASH_WAIT_MAX_MS)
    return math.floor(wait * (1 + jitter / 2))
end

local function take_back(ns, ids, jitter, at_ms)
    local back, poison, cancelled = {}, {}, {}
    for i, id in ipairs(ids) do
        local job = read_job(ns, id)
        if job and RETENTION[job.state] then
            job.lane = key.running(ns)
            complete(ns, job, at_ms)
        elseif not job or job.state ~= 'running' then
            redis.call('ZREM', key.running(ns), id)
        else
            local crashes = (mend(job).crashes or 0) + 1
            job.settling = { 'crashes', crashes }
            redis.call('HDEL', key.job(ns, id), 'fence')
            remember(ns, job, at_ms, 'crash', 'the lease ran out: the worker died, hung or lost Redis')
            if job.cancel_requested then
                job.ending = 'cancelled by request'
                cancelled[#cancelled + 1] = job
            elseif crashes >= CRASHES_MAX then
                job.ending = 'poison: ' .. crashes .. ' workers in a row did not survive it'
                poison[#poison + 1] = job
            else
                job.due_ms = at_ms + crash_wait_ms(crashes, (jitter + i * 0.618) % 1)
                for _, value in ipairs({ 'resumes', 'yes', 'reason', 'its worker did not survive attempt ' .. (job.attempt or '?') }) do
                    table.insert(job.settling, value)
                end
                back[#back + 1] = job
            end
        end
    end
    reschedule(ns, back)
    end_jobs(ns, poison, 'dead', at_ms)
    end_jobs(ns, cancelled, 'cancelled', at_ms)
    count(ns, 'crashed', #back + #poison + #cancelled)
    if #back + #poison + #cancelled > 0 then wake(ns) end
    return #back + #poison + #cancelled
end

register('reap', { 'allow-oom' }, function(keys, args)
    local ns, lease_ms, at_ms = keys[1], tonumber(args[2]), now(keys[1])
    -- Whoever lacks a right has not reaped: those who could not renew either for the want
    -- of one get a fresh term afterwards.
    need_rights(ns)
    local known = read_fields(key.stats(ns), { 'reaped_ms', 'amnesty_ms' }, 1)
    -- What is no time is long ago.
    local last, begun_ms = tonumber(known[1] or 0) or 0, tonumber(known[2] or '')
    put('HSET', key.stats(ns), 'reaped_ms', at_ms)
    if last > at_ms then
        move_scores(key.workers(ns), last - at_ms)
        move_scores(key.starts(ns), last - at_ms)
    end
    if last > at_ms or at_ms - last > lease_ms / 3 then return { 0, go_on(ns, at_ms, lease_ms, at_ms) } end
    if begun_ms then return { 0, go_on(ns, begun_ms, lease_ms, at_ms) } end

    local ids = redis.call('ZRANGE', key.running(ns), '-inf', at_ms, 'BYSCORE', 'LIMIT', 0, args[1])
    return { take_back(ns, ids, tonumber(args[3]), at_ms), 0 }
end)
