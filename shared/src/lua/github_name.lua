-- github_name: remembers the names that accounts show.
--
-- Moves    nothing of a job
-- Keys     1 the namespace with its hash tag
-- Args     1 host  2 account id  3 ms that it is believed  4 name, and so on
-- Returns  how many names are known
-- Cost     O(accounts)
-- Repeat   the same
--
-- One script, because the bound holds for all names together.

-- Names that are remembered; beyond, some give way, whichever they are.
local NAMES_MAX, NAMES_OUT = 100000, 1000

register('github_name', {}, function(keys, args)
    local names, at_ms = key.github_names(keys[1], args[1]), now(keys[1])
    local fields = {}
    for i = 2, #args, 3 do
        fields[#fields + 1], fields[#fields + 2] = args[i], digits(at_ms + args[i + 1]) .. ' ' .. args[i + 2]
    end
    put_many('HSET', names, fields, 2)
    redis.call('PEXPIRE', names, NAMES_MS)
    while look('HLEN', names) > NAMES_MAX do
        put_many('HDEL', names, look('HRANDFIELD', names, NAMES_OUT), 1)
    end
    return look('HLEN', names)
end)
