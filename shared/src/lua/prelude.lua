-- What several functions need. Nothing here is called from outside.

-- From this many crashes in a row a job runs with nothing beside it.
local ALONE_FROM = 3
-- How much of each kind of ended job is kept.
local RETENTION = {
    succeeded = { count = 10000, ms = 7 * 86400000 },
    dead = { count = 10000, ms = 30 * 86400000 },
    cancelled = { count = 10000, ms = 7 * 86400000 },
}
-- How many ended jobs one call removes beyond as many as it ends.
local TRIM_MORE = 8
-- Entries of a job's history that are kept.
local HISTORY_MAX = 32
-- The most members that one command is given: unpack has a limit.
local CHUNK = 1000

-- The stage that a job of each kind begins with.
local FIRST_STAGE = { report = 'fetch', feedback = 'grade' }

local function register(name, flags, callback)
    redis.register_function { function_name = PREFIX .. name, flags = flags, callback = callback }
end

-- Whether a command failed because somebody put a value of another type under its key.
local function is_other_type(reply)
    return type(reply) == 'table' and reply.err and string.find(reply.err, 'WRONGTYPE', 1, true)
end

-- Reads a key of one job or one thing: a value of another type is nil, as if there were
-- none. So it holds up nobody else. The sets that lead to all jobs are read with
-- redis.call, before anything is written: nothing goes on without them.
local function look(command, at, ...)
    local reply = redis.pcall(command, at, ...)
    if is_other_type(reply) then return nil end
    if type(reply) == 'table' and reply.err then return error(reply) end
    return reply
end

-- Writes such a key: a value of another type gives way.
local function put(command, at, ...)
    local reply = redis.pcall(command, at, ...)
    if type(reply) ~= 'table' or not reply.err then return reply end
    if is_other_type(reply) then redis.call('DEL', at) end
    return redis.call(command, at, ...)
end

-- The same for a key with a TTL, in ms; in an order in which none stays without one.
local function put_for(command, at, ttl_ms, ...)
    local has_one = redis.call('PEXPIRE', at, ttl_ms) == 1
    put(command, at, ...)
    if not has_one then redis.call('PEXPIRE', at, ttl_ms) end
end

-- `may` says whether the user may send a command with this key; `need_rights` fails,
-- before anything is written, if it lacks one of those that a move of a job writes with.
local may, need_rights
do
    -- What follows the key where it is not just values: these take any number of keys.
    local AFTER_KEY = { DEL = {}, EXISTS = {}, MGET = {}, BLPOP = { '0' } }
    -- At least as many as any command needs: Redis 7.0 dies of too few.
    local VALUES = { '0', '0', '0' }
    local OF_A_MOVE = { 'ZADD', 'ZREM', 'HSET', 'HDEL', 'HINCRBY', 'SET', 'DEL', 'MGET', 'RPUSH', 'LTRIM' }

    function may(command, at)
        return redis.acl_check_cmd(command, at, unpack(AFTER_KEY[command] or VALUES))
    end

    function need_rights(ns)
        for _, command in ipairs(OF_A_MOVE) do
            if not may(command, ns) then
                return error(redis.error_reply('NOPERM this user has no permissions to run the ' .. command .. ' command'))
            end
        end
    end
end

-- Adds to a number in `stats`, and returns the sum. What is no number begins anew: no job
-- waits for it.
local function add_up(ns, field, by)
    local at = key.stats(ns)
    local sum = redis.pcall('HINCRBY', at, field, by)
    if type(sum) == 'number' then return sum end
    if is_other_type(sum) then
        redis.call('DEL', at)
    elseif not string.find(sum.err, 'not an integer', 1, true) then
        return error(sum)
    end
    redis.call('HSET', at, field, by)
    return by
end

-- These five are the only calls with a list that may be empty, as no command takes none,
-- and that may be longer than one command takes. A test holds all files to that.

local function in_chunks(call, command, at, list, step)
    local size = CHUNK - CHUNK % step
    for first = 1, #list, size do
        call(command, at, unpack(list, first, math.min(first + size - 1, #list)))
    end
end

-- Calls `command key` with a list of further arguments, in chunks; `step` is how many of
-- them belong together.
local function call_many(...) in_chunks(redis.call, ...) end

-- The same for keys that `put` is for.
local function put_many(...) in_chunks(put, ...) end

local function delete_many(keys)
    for first = 1, #keys, CHUNK do
        redis.call('DEL', unpack(keys, first, math.min(first + CHUNK - 1, #keys)))
    end
end

-- The fields of a hash, from place `from` of `names` on: a value for each, false where
-- there is none.
local function read_fields(at, names, from)
    local values = {}
    for first = from, #names, CHUNK do
        local last = math.min(first + CHUNK - 1, #names)
        local some = look('HMGET', at, unpack(names, first, last)) or {}
        if first == from and #some == #names - from + 1 then return some end
        for i = 1, last - first + 1 do values[#values + 1] = some[i] or false end
    end
    return values
end

-- The strings under these keys, false where there is none.
local function read_many(keys)
    local values = {}
    for first = 1, #keys, CHUNK do
        local some = redis.call('MGET', unpack(keys, first, math.min(first + CHUNK - 1, #keys)))
        for i = 1, #some do values[#values + 1] = some[i] end
    end
    return values
end

local function count(ns, event, by)
    if by > 0 then add_up(ns, event, by) end
end

-- A whole number as text. Redis turns a number into text at each use of it; one
-- that is used for each job is turned once.
local function digits(number) return string.format('%.0f', number) end

-- A positive whole number, or nil for "no limit"; what cannot be read is as
-- if it were not there.
local function positive(text)
    local number = tonumber(text)
    return number and number >= 1 and math.floor(number) or nil
end

-- A setting's whole number, or nil if a person would not call it one: tonumber
-- also takes 1e3, 0x10, inf and nan. queue/checks.rs says what is ignored here.
local function whole(setting)
    if not setting or #setting > 15 or not string.match(setting, '^-?%d+$') then return nil end
    return tonumber(setting)
end

-- The setting, if it is readable, else the default; then as `positive`.
local function limit(setting, default)
    local number = whole(setting)
    if number then return positive(number) end
    return positive(default)
end

-- Whether `paused` (a setting: `all`, or lanes with spaces between) names the lane.
local function is_paused(paused, lane)
    if not paused then return false end
    for word in string.gmatch(paused, '%S+') do
        if word == 'all' or word == lane then return true end
    end
    return false
end

local function pairs_of(flat)
    local record = {}
    for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
    return record
end

-- A hash of what is known of something; where somebody put something else, nothing is.
local function read_known(at)
    local flat = look('HGETALL', at)
    if not flat then return {}, true end
    return pairs_of(flat)
end

-- The same for those who write: what somebody put there gives way.
local function take_known(at)
    local known, is_spoilt = read_known(at)
    if is_spoilt then redis.call('DEL', at) end
    return known
end

-- Redis's clock can be set back. Then the times of a record lie ahead of it by so much
-- more than they should, and whoever waits for one would wait that much longer. A record
-- with times to wait for says in `noted_ms` when it was last written, which is never ahead
-- of the clock else: takes as much off all of its times as the clock was set back, so
-- that none lies further ahead than it was written. Returns how much; 0: it was not.
local SPANS = { gap_ms = true }
local function follow_clock(known, at_ms)
    local ahead_ms = (tonumber(known.noted_ms or '') or at_ms) - at_ms
    if ahead_ms <= 0 then return 0 end
    for field, value in pairs(known) do
        if string.match(field, '_ms$') and not SPANS[field] and tonumber(value) then
            known[field] = digits(value - ahead_ms)
        end
    end
    return ahead_ms
end

-- The same for the scores of a set.
local function move_scores(set, ahead_ms)
    for first = 0, (look('ZCARD', set) or 0) - 1, CHUNK do
        local moved = {}
        local members = look('ZRANGE', set, first, first + CHUNK - 1, 'WITHSCORES')
        for i = 1, #members, 2 do
            moved[i], moved[i + 1] = digits(members[i + 1] - ahead_ms), members[i]
        end
        put_many('ZADD', set, moved, 2)
    end
end

-- For sets whose scores say when something was used last: none was used later than now.
local function not_after(set, at_ms)
    local moved = {}
    for _, member in ipairs(look('ZRANGE', set, '(' .. at_ms, '+inf', 'BYSCORE', 'LIMIT', 0, CHUNK) or {}) do
        moved[#moved + 1], moved[#moved + 2] = at_ms, member
    end
    put_many('ZADD', set, moved, 2)
end

-- A record of times to wait for, for those who write: as the clock is now. Returns it and
-- how much the clock was set back.
local function take_timed(at, at_ms)
    local known = take_known(at)
    local ahead_ms = follow_clock(known, at_ms)
    if ahead_ms > 0 then
        local fields = {}
        for field, value in pairs(known) do fields[#fields + 1], fields[#fields + 2] = field, value end
        put_many('HSET', at, fields, 2)
    end
    return known, ahead_ms
end

-- The record of a job, or nil.
local function read_job(ns, id)
    local flat = look('HGETALL', key.job(ns, id)) or {}
    if #flat == 0 then return nil, flat end
    local job = pairs_of(flat)
    job.id = id
    return job, flat
end

-- The repository as a scope has it: GitHub makes no difference between cases, and each
-- client has scopes of its own.
local function owned_repository(username, repository, owner)
    return string.lower(username .. '/' .. repository) .. (owner ~= '' and '~' .. owner or '')
end

-- The end of a scope whose result goes to a place of its own.
local function scope_of_url(url) return url ~= '' and '+' .. redis.sha1hex(url) or '' end

-- What at most one live job may exist for.
local function scope_of(job)
    return job.scope or string.lower((job.username or '') .. '/' .. (job.repository or ''))
end

-- Whether the scope is that of feedback: feedback:<user>/<repository>#<number>@<commit>.
local function is_feedback(job) return job.scope and string.match(job.scope, '^feedback:.+@') and true end

-- Whether every number in a record is one. A record that somebody damaged is
-- buried when its turn comes, so that it holds up nobody else.
local NUMBERS = { 'created_ms', 'due_ms', 'attempt', 'failures', 'crashes', 'bodies', 'report_bytes', 'report_ms', 'revived_ms' }
local FEEDBACK_NUMBERS = { 'pull_request', 'passed', 'total', 'comment_tries', 'comment_tried_ms' }
local function are_numbers(job, fields)
    for i = 1, #fields do
        local value = job[fields[i]]
        if value and not tonumber(value) then return false end
    end
    return true
end
local function is_readable(job)
    if not are_numbers(job, NUMBERS) then return false end
    if job.kind == 'feedback' and not (are_numbers(job, FEEDBACK_NUMBERS) and job.pull_request and job.commit and is_feedback(job)) then
        return false
    end
    return job.created_ms and job.due_ms and job.username and job.repository and job.stage
end

-- Makes a record that was damaged while it ran good enough to be given back or
-- ended, so that it holds up nobody else; its next claim buries it.
local function mend(job)
    for _, field in ipairs(NUMBERS) do
        if job[field] and not tonumber(job[field]) then job[field] = field == 'report_bytes' and 0 or nil end
    end
    job.stage = job.stage or LANES[1]
    return job
end

-- A job's age counts from its last revival.
local function is_too_old(job, max_age_ms, at_ms)
    local since = job.revived_ms or job.created_ms
    return since and since + max_age_ms <= at_ms
end

local function live_jobs(ns)
    local live = redis.call('ZCARD', key.running(ns))
    for _, lane in ipairs(LANES) do live = live + redis.call('ZCARD', key.scheduled(ns, lane)) end
    return live
end

-- The live job that holds a scope, if there is one. A lock whose job is
-- missing, ended or in no set holds nothing, and may be overwritten; one in no
-- set, where nobody would ever find it, comes second.
local function holder(ns, scope)
    local id = look('GET', key.lock(ns, scope))
    if not id then return nil end
    local job = read_job(ns, id)
    if not job or (job.state ~= 'scheduled' and job.state ~= 'running') then return nil end
    local set = job.state == 'running' and key.running(ns) or key.scheduled(ns, job.stage or '')
    if redis.call('ZSCORE', set, id) then return job end
    return nil, mend(job)
end

-- The worker that is asked to take no more until it holds nothing, if it is there: a job
-- that crashed so often that it runs alone waits for it.
local function emptying(ns, at_ms)
    local worker = look('GET', key.emptying(ns))
    local until_ms = worker and tonumber(look('ZSCORE', key.workers(ns), worker) or '')
    return until_ms and until_ms > at_ms and worker or nil
end

-- Wakes one idle worker. One hint at a time is enough: who is woken claims all
-- that it can and wakes the next if more is due.
local function wake(ns)
    if (look('LLEN', key.wake(ns)) or 0) == 0 then put('RPUSH', key.wake(ns), 'due') end
end

-- Wakes a worker if one of these new members (score, id, ...) is the first of
-- its lane: whoever sleeps until the next due job does not know of it.
local function wake_if_first(ns, lane, members)
    local first = redis.call('ZRANGE', lane, 0, 0)[1]
    for i = 2, #members, 2 do
        if members[i] == first then return wake(ns) end
    end
end

-- Wakes a worker if a job is due.
local function wake_if_due(ns, at_ms)
    for _, lane in ipairs(LANES) do
        if redis.call('ZCOUNT', key.scheduled(ns, lane), '-inf', at_ms) > 0 then return wake(ns) end
    end
end

-- An entry of a job's history:
--   <at_ms> <attempt> <event> <stage> <worker or -> <duration_ms or -> <status or -> <text>
-- The duration is that of the attempt, the status that of the last answer it got from
-- outside.
local function entry_of(job, at_ms, event, text, status)
    local took_ms = job.state == 'running' and tonumber(job.started_ms or '')
    return table.concat({
        at_ms, job.attempt or 0, event, job.stage, job.worker or '-',
        took_ms and digits(math.max(0, at_ms - took_ms)) or '-', status and status ~= '' and status or '-', text,
    }, ' ')
end

local function remember(ns, job, at_ms, event, text, status)
    put('RPUSH', key.history(ns, job.id), entry_of(job, at_ms, event, text, status))
    put('LTRIM', key.history(ns, job.id), -HISTORY_MAX, -1)
end
