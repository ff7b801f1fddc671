-- Every key there is. <x> stands for the argument of the builder; the namespace
-- with its hash tag comes before it: key.job('{hookme}', id) is
-- '{hookme}:job:' .. id. The program and the test for left-overs read this list.
local KEYS_BY_NAME = {
    job = 'job:<id>', --                 hash    the record of a job
    scheduled = 'scheduled:<lane>', --   zset    id -> due_ms
    running = 'running', --              zset    id -> lease_until_ms; its size is the global counter
    lock = 'lock:<scope>', --            string  id of the one live job of the scope
    ended = '<state>', --                zset    id -> ended_ms, for succeeded, dead and cancelled
    report = 'report:<id>', --           string  the report's bytes, compressed
    history = 'history:<id>', --         list    what happened to a job, oldest first
    settings = 'settings', --            hash    limits and pause, for whoever wants to change them
    stats = 'stats', --                  hash    counters
    workers = 'workers', --              zset    worker -> when its presence ends, ms
    worker = 'worker:<id>', --           hash    what a worker says of itself, and its last claim
    wake = 'wake', --                    list    hints that something is due sooner
    idempotency = 'idempotency:<hash>', -- string  id and body hash, with a TTL
    starts = 'starts', --                zset    job and attempt -> when it started, ms
    preflight = 'preflight:<id>', --     any     scratch, with a TTL
}

-- The lanes: one for each stage that a job can wait for.
local LANES = { 'fetch', 'deliver' }

local key = {}
for name, pattern in pairs(KEYS_BY_NAME) do
    local fixed = ':' .. string.match(pattern, '^[^<]*')
    if string.find(pattern, '<', 1, true) then
        key[name] = function(ns, argument) return ns .. fixed .. argument end
    else
        key[name] = function(ns) return ns .. fixed end
    end
end
