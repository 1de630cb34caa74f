-- Buckets and places, after the rules of providers/engine/buckets.py; all of a wish or nothing.
-- KEYS: the buckets, then the places.
-- ARGV: operation (take, put, release), JSON {draws, leases, wait_s, now}; now in seconds or null.
-- Answers JSON: `short` counts KEYS from 1, 0 where everything was taken; the wait; the levels.
local operation, wish = ARGV[1], cjson.decode(ARGV[2])
local now = wish.now
if now == cjson.null then
  local time = redis.call('TIME')
  now = time[1] + time[2] / 1000000
end
local draws, leases = wish.draws, wish.leases

local function level(place, draw)
  local known = redis.call('HMGET', KEYS[place], 'level', 'at')
  if not known[1] then return draw.burst end
  return math.min(known[1] + math.max(now - known[2], 0) * draw.rate, draw.burst)
end

local function write(place, draw, value)
  redis.call('HSET', KEYS[place], 'level', string.format('%.17g', value),
    'at', string.format('%.17g', now))
  -- A bucket that is full again need not be kept.
  redis.call('PEXPIRE', KEYS[place], math.ceil((draw.burst - value) / draw.rate * 1000) + 1000)
end

local function take()
  for place, lease in ipairs(leases) do
    local key = KEYS[#draws + place]
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
    if redis.call('ZCARD', key) >= lease.most then
      return {short = #draws + place, levels = {}}
    end
  end
  local levels, longest, short = {}, 0, 0
  for place, draw in ipairs(draws) do
    levels[place] = level(place, draw)
    local wait = (draw.amount - levels[place]) / draw.rate
    if wait > longest then longest, short = wait, place end
  end
  if longest > wish.wait_s then return {short = short, wait = longest, levels = levels} end
  for place, draw in ipairs(draws) do
    levels[place] = levels[place] - draw.amount
    write(place, draw, levels[place])
  end
  for place, lease in ipairs(leases) do
    local key = KEYS[#draws + place]
    redis.call('ZADD', key, now + lease.ttl_s, lease.holder)
    redis.call('PEXPIRE', key, math.ceil(lease.ttl_s * 1000) + 1000)
  end
  return {short = 0, wait = longest, levels = levels}
end

if operation == 'take' then return cjson.encode(take()) end
for place, draw in ipairs(draws) do
  write(place, draw, math.min(level(place, draw) + draw.amount, draw.burst))
end
for place, lease in ipairs(leases) do redis.call('ZREM', KEYS[#draws + place], lease.holder) end
return cjson.encode({short = 0, wait = 0, levels = {}})
