-- list: one page of the jobs of a state, of one client's or of all.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 state
--          2 most   jobs
--          3 score  4 id  where the page before ended; both empty: the start
--          5 owner  the id of the client's key; empty: whoever's
--          6 looks  jobs that are looked at, no fewer than most
-- Returns  {{{id, score, {field, value, ...}}, ...}, score, id}: scheduled by due
--          time, running by the end of the lease, ended ones with the newest first;
--          then where the page ended, or nothing at the end of the list
-- Cost     O(looks * log of the set)
-- Repeat   looks again
--
-- One script, so that the ids and the records are of one moment.

-- How many members stand before (score, id), which need not be there itself;
-- members of one score stand in the order of their ids.
local function rank_of(set, score, id)
    local low = redis.call('ZCOUNT', set, '-inf', '(' .. score)
    local high = low + redis.call('ZCOUNT', set, score, score)
    while low < high do
        local middle = math.floor((low + high) / 2)
        if redis.call('ZRANGE', set, middle, middle)[1] < id then low = middle + 1 else high = middle end
    end
    return low
end

local function page(set, most, score, id, newest_first)
    if newest_first then
        local before = score == '' and redis.call('ZCARD', set) or rank_of(set, score, id)
        local from = redis.call('ZCARD', set) - before
        return redis.call('ZRANGE', set, from, from + most - 1, 'REV', 'WITHSCORES')
    end
    local from = 0
    if score ~= '' then
        from = rank_of(set, score, id)
        if redis.call('ZRANGE', set, from, from)[1] == id then from = from + 1 end
    end
    return redis.call('ZRANGE', set, from, from + most - 1, 'WITHSCORES')
end

-- The members of a state's sets, in the order of the listing.
local function members_of(ns, state, most, score, id)
    local sets = { state == 'running' and key.running(ns) or key.ended(ns, state) }
    if state == 'scheduled' then
        sets = {}
        for _, lane in ipairs(LANES) do sets[#sets + 1] = key.scheduled(ns, lane) end
    end
    local newest_first = state ~= 'scheduled' and state ~= 'running'
    local found = {}
    for _, set in ipairs(sets) do
        local members = page(set, most, score, id, newest_first)
        for i = 1, #members, 2 do found[#found + 1] = { id = members[i], score = tonumber(members[i + 1]) } end
    end
    table.sort(found, function(a, b)
        if newest_first then a, b = b, a end
        return a.score < b.score or (a.score == b.score and a.id < b.id)
    end)
    return found
end

register('list', { 'no-writes', 'allow-oom' }, function(keys, args)
    local ns, most, owner = keys[1], tonumber(args[2]), args[5]
    local looks = owner == '' and most or tonumber(args[6])
    local found, jobs = members_of(ns, args[1], looks, args[3], args[4]), {}
    for i = 1, math.min(looks, #found) do
        local seen = found[i]
        if owner == '' or look('HGET', key.job(ns, seen.id), 'owner') == owner then
            local _, flat = read_job(ns, seen.id)
            jobs[#jobs + 1] = { seen.id, seen.score, flat }
        end
        if #jobs == most or i == looks then return { jobs, seen.score, seen.id } end
    end
    return { jobs }
end)
