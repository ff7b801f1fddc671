-- github_look: finds the kept answer to a request, or who is asking for it.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 hash      of the request: what is asked, and how
--          2 token     the fingerprint of the token that asks; empty: none
--          3 asker     random
--          4 term      ms until the asker counts as lost
-- Returns  {'fresh', parts of the answer...}  GitHub need not be asked
--          {'stale', parts...}  ask whether it still holds  {'none'}  ask
--          {'asked'}  somebody else is asking; look again
--          parts: status, etag, last_modified, link, location, body; missing ones are empty
-- Cost     O(size of the answer)
-- Repeat   the same asker is answered as before
--
-- One script, so that of all who look at one moment one asks.

-- No answer is fresh for longer, whatever GitHub says.
local FRESH_MAX_MS = 3600000
local ANSWER_PARTS = { 'status', 'etag', 'last_modified', 'link', 'location', 'body', 'token', 'fresh_until_ms' }

register('github_look', {}, function(keys, args)
    local ns, at_ms = keys[1], now(keys[1])
    local kept = read_fields(key.github_answer(ns, args[1]), ANSWER_PARTS, 1)
    local function parts(word)
        local answer = { word }
        for i = 1, 6 do answer[#answer + 1] = kept[i] or '' end
        return answer
    end
    -- Another token may not see it before GitHub has said so to that token.
    local fresh_ms = (tonumber(kept[8]) or 0) - at_ms
    -- One that would be fresh for longer is of before the clock was set back.
    if kept[1] and kept[7] == args[2] and fresh_ms > 0 and fresh_ms <= FRESH_MAX_MS then return parts('fresh') end
    local asker = asker_of(ns, args[1], at_ms)
    if asker and asker ~= args[3] then return { 'asked' } end
    if not asker then put('SET', key.github_asking(ns, args[1]), digits(at_ms) .. ' ' .. args[3], 'PX', args[4]) end
    if not kept[1] or ((kept[2] or '') == '' and (kept[3] or '') == '') then return { 'none' } end
    return parts('stale')
end)
