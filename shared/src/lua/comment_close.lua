-- comment_close: notes that a comment exists, or that one which was begun does not.
--
-- Moves    running -> running
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence
--          3 where the comment is; empty: what this claim began has made none, and
--            may begin again
-- Returns  {'ok'}, {'stale'} or {'gone'}
-- Cost     O(1)
-- Repeat   changes nothing more
--
-- One script, because a comment that exists ends the stage.
register('comment_close', { 'allow-oom' }, function(keys, args)
    local ns, at = keys[1], key.job(keys[1], args[1])
    local code, job = read_claim(ns, args[1], args[2], SETTLE_FIELDS)
    if code ~= 'ok' then return { code == 'gone' and 'gone' or 'stale' } end
    if args[3] ~= '' then
        count(ns, 'commented', redis.call('HSETNX', at, 'comment_url', args[3]))
        step(ns, job, args[2], 'deliver', false)
    elseif redis.call('HGET', at, 'comment_fence') == args[2] then
        -- The fence first: without it a repeat takes nothing off any more.
        redis.call('HDEL', at, 'comment_tried_ms', 'comment_fence')
        redis.call('HINCRBY', at, 'comment_tries', -1)
    end
    return { 'ok' }
end)
