-- preflight: says which rights the calling user lacks for what a program does, so
-- that one is missed at the start and not half-way through a transition.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 program  api or worker
-- Returns  what is missing, in the words of ACL SETUSER; empty if nothing is
-- Cost     O(commands + kinds of keys)
-- Repeat   the same
--
-- Redis is asked and nothing is tried, so nothing is written. The call itself
-- proves the right to the namespace's own key, on which each command is asked for.

-- The commands of the functions that each program calls, and those that it sends
-- itself. A test holds this list to the functions, and deploy/redis/users.acl to it.
local RIGHTS = {
    both = 'DEL GET HDEL HGET HGETALL HINCRBY HMGET HSET INFO LLEN LTRIM MGET PEXPIRE RPUSH SET TIME'
        .. ' ZADD ZCARD ZCOUNT ZRANGE ZREM ZREMRANGEBYRANK ZSCORE',
    api = 'LRANGE ZRANK',
    worker = 'BLPOP HLEN HRANDFIELD HSETNX LPUSH ZREMRANGEBYSCORE ZSCAN',
}

register('preflight', { 'no-writes', 'allow-oom' }, function(keys, args)
    local ns, missing = keys[1], {}
    for command in string.gmatch(RIGHTS.both .. ' ' .. RIGHTS[args[1]], '%u+') do
        if not may(command, ns) then missing[#missing + 1] = '+' .. string.lower(command) end
    end
    local reads, writes = may('GET', ns), may('SET', ns)
    for _, build in pairs(key) do
        local at = build(ns, '')
        if (reads and not may('GET', at)) or (writes and not may('SET', at)) then
            missing[#missing + 1] = '~' .. ns .. ':*'
            break
        end
    end
    return missing
end)
