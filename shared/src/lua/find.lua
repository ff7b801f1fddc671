-- find: the jobs of feedback on a pull request.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 username  2 repository  3 the pull request's number
--          4 most      jobs
-- Returns  {{id, place, {field, value, ...}}, ...}, the newest task first
-- Cost     O(most)
-- Repeat   looks again
--
-- One script, so that the list and the records are of one moment.
register('find', { 'no-writes', 'allow-oom' }, function(keys, args)
    local ns = keys[1]
    local list = siblings_at(ns, scope_of_feedback(args[1], args[2], args[3], ''))
    local members = redis.call('ZRANGE', list, 0, args[4] - 1, 'REV', 'WITHSCORES')
    local answer = {}
    for i = 1, #members, 2 do
        local job, flat = read_job(ns, members[i])
        -- Records are kept for less long than the list.
        if job then answer[#answer + 1] = { members[i], members[i + 1], flat } end
    end
    return answer
end)
