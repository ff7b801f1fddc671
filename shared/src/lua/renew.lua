-- renew: says that a worker lives, and gives its leases another term.
--
-- Moves    running -> running
-- Keys     1 the namespace with its hash tag
-- Args     1 worker    its id
--          2 lease     ms
--          3 presence  ms until it counts as gone
--          4 fields    how many arguments of what it says of itself follow
--          5 ... field, value, ...   then id, fence, and so on for each job
-- Returns  a word for each job: kept, cancel (kept, but a client wants it
--          cancelled), lost
-- Cost     O(jobs * log of the running set)
-- Repeat   renews again
--
-- One script, because a lease must not be given to one who has lost it.
register('renew', { 'allow-oom' }, function(keys, args)
    local ns, worker, fields = keys[1], args[1], tonumber(args[4])
    local at_ms = now(ns)
    local codes, leases = {}, {}
    for i = 5 + fields, #args, 2 do
        local job = look('HMGET', key.job(ns, args[i]), 'state', 'fence', 'cancel_requested') or {}
        if job[1] == 'running' and job[2] == args[i + 1] then
            leases[#leases + 1], leases[#leases + 2] = at_ms + args[2], args[i]
            codes[#codes + 1] = job[3] and 'cancel' or 'kept'
        else
            codes[#codes + 1] = 'lost'
        end
    end
    call_many('ZADD', key.running(ns), leases, 2)
    put('ZREMRANGEBYSCORE', key.workers(ns), '-inf', at_ms)
    put('ZADD', key.workers(ns), at_ms + args[3], worker)
    put_many('HSET', key.worker(ns, worker), { unpack(args, 5, 4 + fields) }, 2)
    redis.call('PEXPIRE', key.worker(ns, worker), 4 * args[2])
    return codes
end)
