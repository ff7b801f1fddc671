-- finish: ends jobs that are done.
--
-- Moves    running -> succeeded
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence, and so on for each job
-- Returns  a word for each: ok, already, stale, gone
-- Cost     O(jobs * log of the running set)
-- Repeat   answers already
--
-- One script, because a job that has ended holds neither a lease nor its scope.
register('finish', { 'allow-oom' }, function(keys, args)
    local ns, at_ms = keys[1], now(keys[1])
    local codes, jobs = read_claims(ns, args, 1, 2, END_FIELDS)
    end_jobs(ns, jobs, 'succeeded', at_ms)
    if #jobs > 0 then wake_if_due(ns, at_ms) end
    return codes
end)
