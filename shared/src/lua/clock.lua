-- The clock: Redis's own, in ms since the Unix epoch. No client's clock takes
-- part in anything that is written here.
local function now(_)
    local time = redis.call('TIME')
    return time[1] * 1000 + math.floor(time[2] / 1000)
end
