-- The jobs of feedback on one pull request, and what they mean to each other: only the
-- newest is to have its comment, and comments come in the order of their tasks.

-- So many jobs of a pull request are listed, the newest; and for longer after the last
-- than any that has ended is kept.
local PULL_REQUEST_JOBS, PULL_REQUEST_MS = 100, 45 * 86400000

-- What at most one live job of feedback may exist for; `owned` is as made by
-- owned_repository.
local function scope_of_feedback(owned, number, commit)
    return 'feedback:' .. owned .. '#' .. number .. '@' .. commit
end

-- The list of the jobs of a job's pull request.
local function siblings_at(ns, scope) return key.pull_request(ns, string.match(scope, '^feedback:(.*)@')) end

local function list_sibling(ns, scope, id, at_ms)
    local list = siblings_at(ns, scope)
    local last = look('ZRANGE', list, -1, -1, 'WITHSCORES') or {}
    put_for('ZADD', list, PULL_REQUEST_MS, math.max(at_ms, (tonumber(last[2]) or 0) + 1), id)
    redis.call('ZREMRANGEBYRANK', list, 0, -PULL_REQUEST_JOBS - 1)
end

-- The jobs that a newer commit makes needless: those that wait, and of which no comment
-- may exist.
local function needless(ns, scope)
    local jobs = {}
    for _, id in ipairs(look('ZRANGE', siblings_at(ns, scope), -PULL_REQUEST_JOBS, -1) or {}) do
        local known = look('HMGET', key.job(ns, id), 'state', 'comment_tried_ms') or {}
        if known[1] == 'scheduled' and not known[2] then jobs[#jobs + 1] = read_job(ns, id) end
    end
    return jobs
end

-- The job whose comment is to come before this one's, if there is one; and the newest
-- one that makes this one's needless: it is live or succeeded, or its comment may exist.
-- An older one that waits, and of which no comment may exist, is needless itself. One of
-- which a comment may exist is never needless; it comes before those that wait, and can
-- meet a newer one at work only after its revival.
local function rivals(ns, job)
    local before, newer, is_older = nil, nil, true
    for _, id in ipairs(look('ZRANGE', siblings_at(ns, job.scope), -PULL_REQUEST_JOBS, -1) or {}) do
        local known = look('HMGET', key.job(ns, id), 'state', 'stage', 'comment_tried_ms', 'comment_url') or {}
        local state, has_begun = known[1], known[3] and not known[4]
        if id == job.id then
            is_older = false
        elseif is_older then
            before = before or ((state == 'running' and not known[4] or state == 'scheduled' and has_begun) and id)
        elseif job.comment_tried_ms then
            before = before or (state == 'running' and known[2] == 'comment' and id)
        elseif state == 'scheduled' or state == 'running' or state == 'succeeded' or known[3] then
            newer = id
        end
    end
    return before or nil, newer
end
