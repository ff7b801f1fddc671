-- bury: gives up jobs that will not be tried again.
--
-- Moves    running -> dead; or -> cancelled if that was asked for
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence  3 reason  4 status of the last answer from outside; empty:
--          none; and so on for each job
-- Returns  a word for each: ok, cancelled, already, stale, gone
-- Cost     O(jobs * log of the running set)
-- Repeat   answers already
--
-- One script, because a job that has ended holds neither a lease nor its scope.
register('bury', { 'allow-oom' }, function(keys, args)
    local ns, at_ms = keys[1], now(keys[1])
    local codes, jobs = read_claims(ns, args, 1, 4, SETTLE_FIELDS)
    local dead, cancelled = {}, {}
    if #jobs > 0 then need_rights(ns) end
    for _, job in ipairs(jobs) do
        job.settling = { 'failures', (mend(job).failures or 0) + 1 }
        remember(ns, job, at_ms, 'bury', args[job.place + 2], args[job.place + 3])
        if job.cancel_requested then
            job.ending = 'cancelled by request'
            codes[job.code] = 'cancelled'
            cancelled[#cancelled + 1] = job
        else
            job.ending = args[job.place + 2]
            dead[#dead + 1] = job
        end
    end
    end_jobs(ns, dead, 'dead', at_ms)
    end_jobs(ns, cancelled, 'cancelled', at_ms)
    if #jobs > 0 then wake_if_due(ns, at_ms) end
    return codes
end)
