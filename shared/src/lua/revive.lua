-- revive: puts a dead job back into its lane, due now, its failures forgotten. That a
-- comment exists or may exist is not.
--
-- Moves    dead -> scheduled
-- Keys     1 the namespace with its hash tag
-- Args     1 id
--          2 live limit  unless the setting says otherwise; 0 or less: none
-- Returns  {'scheduled', id, 'scheduled', due_ms} {'held', id} {'full', limit}
--          {'not_dead', state} {'disabled', destination} {'unknown'}
-- Cost     O(log of the lane)
-- Repeat   answers that the job is not dead but scheduled
--
-- One script, because the scope may be taken by another at the same moment.
register('revive', {}, function(keys, args)
    local ns, id = keys[1], args[1]
    local job = read_job(ns, id)
    if not job then return { 'unknown' } end
    if job.state ~= 'dead' then return { 'not_dead', job.state } end
    local live = holder(ns, scope_of(job))
    if live then return { 'held', live.id } end
    local destination = job.destination or 'default'
    if why_disabled(ns, destination) then return { 'disabled', destination } end
    local most = limit(look('HGET', key.settings(ns), 'rate_limit_max_simultaneous_jobs'), args[2])
    if most and live_jobs(ns) >= most then return { 'full', most } end

    local at_ms = now(ns)
    local stage = job.comment_url and 'deliver' or FIRST_STAGE[job.kind] or LANES[1]
    -- Until its record says that it waits, a claim that meets it here takes it for dead.
    redis.call('ZADD', key.scheduled(ns, stage), at_ms, id)
    redis.call('SET', key.lock(ns, scope_of(job)), id)
    redis.call('ZREM', key.ended(ns, 'dead'), id)
    redis.call('HDEL', key.job(ns, id), 'failures', 'crashes', 'reason', 'ended_ms', 'resumes', 'comment_tries')
    redis.call('HSET', key.job(ns, id), 'state', 'scheduled', 'stage', stage, 'due_ms', at_ms, 'revived_ms', at_ms)
    remember(ns, job, at_ms, 'revive', 'a client asked for another try')
    count(ns, 'revived', 1)
    wake(ns)
    return { 'scheduled', id, 'scheduled', at_ms }
end)
