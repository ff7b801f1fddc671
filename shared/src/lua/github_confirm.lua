-- github_confirm: ends the asking without a new answer; the kept one holds on if
-- GitHub said so.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 hash  2 token  3 asker  as in github_look
--          4 fresh     ms that it may be used without asking; empty: GitHub did not say that it holds
--          5 ttl       ms that it is kept
--          6 etag  7 last_modified  of the answer that GitHub confirmed
-- Returns  OK
-- Cost     O(log of the kept answers)
-- Repeat   the same
--
-- One script, because somebody else may have replaced the answer meanwhile.
register('github_confirm', { 'allow-oom' }, function(keys, args)
    local ns, hash, at_ms = keys[1], args[1], now(keys[1])
    local answer = key.github_answer(ns, hash)
    end_asking(ns, hash, args[3], at_ms)
    if args[4] == '' then return redis.status_reply('OK') end
    local kept = look('HMGET', answer, 'etag', 'last_modified')
    if not kept or kept[1] ~= args[6] or kept[2] ~= args[7] then return redis.status_reply('OK') end
    put_for('HSET', answer, 2 * args[5], 'token', args[2], 'fresh_until_ms', digits(at_ms + args[4]))
    put_for('ZADD', key.github_answers(ns), 2 * args[5], at_ms, hash)
    redis.call('PEXPIRE', key.github_sizes(ns), 2 * args[5])
    return redis.status_reply('OK')
end)
