-- advance: notes that a claim came one stage on.
--
-- Moves    running -> running
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence  3 the stage that comes next
--          4 1 if a new body was made for this job, else 0
--          5 its lists that were cut, with commas between; may be left out
-- Returns  {'ok', number of the body}, {'stale'} or {'gone'}
-- Cost     O(1)
-- Repeat   the same answer: one claim makes one body
--
-- One script, because the fence must hold when the stage is written.
register('advance', { 'allow-oom' }, function(keys, args)
    local code, job = read_claim(keys[1], args[1], args[2], SETTLE_FIELDS)
    if code ~= 'ok' then return { code == 'gone' and 'gone' or 'stale' } end
    -- What was kept of the way to this body is of no use any more.
    if args[4] == '1' then drop_reports(keys[1], { job }) end
    return { 'ok', step(keys[1], job, args[2], args[3], args[4] == '1', args[5] or '') }
end)
