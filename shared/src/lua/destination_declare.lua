-- destination_declare: says where the operator's webhook is. Another URL than before is
-- another place, which nobody has refused.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 destination  its id  2 url  without its query  3 origin  a hash of it
-- Returns  enabled, or why nothing may be sent there
-- Cost     O(1)
-- Repeat   the same
--
-- One script, so that a refusal of the new URL is not forgotten with that of the old.
register('destination_declare', { 'allow-oom' }, function(keys, args)
    local ns, at = keys[1], key.destination(keys[1], args[1])
    if look('HGET', at, 'url') ~= args[2] then put('HDEL', at, 'disabled_ms', 'reason') end
    note_destination(ns, args[1], args[2], args[3], now(ns))
    return why_disabled(ns, args[1]) or 'enabled'
end)
