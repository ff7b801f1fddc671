-- destination_enable: lets results go again to a place that wanted no more.
--
-- Moves    nothing of a job; what was buried can be revived
-- Keys     1 the namespace with its hash tag
-- Args     1 destination  its id
-- Returns  ok, enabled (it is not disabled) or unknown
-- Cost     O(1)
-- Repeat   answers that it is enabled
--
-- One script, so that it is not forgotten between the look and the change.
register('destination_enable', { 'allow-oom' }, function(keys, args)
    local at = key.destination(keys[1], args[1])
    if not look('HGET', at, 'url') then return 'unknown' end
    local was_disabled = put('HDEL', at, 'disabled_ms', 'reason') > 0
    return was_disabled and 'ok' or 'enabled'
end)
