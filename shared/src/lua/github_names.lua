-- github_names: the names that accounts show, as far as they are known.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 host  2 account id, and so on
-- Returns  for each the name; nothing where it is not known
-- Cost     O(accounts)
-- Repeat   looks again
--
-- One script, because a name is believed by Redis's clock.
register('github_names', { 'no-writes', 'allow-oom' }, function(keys, args)
    local names, at_ms = key.github_names(keys[1], args[1]), now(keys[1])
    local answer = {}
    for first = 2, #args, CHUNK do
        local known = redis.call('HMGET', names, unpack(args, first, math.min(first + CHUNK - 1, #args)))
        for i = 1, #known do
            local until_ms, name = string.match(known[i] or '', '^(%d+) (.*)$')
            answer[#answer + 1] = until_ms and tonumber(until_ms) > at_ms and name or false
        end
    end
    return answer
end)
