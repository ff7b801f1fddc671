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
    for i, known in ipairs(read_fields(names, args, 2)) do
        local until_ms, name = string.match(known or '', '^(%d+) (.*)$')
        local left_ms = (tonumber(until_ms) or at_ms) - at_ms
        answer[i] = left_ms > 0 and left_ms <= NAMES_MS and name
    end
    return answer
end)
