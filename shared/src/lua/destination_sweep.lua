-- destination_sweep: buries the jobs that wait for a place which wants no more. Of
-- feedback those that only have to tell of a comment: the others have one to make.
--
-- Moves    scheduled -> dead
-- Keys     1 the namespace with its hash tag
-- Args     1 destination  its id
--          2 lane         where to look
--          3 cursor       0 at first, then as it was returned
--          4 most         jobs to look at, about
-- Returns  {cursor, how many were buried}; cursor 0: the lane is done
-- Cost     O(most * log of the lane)
-- Repeat   finds what is left
--
-- One script, so that nobody claims what is being buried.
register('destination_sweep', { 'allow-oom' }, function(keys, args)
    local ns, at_ms, id = keys[1], now(keys[1]), args[1]
    local reason = why_disabled(ns, id)
    if not reason then return { '0', 0 } end
    local page = redis.call('ZSCAN', key.scheduled(ns, args[2]), args[3], 'COUNT', args[4])
    local found, seen = {}, {}
    for i = 1, #page[2], 2 do
        local job = not seen[page[2][i]] and read_job(ns, page[2][i])
        seen[page[2][i]] = true
        local goes_there = job and job.state == 'scheduled' and is_readable(job) and (job.destination or 'default') == id
        if goes_there and (job.kind == 'report' or job.stage == 'deliver') then
            job.ending = reason
            remember(ns, job, at_ms, 'bury', reason)
            found[#found + 1] = job
        end
    end
    end_jobs(ns, found, 'dead', at_ms)
    return { page[1], #found }
end)
