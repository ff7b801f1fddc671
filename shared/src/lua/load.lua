-- load: reads what is kept beside a job, for the claim that holds it.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 id  2 fence  3 what: report or evaluation
-- Returns  {'ok', bytes}, {'none'}, {'stale'} or {'gone'}
-- Cost     O(bytes)
-- Repeat   the same
--
-- One script, because these bytes are sent right after: only the worker that
-- still holds the job may send them.
register('load', { 'no-writes', 'allow-oom' }, function(keys, args)
    local code = read_claim(keys[1], args[1], args[2], CLAIM_FIELDS)
    if code ~= 'ok' then return { code == 'gone' and 'gone' or 'stale' } end
    local bytes = look('GET', key[args[3]](keys[1], args[1]))
    return bytes and { 'ok', bytes } or { 'none' }
end)
