-- explain: says where a job is, why, and until when. For people too:
--   redis-cli FCALL_RO hookme_explain 1 '{hookme}' <id>
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 id
-- Returns  {field, value, ...} of the record, then id, why, until_ms (if it is
--          known), ahead, now_ms, history (a list); empty if there is no such job
-- Cost     O(log of the lane + the history)
-- Repeat   looks again
--
-- One script, so that the answer is of one moment.

local function clock(ms)
    local seconds = math.floor(ms / 1000)
    return string.format('%02d:%02d:%02d UTC', math.floor(seconds / 3600) % 24, math.floor(seconds / 60) % 60, seconds % 60)
end

-- What the settings say, or else a worker that is alive: the limits that the
-- environment gives are known to the workers only.
local function limits_in_force(ns, at_ms)
    local names = { 'max_running_jobs', 'jobs_per_interval', 'jobs_interval' }
    local worker = (look('ZRANGE', key.workers(ns), '(' .. at_ms, '+inf', 'BYSCORE', 'LIMIT', 0, 1) or {})[1]
    local own = worker and read_fields(key.worker(ns, worker), names, 1) or {}
    local set = read_fields(key.settings(ns), names, 1)
    return worker, limit(set[1], own[1]), limit(set[2], own[2]), positive(whole(set[3])) or positive(own[3]) or 1000
end

local function why_due(ns, job, ahead, at_ms)
    local worker, most, starts, interval_ms = limits_in_force(ns, at_ms)
    if not worker then return 'is due, but no worker is running' end
    if most and redis.call('ZCARD', key.running(ns)) >= most then
        return 'is due, and waits for a running job to end: as many as max_running_jobs allows (' .. most .. ') are running'
    end
    if starts and not job.resumes then
        local since = '(' .. at_ms - interval_ms
        if (look('ZCOUNT', key.starts(ns), since, '+inf') or 0) >= starts then
            local oldest = look('ZRANGE', key.starts(ns), since, '+inf', 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
            return 'is due, and waits for the rate: jobs_per_interval allows ' .. starts .. ' starts in ' .. interval_ms .. ' ms',
                oldest[2] + interval_ms
        end
    end
    if (tonumber(job.crashes or '') or 0) >= ALONE_FROM then
        local asked = emptying(ns, at_ms)
        return 'is due, and waits for a worker that holds nothing else, as it crashed ' .. job.crashes .. ' times in a row'
            .. (asked and '; ' .. asked .. ' takes no more until then' or '')
    end
    if ahead > 0 then return 'is due, with ' .. ahead .. ' before it in its lane' end
    return 'is due; a worker with a free permit takes it at once'
end

-- The whole of the reason that the record has room for the beginning of: the
-- newest entry of the history.
local function whole_reason(ns, job)
    local newest = (look('LRANGE', key.history(ns, job.id), -1, -1) or {})[1]
    local text = newest and string.match(newest, '^%S+ %S+ %S+ %S+ %S+ %S+ %S+ (.*)$')
    local cut = string.match(job.reason, '^(.*)%.%.%.$')
    if cut and text and string.sub(text, 1, #cut) == cut then return text end
    return job.reason
end

-- What keeps all jobs of this stage from GitHub, if anything does.
local function why_github(ns, job, at_ms)
    local identity, class = last_identity(ns), ASKING[job.stage]
    if not class or not identity then return nil end
    local known = read_limits(ns, identity, at_ms)
    local until_ms, scope = gate(known, class, known.token or '', at_ms)
    local due_ms = tonumber(job.due_ms)
    -- A job that was put back because of it is due a moment later.
    if not until_ms or (until_ms <= due_ms and not job.resumes) then return nil end
    until_ms = math.max(until_ms, due_ms)
    return 'waits for ' .. awaited(scope) .. ' until ' .. clock(until_ms), until_ms
end

-- What a comment waits for beside its time.
local function why_comment(ns, job, ahead, at_ms)
    local before = rivals(ns, job)
    if before then return 'waits for task ' .. before .. ', whose comment on this pull request comes first' end
    local identity = last_identity(ns)
    local opens_ms = identity and known_ms(read_limits(ns, identity, at_ms), 'content_opens_ms') or 0
    if tonumber(job.due_ms) > at_ms or opens_ms <= at_ms then return nil end
    local turn = 'waits for its turn: comments are made at the pace that GitHub allows, the next at ' .. clock(opens_ms)
    if ahead > 0 then return turn .. ', with ' .. ahead .. ' before it' end
    return turn, opens_ms
end

local function why_scheduled(ns, job, ahead, at_ms)
    local due_ms = tonumber(job.due_ms)
    if is_paused(look('HGET', key.settings(ns), 'paused'), job.stage) then
        return 'waits because the lane ' .. job.stage .. ' is paused in the settings'
    end
    local github, until_ms = why_github(ns, job, at_ms)
    if github then return github, until_ms end
    if job.stage == 'comment' and is_feedback(job) then
        local comment, opens_ms = why_comment(ns, job, ahead, at_ms)
        if comment then return comment, opens_ms end
    end
    if due_ms <= at_ms then return why_due(ns, job, ahead, at_ms) end
    if job.reason and job.resumes then return 'waits until ' .. clock(due_ms) .. ' to go on: ' .. whole_reason(ns, job), due_ms end
    if job.reason then return 'waits until ' .. clock(due_ms) .. ' to try again: ' .. whole_reason(ns, job), due_ms end
    return 'waits until ' .. clock(due_ms) .. ', as its task asked', due_ms
end

local function why(ns, job, ahead, at_ms)
    if job.state == 'scheduled' then return why_scheduled(ns, job, ahead, at_ms) end
    if job.state == 'running' then
        local lease = tonumber(redis.call('ZSCORE', key.running(ns), job.id) or at_ms)
        if lease <= at_ms then
            local next_step = limits_in_force(ns, at_ms) and 'another worker takes it back' or 'no worker is heard of that could take it back'
            return 'its worker ' .. (job.worker or '?') .. ' did not renew its lease, which ended ' .. clock(lease) .. '; ' .. next_step
        end
        local asked = job.cancel_requested and '; its worker is asked to cancel it' or ''
        return 'runs on worker ' .. (job.worker or '?') .. ', whose lease ends ' .. clock(lease) .. ' unless renewed' .. asked, lease
    end
    return 'ended as ' .. job.state .. (job.reason and ': ' .. whole_reason(ns, job) or '')
end

-- The attempt that succeeded has no entry of its own.
local function entry_of_success(job)
    local ended_ms = tonumber(job.ended_ms or '') or 0
    local attempt = {
        attempt = job.attempt, stage = job.stage, worker = job.worker, state = 'running', started_ms = job.started_ms,
    }
    return entry_of(attempt, digits(ended_ms), 'finish', 'it is done', job.status)
end

register('explain', { 'no-writes', 'allow-oom' }, function(keys, args)
    local ns, at_ms = keys[1], now(keys[1])
    local job, answer = read_job(ns, args[1])
    if not job then return {} end
    local ahead = job.state == 'scheduled' and redis.call('ZRANK', key.scheduled(ns, job.stage), job.id) or 0
    local sentence, until_ms = why(ns, job, tonumber(ahead or 0), at_ms)
    for _, value in ipairs({ 'id', job.id, 'why', sentence, 'ahead', tonumber(ahead or 0), 'now_ms', at_ms }) do
        answer[#answer + 1] = value
    end
    if until_ms then answer[#answer + 1], answer[#answer + 2] = 'until_ms', until_ms end
    answer[#answer + 1] = 'history'
    local history = look('LRANGE', key.history(ns, job.id), -HISTORY_MAX, -1) or {}
    if job.state == 'succeeded' then history[#history + 1] = entry_of_success(job) end
    answer[#answer + 1] = history
    return answer
end)
