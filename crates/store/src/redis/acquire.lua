-- Takes out of every budget what is asked, or out of none: one step of palisade_core::port::counter::Algorithm for each
-- key. What is answered to the caller is computed by the caller, with the same arithmetic, from what was kept.
--
-- ARGV[1]        the moment in milliseconds, or an empty text for this server's
-- then, for each key, eight texts: "g" or "w", the window in milliseconds, the burst, the cost; and for "g" the window and
-- the increment in nanoseconds, each as milliseconds and the rest below one.
--
-- Numbers are floating-point here, and exact up to 2^53: nanoseconds since 1970 are kept as two numbers.

local MILLISECOND = 1000000
-- How long what is over is kept, in milliseconds: so far the clock can be set back and nothing is granted twice.
local MARGIN = 60000

local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- ceil(count * part / whole), eleven bits of the count at a time.
local function share_up(count, part, whole)
  local quotient, rest = 0, 0
  for _, place in ipairs({ 4194304, 2048, 1 }) do
    local digit = math.floor(count / place)
    count = count - digit * place
    local product = rest * 2048 + digit * part
    local whole_times = math.floor(product / whole)
    quotient = quotient * 2048 + whole_times
    rest = product - whole_times * whole
  end
  if rest > 0 then
    quotient = quotient + 1
  end
  return quotient
end

-- The generic cell rate algorithm: a and b are when the budget is full again.
local function gcra(kept, ask)
  local a, b = now, 0
  if kept then
    a, b = kept[1], kept[2]
    if a < now then
      a, b = now, 0
    elseif a > now + ask.window or (a == now + ask.window and b > ask.window_rest) then
      a, b = now + ask.window, ask.window_rest
    end
  end
  local used, used_rest = a - now + ask.increment, b + ask.increment_rest
  if used_rest >= MILLISECOND then
    used, used_rest = used + 1, used_rest - MILLISECOND
  end
  local refused = used > ask.window or (used == ask.window and used_rest > ask.window_rest)
  return not refused, { a, b, 0 }, { now + used, used_rest, 0 }
end

-- The sliding window: its beginning, what the window before has used, and what this one has.
local function sliding_window(kept, ask)
  local passed = math.fmod(now, ask.per)
  local start, previous, current = now - passed, 0, 0
  if kept then
    if kept[1] == start then
      previous, current = kept[2], kept[3]
    elseif kept[1] + ask.per == start then
      previous = kept[3]
    elseif kept[1] > start then
      current = math.min(kept[2] + kept[3], ask.burst)
    end
  end
  local used = current + share_up(previous, ask.per - passed, ask.per)
  local before = { start, previous, current }
  return used + ask.cost <= ask.burst, before, { start, previous, current + ask.cost }
end

local all = true
local reply = { '', string.format('%.0f', now) }
local steps = {}
for i, key in ipairs(KEYS) do
  local at = 2 + (i - 1) * 8
  local ask = {
    gcra = ARGV[at] == 'g',
    per = tonumber(ARGV[at + 1]),
    burst = tonumber(ARGV[at + 2]),
    cost = tonumber(ARGV[at + 3]),
    window = tonumber(ARGV[at + 4]),
    window_rest = tonumber(ARGV[at + 5]),
    increment = tonumber(ARGV[at + 6]),
    increment_rest = tonumber(ARGV[at + 7]),
  }
  local text = redis.call('GET', key)
  local kept
  if text then
    local a, b, c = string.match(text, '^(%d+) (%d+) (%d+)$')
    if not a then
      return redis.error_reply('DAMAGED a record that is not a tally')
    end
    kept = { tonumber(a), tonumber(b), tonumber(c) }
  end
  local granted, before, after
  if ask.gcra then
    granted, before, after = gcra(kept, ask)
  else
    granted, before, after = sliding_window(kept, ask)
  end
  all = all and granted
  steps[i] = { ask = ask, text = text, granted = granted, before = before, after = after }
  reply[i + 2] = text or ''
end

for i, key in ipairs(KEYS) do
  local step = steps[i]
  local next
  if all then
    next = step.after
  elseif step.text and not step.granted then
    -- A clock that was set back is corrected, once.
    next = step.before
  end
  if next then
    local text = string.format('%.0f %.0f %.0f', next[1], next[2], next[3])
    -- A refusal leaves the state as it is, so a flood of refused requests writes nothing.
    if text ~= step.text then
      local over_at = step.ask.gcra and next[1] + 1 or next[1] + 2 * step.ask.per
      redis.call('SET', key, text, 'PX', string.format('%.0f', math.max(over_at - now, 0) + MARGIN))
    end
  end
end

reply[1] = all and 'granted' or 'refused'
return reply
