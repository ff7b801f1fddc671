-- keep: stores a report with the stage that follows it, so that a webhook that
-- fails costs no second fetch; or how far a fetch has come, so that it can go on.
--
-- Moves    running -> running
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence  3 the stage that comes next  4 the bytes
--          5 the most bytes that all reports together may take
--          6 1 if a new body was made, 0 for a fetch that is to go on
--          7 the lists in it that were cut, with commas between
-- Returns  {'ok', number of the body}, {'full'}, {'stale'} or {'gone'}
-- Cost     O(bytes)
-- Repeat   the same answer: one claim makes one body
--
-- One script, because the bytes and the number that they are sent under must
-- agree. Not allowed when memory is full: the caller then advances without.
register('keep', {}, function(keys, args)
    local ns, id = keys[1], args[1]
    local code, job = read_claim(ns, id, args[2], SETTLE_FIELDS)
    if code ~= 'ok' then return { code == 'gone' and 'gone' or 'stale' } end
    local bytes, before = #args[4], tonumber(mend(job).report_bytes or 0)
    -- Reads the sum, and shows that it can be changed.
    local total = add_up(ns, 'report_bytes', 0)
    if total - before + bytes > tonumber(args[5]) then return { 'full' } end

    redis.call('HSET', key.job(ns, id), 'report_bytes', bytes)
    add_up(ns, 'report_bytes', bytes - before)
    -- A fetch that goes on is as old as its first page.
    redis.call(args[6] == '1' and 'HSET' or 'HSETNX', key.job(ns, id), 'report_ms', now(ns))
    redis.call('SET', key.report(ns, id), args[4])
    return { 'ok', step(ns, job, args[2], args[3], args[6] == '1', args[7] or '') }
end)
