-- github_keep: keeps an answer of GitHub for all workers, and ends the asking.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 hash  2 token  3 asker  as in github_look
--          4 fresh     ms that it may be used without asking
--          5 ttl       ms that it is kept after GitHub last confirmed it
--          6 most      bytes that all kept answers may take
--          7 status  8 etag  9 last_modified  10 link  11 location  12 body, packed
-- Returns  1 if it is kept, 0 if it does not fit
-- Cost     O(size of the answer + answers that make room)
-- Repeat   the same
--
-- One script, because the bound holds for all answers together.

-- What an answer takes beside its parts, about.
local ANSWER_BYTES = 256
-- How many answers one call throws out to make room.
local ANSWERS_OUT_MAX = 16

local function throw_out(ns, hash)
    local bytes = tonumber(look('HGET', key.github_sizes(ns), hash) or 0) or 0
    put('HDEL', key.github_sizes(ns), hash)
    put('ZREM', key.github_answers(ns), hash)
    redis.call('DEL', key.github_answer(ns, hash))
    return bytes
end

register('github_keep', {}, function(keys, args)
    local ns, hash, at_ms = keys[1], args[1], now(keys[1])
    local answers, answer = key.github_answers(ns), key.github_answer(ns, hash)
    local bytes, most = ANSWER_BYTES, tonumber(args[6])
    for i = 8, 12 do bytes = bytes + #args[i] end
    end_asking(ns, hash, args[3], at_ms)

    local total = tonumber(look('HGET', key.stats(ns), 'github_answer_bytes') or 0) or 0
    local before = total
    if (look('ZCARD', answers) or 0) == 0 then
        total = 0
        redis.call('DEL', key.github_sizes(ns))
    end
    total = total - throw_out(ns, hash)
    not_after(answers, at_ms)
    for _ = 1, ANSWERS_OUT_MAX do
        local oldest = look('ZRANGE', answers, 0, 0, 'WITHSCORES') or {}
        local too_old = oldest[1] and oldest[2] + args[5] <= at_ms
        if not oldest[1] or not (too_old or (bytes <= most and total + bytes > most)) then break end
        total = total - throw_out(ns, oldest[1])
    end
    total = math.max(0, total)
    local fits = total + bytes <= most
    if fits then
        -- The list thins out what is too old; the TTLs are for when nobody comes any more.
        local ttl_ms = 2 * args[5]
        put_for('HSET', answer, ttl_ms, 'status', args[7], 'etag', args[8], 'last_modified', args[9], 'link', args[10],
            'location', args[11], 'body', args[12], 'token', args[2], 'fresh_until_ms', digits(at_ms + args[4]))
        put_for('HSET', key.github_sizes(ns), ttl_ms, hash, bytes)
        put_for('ZADD', answers, ttl_ms, at_ms, hash)
        total = total + bytes
    end
    if total ~= before then put('HSET', key.stats(ns), 'github_answer_bytes', digits(total)) end
    return fits and 1 or 0
end)
