-- github_acquire: lets requests to GitHub start, for all workers as one client.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 identity   whose limits count: a user, or the address that we come from
--          2 token      its fingerprint; empty: none
--          3 worker     its id
--          4 term       ms after its start until a request counts as lost
--          5 in flight  requests at once         0 is no limit, here and below
--          6 read gap   ms between two starts
--          7 write gap  ms between the starts of two writes
--          8 content a minute  9 content an hour, exact over any such span
--         10 lease  11 class: read, write or content  12 resource: core or graphql
--         13 patience   ms that the caller waits, 0 or more; and so on for each request
-- Returns  for each {'ok', ms until it may start, 1 or 0} or {'wait', ms, words};
--          with 0 nothing is noted of it, and it needs no release unless its answer
--          says something; the words follow "waits for"
-- Cost     O(requests * log of the content of an hour)
-- Repeat   may grant a second time; after a lost reply, release the lease instead
--
-- One script, because GitHub counts all workers as one.

-- With several waiting, each looks again after this, times their number.
local TURN_LOOK_MS, TURN_LOOK_MAX_MS = 20, 250
-- A worker that was told to wait counts as waiting for this much longer.
local LATE_MS = 300
-- The use of an identity is noted at most this often.
local SEEN_MS = 1000

local function wait_for(turn, scope, wait_ms)
    if scope == 'turn' then turn.queued = true end
    return { 'wait', math.max(1, math.ceil(wait_ms)), awaited(scope) }
end

local function note_gaps(args, turn, want, start_ms)
    local read_gap, write_gap = tonumber(args[6]), tonumber(args[7])
    -- Nobody starts before a start that was given ahead, gap or not.
    if read_gap > 0 or start_ms > turn.at_ms then note(turn, 'read_next_ms', digits(start_ms + read_gap)) end
    if want.class ~= 'read' and write_gap > 0 then note(turn, 'write_next_ms', digits(start_ms + write_gap)) end
end

local function note_content(ns, identity, lease, start_ms, at_ms)
    local content = key.github_content(ns, identity)
    put('ZREMRANGEBYSCORE', content, '-inf', at_ms - HOUR_MS)
    put_for('ZADD', content, HOUR_MS + start_ms - at_ms, start_ms, lease)
end

-- Decides on one request, and notes in `turn` what is to be written if it may start.
local function decide(ns, args, turn, want)
    local known, at_ms = turn.known, turn.at_ms
    local worst, probes = obstacle(known, want.resource, want.class, args[2], turn.in_flight, at_ms)
    if worst then return wait_for(turn, worst.scope, worst.until_ms - at_ms) end
    if turn.most and (turn.in_flight >= turn.most or (turn.others > 0 and known.served == args[3])) then
        return wait_for(turn, 'turn', math.min(TURN_LOOK_MS * (1 + turn.others), TURN_LOOK_MAX_MS))
    end
    local start_ms = math.max(at_ms, known_ms(known, 'read_next_ms') or 0)
    if want.class ~= 'read' then start_ms = math.max(start_ms, known_ms(known, 'write_next_ms') or 0) end
    local scope = 'turn'
    if want.class == 'content' then
        local allowed_ms = content_start(ns, args[1], { args[8], args[9] }, known, start_ms, at_ms)
        if allowed_ms > start_ms then start_ms, scope = allowed_ms, 'content' end
    end
    -- A start is given ahead only to a request that flies alone: nobody else's
    -- refusal can come between.
    if start_ms - at_ms > want.patience or (start_ms > at_ms and (turn.in_flight > 0 or not turn.counted)) then
        return wait_for(turn, scope, start_ms - at_ms)
    end

    if turn.counted then
        turn.in_flight = turn.in_flight + 1
        turn.leases[#turn.leases + 1] = start_ms + args[4]
        turn.leases[#turn.leases + 1] = want.lease
    end
    if turn.most then note(turn, 'served', args[3]) end
    for _, scope in ipairs(probes) do
        note(turn, scope .. ':probe', want.lease)
        note(turn, scope .. ':probe_until_ms', digits(start_ms + args[4]))
    end
    note_gaps(args, turn, want, start_ms)
    if want.class == 'content' then note_content(ns, args[1], want.lease, start_ms, at_ms) end
    local is_noted = turn.counted or #probes > 0
    local answer = { 'ok', start_ms - at_ms, is_noted and 1 or 0 }
    if want.class == 'read' and not is_noted then turn.free[want.resource] = answer end
    return answer
end

-- The identity stands first in the list, and what is known of it lives on; for that
-- once a second is enough.
local function keep_known(ns, identity, token, turn)
    if turn.known.token ~= token then note(turn, 'token', token) end
    local seen_ms = known_ms(turn.known, 'seen_ms')
    if seen_ms and seen_ms <= turn.at_ms and turn.at_ms - seen_ms < SEEN_MS then return end
    note(turn, 'seen_ms', digits(turn.at_ms))
    local identities = key.github_identities(ns)
    put_for('ZADD', identities, KNOWN_MS, turn.at_ms, identity)
    not_after(identities, turn.at_ms)
    put('ZREMRANGEBYSCORE', identities, '-inf', turn.at_ms - KNOWN_MS)
end

local function write_turn(ns, args, turn, waiting)
    local identity, worker = args[1], args[3]
    if #turn.leases > 0 then
        local flights = key.github_flights(ns, identity)
        put_many('ZADD', flights, turn.leases, 2)
        redis.call('PEXPIRE', flights, 2 * args[4] + turn.longest)
    end
    if turn.queued then
        -- The scores say who waits; the TTL is for when nobody comes any more.
        put_for('ZADD', waiting, MINUTE_MS, turn.at_ms + TURN_LOOK_MAX_MS + LATE_MS, worker)
    elseif turn.waited then
        put('ZREM', waiting, worker)
    end
    if #turn.leases > 0 or turn.queued then note(turn, 'noted_ms', digits(turn.at_ms)) end
    keep_known(ns, identity, args[2], turn)
    write_known(ns, identity, turn)
    if turn.fields.seen_ms then redis.call('PEXPIRE', key.github_limits(ns, identity), KNOWN_MS) end
end

register('github_acquire', { 'allow-oom' }, function(keys, args)
    local ns, at_ms = keys[1], now(keys[1])
    local flights, waiting = key.github_flights(ns, args[1]), key.github_waiting(ns, args[1])
    local turn = {
        at_ms = at_ms, known = take_limits(ns, args[1], at_ms), in_flight = 0,
        most = positive(args[5]), others = 0, leases = {}, fields = {}, longest = 0, free = {},
    }
    -- Requests in flight matter for a limit of their number, for starts that are given
    -- ahead, and for what is left of an hour. Without limits there is none of these.
    turn.counted = turn.most or tonumber(args[6]) > 0 or turn.known['core:reset_ms'] or turn.known['graphql:reset_ms']
    if turn.counted then
        put('ZREMRANGEBYSCORE', flights, '-inf', at_ms)
        turn.in_flight = look('ZCARD', flights) or 0
    end
    if turn.most then
        put('ZREMRANGEBYSCORE', waiting, '-inf', at_ms)
        turn.waited = look('ZSCORE', waiting, args[3])
        turn.others = (look('ZCARD', waiting) or 0) - (turn.waited and 1 or 0)
    end
    local answers = {}
    for i = 10, #args, 4 do
        -- Where nothing is noted, what holds for one read holds for all.
        local answer = args[i + 1] == 'read' and turn.free[args[i + 2]]
        if not answer then
            local want = { lease = args[i], class = args[i + 1], resource = args[i + 2], patience = tonumber(args[i + 3]) }
            turn.longest = math.max(turn.longest, want.patience)
            answer = decide(ns, args, turn, want)
        end
        answers[#answers + 1] = answer
    end
    write_turn(ns, args, turn, waiting)
    return answers
end)
