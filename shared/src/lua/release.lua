-- release: puts jobs back that their worker does not finish, as when it stops; counts no failure and no start.
--
-- Moves    running -> scheduled; or -> cancelled if that was asked for;
--          or -> dead if the job is older than its greatest age
-- Keys     1 the namespace with its hash tag
-- Args     1 the greatest age in ms
--          2 id  3 fence  4 delay in ms, 0 or more  5 reason
--          6 status of the last answer from outside; empty: none; and so on for each job
-- Returns  a word for each: ok, cancelled, already, stale, gone
-- Cost     O(jobs * log of the lane)
-- Repeat   answers already
--
-- One script, because a job stands in its lane or in the running set, never in
-- both or in neither.
register('release', { 'allow-oom' }, function(keys, args)
    return give_back(keys[1], args, { name = 'release', counter = 'released', failures = 0, resumes = true })
end)
