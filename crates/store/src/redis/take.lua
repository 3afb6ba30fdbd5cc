-- Uses a key up: answers 1 if it was unused, or its time is over, and 0 if it was used.
--
-- ARGV[1]  the moment in milliseconds, or an empty text for this server's
-- ARGV[2]  for how many milliseconds the key is remembered

-- How much longer the record itself stays, so that this server's own expiry, by its own clock, is never the earlier one.
local MARGIN = 60000

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local ttl = tonumber(ARGV[2])
local text = redis.call('GET', KEYS[1])
if text then
  local until_ = tonumber(text)
  if not until_ then
    return redis.error_reply('DAMAGED a record that is not a moment')
  end
  if until_ > now then
    return 0
  end
end
redis.call('SET', KEYS[1], string.format('%.0f', now + ttl), 'PX', string.format('%.0f', ttl + MARGIN))
return 1
