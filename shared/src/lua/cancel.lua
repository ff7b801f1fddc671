-- cancel: ends a scheduled job, or asks the worker of a running one to.
--
-- Moves    scheduled -> cancelled; running -> running, marked
-- Keys     1 the namespace with its hash tag
-- Args     1 id
-- Returns  {'cancelled'} {'asked'} {'ended', state} {'unknown'}
-- Cost     O(log of the lane)
-- Repeat   a cancelled job answers that it has ended
--
-- One script, because a claim may come at the same moment.
register('cancel', { 'allow-oom' }, function(keys, args)
    local ns, id = keys[1], args[1]
    local job = read_job(ns, id)
    if not job then return { 'unknown' } end
    if job.state == 'running' then
        redis.call('HSET', key.job(ns, id), 'cancel_requested', 'yes')
        return { 'asked' }
    end
    if job.state ~= 'scheduled' then return { 'ended', job.state } end
    job.ending = 'cancelled by request'
    end_jobs(ns, { job }, 'cancelled', now(ns))
    return { 'cancelled' }
end)
