-- find: the jobs of feedback on a pull request that these clients submitted.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 username  2 repository  3 the pull request's number
--          4 most      jobs
--          5 owner, and so on: the ids of the clients' keys; empty: of none
-- Returns  {{id, place, {field, value, ...}}, ...}, the newest task first
-- Cost     O(most * owners)
-- Repeat   looks again
--
-- One script, so that the list and the records are of one moment.
register('find', { 'no-writes', 'allow-oom' }, function(keys, args)
    local ns, most, found, answer = keys[1], tonumber(args[4]), {}, {}
    for i = 5, #args do
        local owned = owned_repository(args[1], args[2], args[i])
        local list = siblings_at(ns, scope_of_feedback(owned, args[3], ''))
        local members = look('ZRANGE', list, 0, most - 1, 'REV', 'WITHSCORES') or {}
        for j = 1, #members, 2 do found[#found + 1] = { id = members[j], place = tonumber(members[j + 1]) } end
    end
    table.sort(found, function(a, b) return a.place > b.place or (a.place == b.place and a.id > b.id) end)
    for i = 1, math.min(most, #found) do
        local job, flat = read_job(ns, found[i].id)
        -- Records are kept for less long than the list.
        if job then answer[#answer + 1] = { found[i].id, found[i].place, flat } end
    end
    return answer
end)
