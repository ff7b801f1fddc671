-- destination_enter: says which deliveries may start.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 term         ms after which a delivery counts as lost
--          2 most         deliveries at once to one origin; 0: no limit
--          3 lease        random
--          4 destination  its id  5 url  without its query, for people
--          6 origin       a hash of it  7 name  of the origin, for people; and so on for each
-- Returns  for each {'go', now_ms}, {'wait', ms, state} as of origin_closed_until,
--          {'full', 0, ''} or {'disabled', 0, reason}
-- Cost     O(deliveries * log of those under way)
-- Repeat   a delivery that may start counts once
--
-- One script, because of all workers together no more may send.

-- What is known of the origin, and how many deliveries are under way there.
local function look_at(ns, seen, origin, at_ms)
    local known = seen[origin]
    if known then return known end
    known = take_origin(ns, origin, at_ms)
    local flights = key.origin_flights(ns, origin)
    put('ZREMRANGEBYSCORE', flights, '-inf', at_ms)
    known.under_way, known.changes = look('ZCARD', flights) or 0, {}
    seen[origin] = known
    return known
end

local function change(known, field, value)
    known[field] = value
    known.changes[#known.changes + 1], known.changes[#known.changes + 2] = field, value
end

-- Gives a delivery that must wait for a gap a place behind the others that do, so that
-- not all come back at the next.
local function place(known, at_ms)
    local gap_ms = of_origin(known, 'gap_ms')
    local place_ms = math.max(of_origin(known, 'place_ms'), of_origin(known, 'next_ms') - gap_ms) + gap_ms
    place_ms = math.min(math.max(place_ms, of_origin(known, 'next_ms')), at_ms + PLACE_MAX_MS)
    change(known, 'place_ms', place_ms)
    return math.max(1, place_ms - at_ms)
end

local function enter(ns, known, lease, term_ms, most, at_ms)
    local until_ms, state = origin_closed_until(known, at_ms)
    if state == 'slow' then return { 'wait', place(known, at_ms), state } end
    if state == 'probing' then until_ms = math.min(until_ms, at_ms + PROBE_WAIT_MS) end
    if until_ms then return { 'wait', until_ms - at_ms, state } end
    if most > 0 and known.under_way >= most then return { 'full', 0, '' } end
    if of_origin(known, 'opens') > 0 then
        change(known, 'probe', lease)
        change(known, 'probe_until_ms', at_ms + term_ms)
    end
    local gap_ms = of_origin(known, 'gap_ms')
    if gap_ms > 0 then
        -- Who comes a little late leaves the places of the others as they are.
        local next_ms = of_origin(known, 'next_ms')
        local from_ms = at_ms - next_ms < gap_ms / 2 and next_ms or at_ms
        change(known, 'next_ms', from_ms + gap_ms)
    end
    known.under_way = known.under_way + 1
    known.flights = known.flights or {}
    known.flights[#known.flights + 1], known.flights[#known.flights + 2] = at_ms + term_ms, lease
    return { 'go', at_ms, '' }
end

register('destination_enter', { 'allow-oom' }, function(keys, args)
    local ns, at_ms, term_ms, most = keys[1], now(keys[1]), tonumber(args[1]), tonumber(args[2])
    local seen, reasons, answers = {}, {}, {}
    for i = 3, #args, 5 do
        local id, origin = args[i + 1], args[i + 3]
        if reasons[id] == nil then
            reasons[id] = why_disabled(ns, id) or false
            note_destination(ns, id, args[i + 2], origin, at_ms)
        end
        if reasons[id] then
            answers[#answers + 1] = { 'disabled', 0, reasons[id] }
        else
            local known = look_at(ns, seen, origin, at_ms)
            if not known.name then change(known, 'name', args[i + 4]) end
            answers[#answers + 1] = enter(ns, known, args[i], term_ms, most, at_ms)
        end
    end
    for origin, known in pairs(seen) do
        if #known.changes > 0 or known.flights then
            change(known, 'noted_ms', at_ms)
            put_many('HSET', key.origin(ns, origin), known.changes, 2)
            redis.call('PEXPIRE', key.origin(ns, origin), ORIGIN_KNOWN_MS)
        end
        if known.flights then
            put_many('ZADD', key.origin_flights(ns, origin), known.flights, 2)
            redis.call('PEXPIRE', key.origin_flights(ns, origin), term_ms)
        end
    end
    return answers
end)
