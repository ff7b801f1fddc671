-- comment_open: notes that a request for a comment is about to be sent, so that whoever
-- comes after a crash knows that it may exist.
--
-- Moves    running -> running
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence
-- Returns  {'ok', how many comments were begun that may exist}, {'stale'} or {'gone'}
-- Cost     O(1)
-- Repeat   the same answer: one claim begins one comment, until it closes it
--
-- One script, because only the worker that still holds the job may make it.
register('comment_open', { 'allow-oom' }, function(keys, args)
    local ns, at = keys[1], key.job(keys[1], args[1])
    local code = read_claim(ns, args[1], args[2], CLAIM_FIELDS)
    if code ~= 'ok' then return { code == 'gone' and 'gone' or 'stale' } end
    local known = redis.call('HMGET', at, 'comment_tries', 'comment_fence')
    local tries = tonumber(known[1] or 0) or 0
    if known[2] ~= args[2] then
        tries = tries + 1
        redis.call('HSET', at, 'comment_tries', tries, 'comment_tried_ms', now(ns), 'comment_fence', args[2])
    end
    return { 'ok', tries }
end)
