-- github_release: takes requests to GitHub back, with what their answers said.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 identity  2 token  as in github_acquire  3 jitter  in [0, 1)
--          4 lease
--          5 outcome    answered; refused; or unknown, if no answer came
--          6 scope      of a refusal: all, content, token, or a resource; else empty
--          7 wait       ms that GitHub named; empty: it named none
--          8 request    GitHub's own id of the request; empty: none
--          9 resource   whose budget the answer tells; empty: it tells none
--         10 limit  11 remaining  12 ms until the reset; and so on for each request
-- Returns  for each ms until everybody may go on; 0 if nothing was refused
-- Cost     O(requests * log of the requests in flight)
-- Repeat   the same refusal pauses once, as long as that pause lasts
--
-- One script, because answers come in any order, and a refusal holds for all.

-- What is known of a refused token is kept so long after its pause.
local TOKEN_KNOWN_MS = 86400000

-- The smaller of what is left, within one window; the later window otherwise. An
-- answer that was overtaken changes nothing. The earlier reset is the better one: an
-- answer that is told late makes it seem later.
local function note_budget(turn, resource, limit, remaining, reset_ms)
    local known = turn.known
    local known_reset = known_ms(known, resource .. ':reset_ms')
    local known_left = known_ms(known, resource .. ':remaining')
    local left = tonumber(remaining)
    if known_reset and known_left and known_reset > turn.at_ms then
        if reset_ms < known_reset - SAME_WINDOW_MS then return end
        if reset_ms <= known_reset + SAME_WINDOW_MS then
            left, reset_ms = math.min(left, known_left), math.min(reset_ms, known_reset)
        end
    end
    note(turn, resource .. ':limit', digits(tonumber(limit)))
    note(turn, resource .. ':remaining', digits(left))
    note(turn, resource .. ':reset_ms', digits(reset_ms))
end

-- Counts a secondary refusal; the caps of content fall by half with each.
local function strike(turn)
    local at_ms, struck_ms = turn.at_ms, known_ms(turn.known, 'struck_ms')
    local strikes = struck_ms and at_ms - struck_ms < QUIET_MS and known_ms(turn.known, 'strikes') or 0
    local percent = math.max(CAPS_MIN, math.floor(caps_percent(turn.known, at_ms) / 2))
    note(turn, 'strikes', digits(strikes + 1))
    note(turn, 'struck_ms', digits(at_ms))
    note(turn, 'caps_percent', digits(percent))
    note(turn, 'caps_ms', digits(at_ms))
    return strikes + 1
end

-- How long everybody waits after a refusal that is not of a pause already begun.
local function pause_ms(turn, scope, named, jitter)
    local wait = tonumber(named)
    local secondary = scope == 'all' or scope == 'content'
    local strikes = secondary and strike(turn) or 1
    if string.match(scope, '^token:') then wait = math.max(wait or 0, PAUSE_MAX_MS) end
    wait = wait or math.min(PAUSE_MIN_MS * 2 ^ (strikes - 1), PAUSE_MAX_MS)
    return math.ceil(wait * (1 + PAUSE_JITTER * jitter))
end

local function forget(turn, field)
    if turn.known[field] then turn.gone[#turn.gone + 1] = field end
    turn.known[field], turn.fields[field] = nil, nil
end

-- The scopes of which this lease is the probe.
local function probed_by(known, lease)
    local scopes = {}
    for field, value in pairs(known) do
        local scope = value == lease and string.match(field, '^(.*):probe$')
        if scope then scopes[#scopes + 1] = scope end
    end
    return scopes
end

-- Nothing of a refused token is kept for longer than anybody would use it.
local function forget_tokens(turn)
    local over = {}
    for field, until_ms in pairs(turn.known) do
        local scope = string.match(field, '^(token:.*):until_ms$')
        if scope and (tonumber(until_ms) or 0) + TOKEN_KNOWN_MS <= turn.at_ms then over[#over + 1] = scope end
    end
    for _, scope in ipairs(over) do
        for _, part in ipairs({ ':until_ms', ':request_id', ':probe', ':probe_until_ms' }) do forget(turn, scope .. part) end
    end
end

local function take_refusal(turn, args, i)
    local scope, at_ms = args[i + 2], turn.at_ms
    if scope == 'token' then
        scope = 'token:' .. args[2]
        forget_tokens(turn)
    end
    local until_ms = known_ms(turn.known, scope .. ':until_ms')
    if until_ms and until_ms > at_ms then
        -- It was sent before the pause began: the same event.
        until_ms = math.max(until_ms, at_ms + (tonumber(args[i + 3]) or 0))
    else
        until_ms = at_ms + pause_ms(turn, scope, args[i + 3], tonumber(args[3]))
    end
    -- Who was the probe of the pause before says nothing about this one.
    forget(turn, scope .. ':probe')
    forget(turn, scope .. ':probe_until_ms')
    note(turn, scope .. ':until_ms', digits(until_ms))
    if args[i + 4] ~= '' then note(turn, scope .. ':request_id', args[i + 4]) end
    return until_ms - at_ms
end

local function take_back_one(turn, args, i)
    local lease, outcome = args[i], args[i + 1]
    for _, scope in ipairs(probed_by(turn.known, lease)) do
        forget(turn, scope .. ':probe')
        forget(turn, scope .. ':probe_until_ms')
        -- Any answer that refuses nothing says that the pause is over.
        if outcome == 'answered' then
            forget(turn, scope .. ':until_ms')
            forget(turn, scope .. ':request_id')
        end
    end
    if args[i + 5] ~= '' then
        note_budget(turn, args[i + 5], args[i + 6], args[i + 7], turn.at_ms + args[i + 8])
    end
    return outcome == 'refused' and take_refusal(turn, args, i) or 0
end

register('github_release', { 'allow-oom' }, function(keys, args)
    local ns, identity = keys[1], args[1]
    local at_ms = now(ns)
    local turn = { at_ms = at_ms, known = take_limits(ns, identity, at_ms), fields = {}, gone = {} }
    local leases, waits = {}, {}
    for i = 4, #args, 9 do
        leases[#leases + 1] = args[i]
        waits[#waits + 1] = take_back_one(turn, args, i)
    end
    put_many('ZREM', key.github_flights(ns, identity), leases, 1)
    put_many('HDEL', key.github_limits(ns, identity), turn.gone, 1)
    write_known(ns, identity, turn)
    -- The record may have gone meanwhile.
    if next(turn.fields) and not turn.known.seen_ms then redis.call('PEXPIRE', key.github_limits(ns, identity), KNOWN_MS) end
    return waits
end)
