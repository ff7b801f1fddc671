-- What all workers know of GitHub's limits, and what follows from it. The record
-- of an identity is one hash; its fields carry their scope first:
--
--   <scope>:until_ms :request_id           a pause, or one that ended and awaits its probe
--   <scope>:probe :probe_until_ms          the one request that tries whether it is over
--   probe_claimed_ms                       when a job was last claimed to send that one
--   content_claim_ms                       no job that makes content is claimed sooner
--   content_opens_ms                       when one is, as the last claim found
--   <resource>:limit :remaining :reset_ms  what GitHub said is left of its hour
--   read_next_ms write_next_ms             no request, no write starts sooner
--   noted_ms                               when the record was last written
--   served                                 the worker that had the last turn
--   token                                  the one that asked last
--   strikes struck_ms                      secondary refusals, and the last of them
--   caps_percent caps_ms                   what is left of the content caps, since when
--
-- A scope is `all`, `content`, `token:` and its fingerprint, or one of GitHub's
-- resources: core, graphql.

-- The stages of jobs that ask GitHub, and the class of their requests.
local ASKING = { fetch = 'read', comment = 'content' }
-- A pause that GitHub gave no length: this long, doubled with each strike. GitHub
-- Docs, "Rate limits for the REST API": at least a minute, growing.
local PAUSE_MIN_MS, PAUSE_MAX_MS = 60000, 1800000
-- A pause is longer than asked by up to this share, so that not all come back at once.
local PAUSE_JITTER = 0.1
-- After so long without a refusal strikes are forgotten and caps rise.
local QUIET_MS = 3600000
-- What the caps fall to at the least, and what they regain per quiet hour, in percent.
local CAPS_MIN, CAPS_RAISE = 5, 10
-- Two resets this near to each other are of one window: a window is an hour, and an
-- answer can be told late.
local SAME_WINDOW_MS = 1800000
-- A request starts so long after a reset, as GitHub tells whole seconds.
local AFTER_RESET_MS = 1000
-- What is known of an identity is kept so long after its last use.
local KNOWN_MS = 7 * 86400000
-- While a probe is under way, others look again after this.
local PROBE_LOOK_MS = 200
-- From half of the hour's content on, the gap grows from the one to the other.
local CONTENT_GAP_MIN_MS, CONTENT_GAP_MAX_MS = 1000, 8000
local MINUTE_MS, HOUR_MS = 60000, 3600000
-- All names are forgotten if nobody asked for a new one for so long; none is believed for longer.
local NAMES_MS = 7 * 86400000
-- A job that was claimed to be the probe asks within this, or another one is claimed.
local PROBE_CLAIM_MS = 2000

-- Who asked GitHub last, of all whom it knows by a token; or nil.
local function last_identity(ns)
    return (look('ZRANGE', key.github_identities(ns), 0, 0, 'REV') or {})[1]
end

local function read_limits(ns, identity, at_ms)
    local known = read_known(key.github_limits(ns, identity))
    follow_clock(known, at_ms)
    return known
end

-- The same for those who write.
local function take_limits(ns, identity, at_ms)
    local known, ahead_ms = take_timed(key.github_limits(ns, identity), at_ms)
    if ahead_ms > 0 then
        for _, set in ipairs({ 'github_flights', 'github_content', 'github_waiting' }) do
            move_scores(key[set](ns, identity), ahead_ms)
        end
    end
    return known
end

-- A number of the record; what somebody damaged counts as absent.
local function known_ms(known, field) return tonumber(known[field] or '') end

-- The scopes whose pause a request meets. A token that GitHub refused is parked
-- alone: another token of the same identity is not.
local function scopes_of(resource, class, token)
    local scopes = { 'all', resource, 'token:' .. token }
    if class == 'content' then scopes[#scopes + 1] = 'content' end
    return scopes
end

-- The requests that are left for others: a fiftieth and at least 20, but never more
-- than a tenth. What makes content needs no such share.
local function floor_of(limit, class)
    if class ~= 'read' then return 0 end
    return math.min(math.max(20, math.ceil(limit / 50)), math.floor(limit / 10))
end

-- Until when nothing is left of the resource's hour, or nil.
local function budget_until(known, resource, class, in_flight, at_ms)
    local left, reset_ms = known_ms(known, resource .. ':remaining'), known_ms(known, resource .. ':reset_ms')
    if not left or not reset_ms or reset_ms + AFTER_RESET_MS <= at_ms then return nil end
    local limit = known_ms(known, resource .. ':limit') or 0
    if left - in_flight > floor_of(limit, class) then return nil end
    return reset_ms + AFTER_RESET_MS
end

-- What keeps a request from being sent at all: {scope, until_ms}. Or nil, and the
-- scopes whose pause is over and which this request would be the probe of.
local function obstacle(known, resource, class, token, in_flight, at_ms)
    local worst, probes = nil, {}
    local function blocked(scope, until_ms)
        if not worst or until_ms > worst.until_ms then worst = { scope = scope, until_ms = until_ms } end
    end
    for _, scope in ipairs(scopes_of(resource, class, token)) do
        local until_ms = known_ms(known, scope .. ':until_ms')
        local probed_ms = known_ms(known, scope .. ':probe_until_ms')
        if until_ms and until_ms > at_ms then
            blocked(scope, until_ms)
        elseif until_ms and probed_ms and probed_ms > at_ms then
            blocked(scope, math.min(probed_ms, at_ms + PROBE_LOOK_MS))
        elseif until_ms then
            probes[#probes + 1] = scope
        end
    end
    local reset_ms = budget_until(known, resource, class, in_flight, at_ms)
    if reset_ms then blocked(resource, reset_ms) end
    return worst, probes
end

-- What a job waits for, in words that follow "waits for".
local function awaited(scope)
    if scope == 'all' then return "the end of GitHub's secondary rate limit" end
    if scope == 'content' then return "GitHub's limit of new content" end
    if string.match(scope, '^token:') then return 'a valid API_TOKEN, as GitHub refused this one,' end
    if scope == 'turn' then return 'its turn to ask GitHub' end
    return "GitHub's rate limit of " .. scope
end

-- The percentage of the content caps that is in force.
local function caps_percent(known, at_ms)
    local percent, since_ms = known_ms(known, 'caps_percent'), known_ms(known, 'caps_ms')
    if not percent or not since_ms then return 100 end
    return math.min(100, percent + CAPS_RAISE * math.max(0, math.floor((at_ms - since_ms) / QUIET_MS)))
end

-- Changes what is known: for the requests that follow in the same call, and for the
-- record, which is written at its end.
local function note(turn, field, value)
    turn.known[field], turn.fields[field] = value, value
end

-- The earliest start, from `from_ms` on, with fewer than `most` starts in the span
-- before it.
local function after_window(content, from_ms, span_ms, most)
    local count = look('ZCOUNT', content, '(' .. from_ms - span_ms, '+inf') or 0
    if count < most then return from_ms end
    local freed = look('ZRANGE', content, '(' .. from_ms - span_ms, '+inf', 'BYSCORE', 'LIMIT', count - most, 1, 'WITHSCORES')
    return freed[2] + span_ms
end

-- When content may be made, from `from_ms` on: within both caps (a minute's and an
-- hour's), and slower the nearer the hour's is.
local function content_start(ns, identity, caps, known, from_ms, at_ms)
    local content, percent = key.github_content(ns, identity), caps_percent(known, at_ms)
    local start_ms = from_ms
    local function cap(given)
        local most = positive(given)
        return most and math.max(1, math.floor(most * percent / 100))
    end
    local a_minute, an_hour = cap(caps[1]), cap(caps[2])
    if a_minute then start_ms = after_window(content, from_ms, MINUTE_MS, a_minute) end
    if not an_hour then return start_ms end
    start_ms = math.max(start_ms, after_window(content, from_ms, HOUR_MS, an_hour))
    local used = look('ZCOUNT', content, '(' .. at_ms - HOUR_MS, '+inf') or 0
    local over = math.min(1, 2 * used / an_hour - 1)
    if over <= 0 then return start_ms end
    local last_ms = look('ZRANGE', content, -1, -1, 'WITHSCORES')[2]
    local gap_ms = CONTENT_GAP_MIN_MS + math.floor(over * (CONTENT_GAP_MAX_MS - CONTENT_GAP_MIN_MS))
    return math.max(start_ms, last_ms + gap_ms)
end

-- Writes what `note` changed, and when that was.
local function write_known(ns, identity, turn)
    local fields = {}
    if next(turn.fields) then note(turn, 'noted_ms', digits(turn.at_ms)) end
    for field, value in pairs(turn.fields) do
        fields[#fields + 1], fields[#fields + 2] = field, value
    end
    put_many('HSET', key.github_limits(ns, identity), fields, 2)
end

-- Whether jobs may be claimed that send GitHub requests of this class: until when
-- not, and for what they wait; or whether only one may, to be the probe.
local function gate(known, class, token, at_ms)
    local worst, probes = obstacle(known, 'core', class, token, 0, at_ms)
    if worst then return worst.until_ms, worst.scope end
    if #probes == 0 then return nil, nil, false end
    local since_ms = at_ms - (known_ms(known, 'probe_claimed_ms') or 0)
    if since_ms >= 0 and since_ms < PROBE_CLAIM_MS then return at_ms + PROBE_LOOK_MS, probes[1] end
    return nil, nil, true
end

local function note_probe_claim(ns, identity, at_ms)
    put('HSET', key.github_limits(ns, identity), 'probe_claimed_ms', digits(at_ms), 'noted_ms', digits(at_ms))
end

-- When the next job may be claimed that makes content. One that was claimed is taken to
-- make it at once, so that no more are claimed than can: what is put back crowds.
local function content_claim_ms(ns, identity, caps, known, at_ms)
    local from_ms = math.max(at_ms, known_ms(known, 'content_claim_ms') or 0, known_ms(known, 'write_next_ms') or 0)
    return content_start(ns, identity, caps, known, from_ms, at_ms)
end

local function note_content_claim(ns, identity, write_gap_ms, at_ms)
    put_for('HSET', key.github_limits(ns, identity), KNOWN_MS, 'content_claim_ms', digits(at_ms + write_gap_ms), 'noted_ms', digits(at_ms))
end

-- For people, who do not know the caps.
local function note_content_opens(ns, identity, opens_ms, at_ms)
    put_for('HSET', key.github_limits(ns, identity), KNOWN_MS, 'content_opens_ms', digits(opens_ms), 'noted_ms', digits(at_ms))
end

-- Who asks GitHub for an answer just now, or nil: `<since_ms> <asker>`, with a TTL. The
-- TTL grows when the clock is set back, so who began later than now counts as lost.
local function asker_of(ns, hash, at_ms)
    local since_ms, asker = string.match(look('GET', key.github_asking(ns, hash)) or '', '^(%d+) (.*)$')
    return since_ms and tonumber(since_ms) <= at_ms and asker or nil
end

local function end_asking(ns, hash, asker, at_ms)
    if asker_of(ns, hash, at_ms) == asker then redis.call('DEL', key.github_asking(ns, hash)) end
end
