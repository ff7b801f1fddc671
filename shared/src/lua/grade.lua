-- grade: stores what a commit came to, and puts its job into the lane of comments.
--
-- Moves    running -> scheduled, one stage on; or -> cancelled if that was asked for;
--          or -> dead if the job is older than its greatest age
-- Keys     1 the namespace with its hash tag
-- Args     1 the greatest age in ms
--          2 id  3 fence  4 delay in ms, 0 or more  5 the grade in words
--          6 empty, where other transitions have a status
--          7 requirements that are met  8 requirements, and so on for each job
-- Returns  a word for each: ok, cancelled, already, stale, gone
-- Cost     O(jobs * log of the lane)
-- Repeat   answers already
--
-- One script, because a grade and the stage that follows it must agree.
local function advance(ns, job, args)
    job.stage = 'comment'
    for _, value in ipairs({ 'stage', 'comment', 'passed', args[job.place + 5], 'total', args[job.place + 6] }) do
        table.insert(job.settling, value)
    end
    if job.crashes then redis.call('HDEL', key.job(ns, job.id), 'crashes') end
end

register('grade', { 'allow-oom' }, function(keys, args)
    local event = { name = 'grade', counter = 'graded', failures = 0, resumes = true, step = 7, advance = advance }
    return give_back(keys[1], args, event)
end)
