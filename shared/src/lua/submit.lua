-- submit: admits a task as a scheduled job, or says why not.
--
-- Moves    nothing -> scheduled; of feedback on the same pull request: scheduled ->
--          cancelled, unless a comment of it may exist
-- Keys     1 the namespace with its hash tag
-- Args     1 id            the job's id, random
--          2 kind          a kind of task
--          3 username      as the client wrote it, checked
--          4 repository    as the client wrote it, checked
--          5 delay         ms from now, 0 or more
--          6 live limit    live jobs, unless the setting says otherwise; 0 or less: none
--          7 key hash      of the idempotency key; empty: none
--          8 body hash     of what was asked
--          9 key ttl       ms that an idempotency key is remembered
--         10 owner         the id of the client's key; empty: none
--         11 webhook url   where the result goes; empty: to the default
--         12 destination   the id of that place; empty: the default
--         13 pull request  its number  14 commit  its SHA  15 evaluation  JSON;
--                          for feedback only
-- Returns  {'accepted', id, state, due_ms}   also the first answer again
--          {'duplicate', id, state, due_ms}  of the live job with this scope
--          {'full', limit} {'reused'} {'disabled', destination}
-- Cost     O(log of the lane + the jobs of the pull request)
-- Repeat   the same id is answered as it was the first time
--
-- One script, because the limit, the lock and the record must agree: of any
-- number of simultaneous submits exactly as many pass as may.

-- The fields of a record that most jobs are without.
local function rare_fields(args, scope)
    local fields = {}
    local function add(name, value)
        if value and value ~= '' then fields[#fields + 1], fields[#fields + 2] = name, value end
    end
    if args[10] ~= '' or args[11] ~= '' or args[13] then add('scope', scope) end
    add('owner', args[10])
    add('webhook_url', args[11])
    add('destination', args[12])
    add('pull_request', args[13])
    add('commit', args[14])
    return fields
end

local function write_job(ns, args, job, scope, stage, at_ms)
    redis.call('ZADD', key.scheduled(ns, stage), job.due_ms, job.id)
    redis.call('SET', key.lock(ns, scope), job.id)
    redis.call('HSET', key.job(ns, job.id), 'kind', args[2], 'username', args[3], 'repository', args[4],
        'state', 'scheduled', 'stage', stage, 'due_ms', job.due_ms, 'created_ms', at_ms, unpack(rare_fields(args, scope)))
    if args[13] then redis.call('SET', key.evaluation(ns, job.id), args[15]) end
end

register('submit', {}, function(keys, args)
    local ns, id = keys[1], args[1]
    local function answer(word, job) return { word, job.id, job.state, tonumber(job.due_ms) } end

    local remembered = args[7] ~= '' and look('GET', key.idempotency(ns, args[7]))
    if remembered then
        local first, body = string.match(remembered, '^(%S+) (%S+)$')
        if body ~= args[8] then return { 'reused' } end
        local job = read_job(ns, first)
        if job then return answer('accepted', job) end
    end
    local same = read_job(ns, id)
    if same then return answer('accepted', same) end

    local function remember_key(job)
        if args[7] == '' then return end
        redis.call('SET', key.idempotency(ns, args[7]), job.id .. ' ' .. args[8], 'PX', args[9])
    end
    local owned = owned_repository(args[3], args[4], args[10])
    -- A commit gets one comment, whoever hears of it.
    local scope = args[13] and scope_of_feedback(owned, args[13], args[14]) or owned .. scope_of_url(args[11])
    local live, stray = holder(ns, scope)
    if live then
        remember_key(live)
        return answer('duplicate', live)
    end
    local destination = args[12] ~= '' and args[12] or 'default'
    if why_disabled(ns, destination) then return { 'disabled', destination } end
    local older = args[13] and needless(ns, scope) or {}
    local most = limit(look('HGET', key.settings(ns), 'rate_limit_max_simultaneous_jobs'), args[6])
    if most and live_jobs(ns) - #older >= most then return { 'full', most } end

    local at_ms, stage = now(ns), FIRST_STAGE[args[2]]
    need_rights(ns)
    if stray then
        stray.ending = 'lost: somebody deleted the set that led to it'
        -- Should its end be cut off half-way, reap finds it there.
        stray.lane = key.running(ns)
        redis.call('ZADD', stray.lane, at_ms, stray.id)
        end_jobs(ns, { stray }, 'dead', at_ms)
    end
    local job = { id = id, state = 'scheduled', due_ms = at_ms + math.floor(tonumber(args[5])) }
    write_job(ns, args, job, scope, stage, at_ms)
    remember_key(job)
    if args[13] then list_sibling(ns, scope, id, at_ms) end
    for _, one in ipairs(older) do one.superseded_by = id end
    supersede(ns, older, at_ms)
    wake_if_first(ns, key.scheduled(ns, stage), { job.due_ms, id })
    count(ns, 'accepted', 1)
    return answer('accepted', job)
end)
