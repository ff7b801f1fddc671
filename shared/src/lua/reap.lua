-- reap: takes back the jobs whose lease ran out.
--
-- Moves    running -> scheduled; -> dead after too many crashes in a row;
--          -> cancelled if that was asked for
-- Keys     1 the namespace with its hash tag
-- Args     1 most     jobs in one call
--          2 lease    ms
--          3 jitter   in [0, 1)
-- Returns  {jobs taken back, leases given a fresh term}
-- Cost     O(most * log of the running set)
-- Repeat   finds nothing more to do
--
-- If no worker has reaped for a third of a lease, or one did in the future,
-- then Redis was away or its clock jumped, and the workers could not renew:
-- all leases get a fresh term instead of being taken back.

local function amnesty(ns, until_ms)
    local leases = {}
    for _, id in ipairs(redis.call('ZRANGE', key.running(ns), 0, -1)) do
        leases[#leases + 1], leases[#leases + 2] = until_ms, id
    end
    call_many('ZADD', key.running(ns), leases, 2)
    return #leases / 2
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
        if not job or job.state ~= 'running' then
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
    -- What is no time is long ago.
    local last = tonumber(look('HGET', key.stats(ns), 'reaped_ms') or 0) or 0
    put('HSET', key.stats(ns), 'reaped_ms', at_ms)
    if last > at_ms or at_ms - last > lease_ms / 3 then return { 0, amnesty(ns, at_ms + lease_ms) } end

    local ids = redis.call('ZRANGE', key.running(ns), '-inf', at_ms, 'BYSCORE', 'LIMIT', 0, args[1])
    return { take_back(ns, ids, tonumber(args[3]), at_ms), 0 }
end)
