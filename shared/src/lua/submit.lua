-- submit: admits a task as a scheduled job, or says why not.
--
-- Moves    nothing -> scheduled
-- Keys     1 the namespace with its hash tag
-- Args     1 id            the job's id, random
--          2 kind          a kind of task
--          3 username      as the client wrote it, checked
--          4 repository    as the client wrote it, checked
--          5 stage         the first stage
--          6 delay         ms from now, 0 or more
--          7 live limit    live jobs, unless the setting says otherwise; 0 or less: none
--          8 key hash      of the idempotency key; empty: none
--          9 body hash     of what was asked
--         10 key ttl       ms that an idempotency key is remembered
-- Returns  {'accepted', id, state, due_ms}   also the first answer again
--          {'duplicate', id, state, due_ms}  of the live job with this scope
--          {'full', limit} {'reused'}
-- Cost     O(log of the lane)
-- Repeat   the same id is answered as it was the first time
--
-- One script, because the limit, the lock and the record must agree: of any
-- number of simultaneous submits exactly as many pass as may.
register('submit', {}, function(keys, args)
    local ns, id = keys[1], args[1]
    local function answer(word, job) return { word, job.id, job.state, tonumber(job.due_ms) } end

    local remembered = args[8] ~= '' and redis.call('GET', key.idempotency(ns, args[8]))
    if remembered then
        local first, body = string.match(remembered, '^(%S+) (%S+)$')
        if body ~= args[9] then return { 'reused' } end
        local job = read_job(ns, first)
        if job then return answer('accepted', job) end
    end
    local same = read_job(ns, id)
    if same then return answer('accepted', same) end

    local function remember_key(job)
        if args[8] == '' then return end
        redis.call('SET', key.idempotency(ns, args[8]), job.id .. ' ' .. args[9], 'PX', args[10])
    end
    local scope = string.lower(args[3] .. '/' .. args[4])
    local live, stray = holder(ns, scope)
    if live then
        remember_key(live)
        return answer('duplicate', live)
    end
    local most = limit(redis.call('HGET', key.settings(ns), 'rate_limit_max_simultaneous_jobs'), args[7])
    if most and live_jobs(ns) >= most then return { 'full', most } end

    local at_ms = now(ns)
    if stray then
        stray.ending = 'lost: somebody deleted the set that led to it'
        end_jobs(ns, { stray }, 'dead', at_ms)
    end
    local job = { id = id, state = 'scheduled', due_ms = at_ms + math.floor(tonumber(args[6])) }
    local lane = key.scheduled(ns, args[5])
    redis.call('SET', key.lock(ns, scope), id)
    redis.call('HSET', key.job(ns, id), 'kind', args[2], 'username', args[3], 'repository', args[4],
        'state', 'scheduled', 'stage', args[5], 'due_ms', job.due_ms, 'created_ms', at_ms)
    redis.call('ZADD', lane, job.due_ms, id)
    remember_key(job)
    count(ns, 'accepted', 1)
    wake_if_first(ns, lane, { job.due_ms, id })
    return answer('accepted', job)
end)
