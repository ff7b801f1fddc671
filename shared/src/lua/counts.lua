-- counts: how many jobs there are and have been. For people too:
--   redis-cli FCALL_RO hookme_counts 1 '{hookme}'
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     none
-- Returns  {name, number, ...}: scheduled:<lane>, due:<lane>, oldest_due_age_ms,
--          running, succeeded, dead, cancelled, workers, report_bytes and
--          github_answer_bytes (if any were ever kept), total:<counter>, and of the
--          identity that asked GitHub last github_paused_ms and, if it is known,
--          github_core_remaining
-- Cost     O(lanes + counters)
-- Repeat   looks again
--
-- One script, so that the numbers are of one moment and add up.
-- What GitHub said last to whoever asked it last.
local function add_github(ns, at_ms, add)
    local identity = last_identity(ns)
    if not identity then return end
    local known = read_limits(ns, identity, at_ms)
    add('github_paused_ms', (gate(known, 'read', known.token or '', at_ms) or at_ms) - at_ms)
    local reset_ms, left = known_ms(known, 'core:reset_ms'), known_ms(known, 'core:remaining')
    if left and reset_ms and reset_ms > at_ms then add('github_core_remaining', left) end
end

register('counts', { 'no-writes', 'allow-oom' }, function(keys)
    local ns, at_ms = keys[1], now(keys[1])
    local answer, oldest = {}, at_ms
    local function add(name, number) answer[#answer + 1], answer[#answer + 2] = name, number end
    for _, lane in ipairs(LANES) do
        local set = key.scheduled(ns, lane)
        local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
        add('scheduled:' .. lane, redis.call('ZCARD', set))
        add('due:' .. lane, redis.call('ZCOUNT', set, '-inf', at_ms))
        if first[2] then oldest = math.min(oldest, tonumber(first[2])) end
    end
    add('oldest_due_age_ms', at_ms - oldest)
    add('running', redis.call('ZCARD', key.running(ns)))
    for _, state in ipairs({ 'succeeded', 'dead', 'cancelled' }) do
        add(state, redis.call('ZCARD', key.ended(ns, state)))
    end
    add('workers', look('ZCOUNT', key.workers(ns), '(' .. at_ms, '+inf') or 0)
    local stats = look('HGETALL', key.stats(ns)) or {}
    for i = 1, #stats, 2 do
        -- Some fields of the hash are no counters: two sums and two times.
        if stats[i] == 'report_bytes' or stats[i] == 'github_answer_bytes' then
            add(stats[i], tonumber(stats[i + 1]))
        elseif stats[i] ~= 'reaped_ms' and stats[i] ~= 'amnesty_ms' then
            add('total:' .. stats[i], tonumber(stats[i + 1]))
        end
    end
    add_github(ns, at_ms, add)
    return answer
end)
