-- What all workers know of the places that results go to, and what follows from it.
-- A destination is a URL without its query: its receiver can want no more. An origin is
-- the scheme, host and port of many: a trouble there is a trouble of all.
--
-- The record of an origin, all times in ms:
--
--   name                        for people
--   since_ms ok failed          the outcomes that count, since then
--   opens open_until_ms         how often in a row it was found failing; nothing is sent before
--   probe probe_until_ms        the one delivery that tries whether it works again
--   gap_ms next_ms slowed_ms    it asked for less: the least time between two deliveries,
--                               when the next may start, and when it asked last
--   place_ms                    when the last of those that wait for their turn has it
--   noted_ms                    when the record was last written

-- Destinations that are remembered, those that were used last.
local DESTINATIONS_MAX = 1000
-- What is known of an origin is kept so long after it was last written.
local ORIGIN_KNOWN_MS = 86400000
-- Outcomes count for so long; from so many on, and this share of failures, an origin
-- counts as failing.
local OUTCOMES_MS, OUTCOMES_LEAST, FAILED_SHARE = 60000, 10, 0.5
-- Then nothing is sent there for so long, doubled with each probe that fails.
local OPEN_MIN_MS, OPEN_MAX_MS = 30000, 600000
-- While one delivery tries whether an origin works again, the others look again after this.
local PROBE_WAIT_MS = 2000
-- An origin that asks for less gets this gap, doubled with each further wish and halved
-- with each success.
local GAP_MIN_MS, GAP_MAX_MS = 1000, 60000
-- The longest that one receiver's wish holds up all others of its origin, and the longest
-- that a turn is given in advance.
local SLOW_MAX_MS, PLACE_MAX_MS = 300000, 600000

local function read_origin(ns, origin, at_ms)
    local known = read_known(key.origin(ns, origin))
    return known, follow_clock(known, at_ms)
end

-- The same for those who write.
local function take_origin(ns, origin, at_ms)
    local known, ahead_ms = take_timed(key.origin(ns, origin), at_ms)
    if ahead_ms > 0 then move_scores(key.origin_flights(ns, origin), ahead_ms) end
    return known
end

-- A number of the record; what is not there, or was damaged, is 0.
local function of_origin(known, field) return tonumber(known[field] or '') or 0 end

-- Why nothing may be sent to the destination any more, or nil.
local function why_disabled(ns, id)
    local known = look('HMGET', key.destination(ns, id), 'disabled_ms', 'reason')
    if not known or not known[1] then return nil end
    return known[2] or 'it wants no more'
end

-- Until when nothing may be sent to the origin, and in which state it is: open (it fails),
-- probing, slow; or nil.
local function origin_closed_until(known, at_ms)
    local open_ms, probe_ms = of_origin(known, 'open_until_ms'), of_origin(known, 'probe_until_ms')
    if open_ms > at_ms then return open_ms, 'open' end
    if of_origin(known, 'opens') > 0 and probe_ms > at_ms then return probe_ms, 'probing' end
    if of_origin(known, 'next_ms') > at_ms then return of_origin(known, 'next_ms'), 'slow' end
    return nil
end

-- Remembers that a destination is used, and forgets those that have not been for longest.
local function note_destination(ns, id, url, origin, at_ms)
    local at = key.destination(ns, id)
    if look('HGET', at, 'url') ~= url then put('HSET', at, 'url', url, 'origin', origin) end
    put('ZADD', key.destinations(ns), at_ms, id)
    local excess = look('ZCARD', key.destinations(ns)) - DESTINATIONS_MAX
    if excess <= 0 then return end
    not_after(key.destinations(ns), at_ms)
    local gone = look('ZRANGE', key.destinations(ns), 0, math.min(excess, CHUNK) - 1)
    for i, old in ipairs(gone) do gone[i] = key.destination(ns, old) end
    put('ZREMRANGEBYRANK', key.destinations(ns), 0, #gone - 1)
    delete_many(gone)
end
