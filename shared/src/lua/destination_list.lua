-- destination_list: the places that results went to lately.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 most  destinations
-- Returns  {{id, used_ms, url, disabled_ms or '', reason or '', origin, state, until_ms,
--          under_way}, ...}, the last used first; state as of origin_closed_until, of the
--          origin; empty: it is open to all
-- Cost     O(most * log of those under way)
-- Repeat   looks again
--
-- One script, so that all is of one moment.
register('destination_list', { 'no-writes', 'allow-oom' }, function(keys, args)
    local ns, at_ms, answer = keys[1], now(keys[1]), {}
    local members = look('ZRANGE', key.destinations(ns), 0, args[1] - 1, 'REV', 'WITHSCORES') or {}
    for i = 1, #members, 2 do
        local known = read_known(key.destination(ns, members[i]))
        local origin = known.origin or ''
        local state_of, ahead_ms = read_origin(ns, origin, at_ms)
        local until_ms, state = origin_closed_until(state_of, at_ms)
        if not state and of_origin(state_of, 'opens') > 0 then state = 'probing' end
        answer[#answer + 1] = {
            members[i], members[i + 1], known.url or '', known.disabled_ms or '', known.reason or '',
            state_of.name or '', state or '', until_ms or 0,
            look('ZCOUNT', key.origin_flights(ns, origin), '(' .. at_ms + ahead_ms, '+inf') or 0,
        }
    end
    return answer
end)
