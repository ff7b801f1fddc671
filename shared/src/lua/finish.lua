-- finish: ends jobs that are done.
--
-- Moves    running -> succeeded
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence  3 status of the last answer from outside; empty: none; and so
--          on for each job
-- Returns  a word for each: ok, already, stale, gone
-- Cost     O(jobs * log of the running set)
-- Repeat   answers already
--
-- One script, because a job that has ended holds neither a lease nor its scope.
register('finish', { 'allow-oom' }, function(keys, args)
    local ns, at_ms = keys[1], now(keys[1])
    local codes, jobs = read_claims(ns, args, 1, 3, END_FIELDS)
    if #jobs > 0 then need_rights(ns) end
    -- The record of this attempt is the job's own: most jobs have no history.
    for _, job in ipairs(jobs) do
        local status = args[job.place + 2]
        if status ~= '' then job.settling = { 'status', status } end
    end
    end_jobs(ns, jobs, 'succeeded', at_ms)
    if #jobs > 0 then wake_if_due(ns, at_ms) end
    return codes
end)
