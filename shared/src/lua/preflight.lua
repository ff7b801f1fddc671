-- preflight: runs, on a scratch key, each command that the functions use, so
-- that a missing right is found at the start and not half-way through a
-- transition.
--
-- Moves    nothing
-- Keys     1 the namespace with its hash tag
-- Args     1 a random id for the scratch keys
-- Returns  OK
-- Cost     O(1)
-- Repeat   the same
--
-- The keys have a TTL, in case the last command is the one that is missing.
register('preflight', { 'allow-oom' }, function(keys, args)
    local at = key.preflight(keys[1], args[1])
    now(keys[1])
    redis.call('SET', at, '1', 'PX', 1000)
    redis.call('GET', at)
    redis.call('MGET', at)
    redis.call('DEL', at)
    redis.call('HSET', at, 'field', '1')
    redis.call('PEXPIRE', at, 1000)
    redis.call('HGET', at, 'field')
    redis.call('HMGET', at, 'field')
    redis.call('HGETALL', at)
    redis.call('HSETNX', at, 'field', '1')
    redis.call('HLEN', at)
    redis.call('HRANDFIELD', at, 1)
    redis.call('HINCRBY', at, 'field', 1)
    redis.call('HDEL', at, 'field')
    redis.call('ZADD', at, 1, 'member')
    redis.call('PEXPIRE', at, 1000)
    redis.call('ZCARD', at)
    redis.call('ZCOUNT', at, 0, 1)
    redis.call('ZRANK', at, 'member')
    redis.call('ZSCORE', at, 'member')
    redis.call('ZRANGE', at, 0, 0)
    redis.call('ZSCAN', at, '0')
    redis.call('ZREMRANGEBYSCORE', at, 5, 6)
    redis.call('ZREMRANGEBYRANK', at, 5, 6)
    redis.call('ZREM', at, 'member')
    redis.call('RPUSH', at, 'element')
    redis.call('PEXPIRE', at, 1000)
    redis.call('LLEN', at)
    redis.call('LRANGE', at, 0, 0)
    redis.call('LTRIM', at, 0, 0)
    redis.call('DEL', at)
    return redis.status_reply('OK')
end)
