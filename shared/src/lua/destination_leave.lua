-- destination_leave: takes deliveries back, with what came of them.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 lease        as in destination_enter
--          2 destination  3 origin  as there
--          4 outcome      ok; failed; gone, if the receiver wants no more; or unknown, if
--                         nothing was sent or nobody knows
--          5 started_ms   as destination_enter said
--          6 slow         ms that the receiver asked for, 0 if it named none; empty: it did
--                         not ask for less
--          7 reason       of gone; else empty; and so on for each delivery
-- Returns  for each {state, ms}: what changed with it: open, slow, disabled, closed (it
--          works again), or empty
-- Cost     O(deliveries * log of those under way)
-- Repeat   changes nothing more: an outcome counts of a delivery that is under way, or is
--          the probe; that a receiver wants no more counts always
--
-- One script, because outcomes come from all workers, and what follows holds for all.

-- Forgets outcomes that are too old to count.
local function count_outcome(known, outcome, at_ms)
    if of_origin(known, 'since_ms') + OUTCOMES_MS <= at_ms then
        known.since_ms, known.ok, known.failed = at_ms, 0, 0
    end
    known[outcome] = of_origin(known, outcome) + 1
end

local function open(known, opens, at_ms)
    local wait_ms = math.min(OPEN_MIN_MS * 2 ^ (opens - 1), OPEN_MAX_MS)
    known.opens, known.open_until_ms = opens, at_ms + wait_ms
    known.since_ms, known.ok, known.failed = at_ms, 0, 0
    known.probe, known.probe_until_ms = nil, nil
    return { 'open', wait_ms }
end

-- Whether it fails, or does again. What was sent before it was found failing says nothing
-- new.
local function failed(known, is_probe, at_ms)
    local opens = of_origin(known, 'opens')
    if is_probe then return open(known, opens + 1, at_ms) end
    if opens > 0 then return { '', 0 } end
    count_outcome(known, 'failed', at_ms)
    local bad, good = of_origin(known, 'failed'), of_origin(known, 'ok')
    if bad + good < OUTCOMES_LEAST or bad < FAILED_SHARE * (bad + good) then return { '', 0 } end
    return open(known, 1, at_ms)
end

local function succeeded(known, is_probe, is_slow, at_ms)
    local answer = { '', 0 }
    if is_probe then
        known.opens, known.open_until_ms, known.probe, known.probe_until_ms = nil, nil, nil, nil
        answer = { 'closed', 0 }
    end
    if of_origin(known, 'opens') == 0 then count_outcome(known, 'ok', at_ms) end
    if not is_slow and of_origin(known, 'gap_ms') > 0 then
        known.gap_ms = math.floor(of_origin(known, 'gap_ms') / 2)
        if known.gap_ms < GAP_MIN_MS then
            known.gap_ms, known.next_ms, known.place_ms, known.slowed_ms = nil, nil, nil, nil
        end
    end
    return answer
end

-- The receiver asked for less. Of deliveries that were under way together the first to
-- say so counts.
local function slow(known, wish_ms, started_ms, at_ms)
    local gap_ms = of_origin(known, 'gap_ms')
    if started_ms >= of_origin(known, 'slowed_ms') then
        gap_ms = math.min(math.max(gap_ms * 2, GAP_MIN_MS), GAP_MAX_MS)
        known.gap_ms, known.slowed_ms = gap_ms, at_ms
    end
    local wait_ms = math.max(gap_ms, math.min(wish_ms, SLOW_MAX_MS))
    known.next_ms = math.max(of_origin(known, 'next_ms'), at_ms + wait_ms)
    return { 'slow', known.next_ms - at_ms }
end

local function disable(ns, id, reason, at_ms)
    if put('HSETNX', key.destination(ns, id), 'disabled_ms', at_ms) == 0 then return { '', 0 } end
    put('HSET', key.destination(ns, id), 'reason', reason)
    count(ns, 'destinations_disabled', 1)
    return { 'disabled', 0 }
end

-- Takes back one delivery; args[i] is its lease.
local function leave_one(ns, known, args, i, at_ms)
    local outcome, wish = args[i + 3], args[i + 5]
    local is_probe, answer = known.probe == args[i], { '', 0 }
    local was_under_way = put('ZREM', key.origin_flights(ns, args[i + 2]), args[i]) == 1
    if not was_under_way and not is_probe and outcome ~= 'gone' then return answer end
    if outcome == 'ok' or outcome == 'gone' then
        answer = succeeded(known, is_probe, wish ~= '', at_ms)
    elseif outcome == 'failed' then
        answer = failed(known, is_probe, at_ms)
    elseif is_probe then
        known.probe, known.probe_until_ms = nil, nil
    end
    if wish ~= '' and answer[1] ~= 'open' then
        answer = slow(known, tonumber(wish), tonumber(args[i + 4]), at_ms)
    end
    if outcome == 'gone' then answer = disable(ns, args[i + 1], args[i + 6], at_ms) end
    return answer
end

local FIELDS = {
    'since_ms', 'ok', 'failed', 'opens', 'open_until_ms', 'probe', 'probe_until_ms',
    'gap_ms', 'next_ms', 'slowed_ms', 'place_ms', 'noted_ms',
}

local function write_origin(ns, origin, known, at_ms)
    local at, fields, gone = key.origin(ns, origin), {}, {}
    known.noted_ms = at_ms
    for _, field in ipairs(FIELDS) do
        if known[field] then
            fields[#fields + 1], fields[#fields + 2] = field, known[field]
        else
            gone[#gone + 1] = field
        end
    end
    put_many('HSET', at, fields, 2)
    put_many('HDEL', at, gone, 1)
    redis.call('PEXPIRE', at, ORIGIN_KNOWN_MS)
end

register('destination_leave', { 'allow-oom' }, function(keys, args)
    local ns, at_ms, seen, answers = keys[1], now(keys[1]), {}, {}
    for i = 1, #args, 7 do
        local origin = args[i + 2]
        seen[origin] = seen[origin] or take_origin(ns, origin, at_ms)
        answers[#answers + 1] = leave_one(ns, seen[origin], args, i, at_ms)
        if answers[#answers][1] == 'open' then count(ns, 'breaker_opened', 1) end
    end
    for origin, known in pairs(seen) do write_origin(ns, origin, known, at_ms) end
    return answers
end)
