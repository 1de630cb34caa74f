-- One step of one circuit, after the rules of providers/engine/circuits.py.
-- KEYS: the circuit, the index of circuits.
-- ARGV: operation (admit, report, look, reset, adopt), member of the index, limits as JSON,
--       now in ms or empty for the server's clock, then what the operation needs.
-- Answers JSON: the state, what became of an admission, and the word before where it turned.
local operation, member, limits = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local now = tonumber(ARGV[4])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local SLOTS, DAY = 10, 86400000

local known = redis.call('GET', KEYS[1])
local state
if known then
  state = cjson.decode(known)
else
  -- An epoch that no earlier life of this key can have had.
  state = {word = 'closed', epoch = now, failures = 0, probes = 0, successes = 0, again = 0,
           since = now, until_ms = 0, opened = 0, cause = 'reset', decided = {0, 0, 0}, slots = {}}
end
local before

local function slot() return math.floor(now * SLOTS / limits.window) end

local function counted()
  local failed, total, here = 0, 0, slot()
  for at, both in pairs(state.slots) do
    local place = tonumber(at)
    if here - SLOTS < place and place <= here then
      total, failed = total + both[1], failed + both[2]
    end
  end
  return {state.failures, failed, total}
end

local function count(failed)
  local here, kept = slot(), {}
  for at, both in pairs(state.slots) do
    local place = tonumber(at)
    if here - SLOTS < place and place <= here then kept[at] = both end
  end
  local name = string.format('%.0f', here)
  local both = kept[name] or {0, 0}
  kept[name] = {both[1] + 1, both[2] + failed}
  state.slots = kept
end

local function become(word, cause)
  before, state.word, state.cause, state.since = state.word, word, cause, now
  state.epoch = state.epoch + 1
  state.failures, state.probes, state.successes, state.slots = 0, 0, 0, {}
  if word == 'closed' then state.opened = 0 end
end

local function rest(luck)
  local longest = math.max(limits.longest_rest, limits.rest)
  if state.again == 0 then return limits.rest end
  local doubled = limits.rest * 2 ^ math.min(state.again, 16)
  return math.floor(math.min(doubled, longest) * (0.5 + luck / 2))
end

local function open(cause, rest_ms)
  state.decided, state.until_ms, state.opened = counted(), now + rest_ms, now
  become('open', cause)
end

local function admit()
  if state.word == 'open' and now >= state.until_ms then become('half-open', 'rested') end
  if state.word == 'open' then return false end
  if state.word == 'half-open' then
    if state.probes >= limits.probes then
      if now - state.since < limits.probe then return false end
      state.probes, state.since = 0, now
    end
    state.probes = state.probes + 1
  end
  return true
end

local function succeeded()
  state.failures = 0
  count(0)
  if state.word == 'half-open' then
    state.successes = state.successes + 1
    if state.successes >= limits.successes then
      state.again = 0
      become('closed', 'proved')
    end
  end
end

local function failed(luck)
  state.failures = state.failures + 1
  count(1)
  local seen, cause = counted(), nil
  if state.word == 'half-open' then cause = 'probe'
  elseif state.failures >= limits.threshold then cause = 'row'
  elseif seen[3] >= limits.volume and seen[2] >= limits.error_rate * seen[3] then cause = 'rate'
  end
  if cause then
    state.again = cause == 'probe' and state.again + 1 or 0
    open(cause, rest(luck))
  end
end

local permitted = false
if operation == 'admit' then
  permitted = admit()
elseif operation == 'report' then
  local epoch, outcome, luck = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7])
  if epoch == state.epoch then
    if outcome == 'ok' then succeeded()
    elseif outcome == 'failed' then failed(luck)
    elseif state.word == 'half-open' then state.probes = math.max(state.probes - 1, 0)
    end
  end
elseif operation == 'reset' then
  state.again, state.decided = 0, {0, 0, 0}
  become('closed', 'reset')
elseif operation == 'adopt' and state.word == 'closed' then
  -- What a process found out while this server was away.
  state.again = tonumber(ARGV[6])
  open(ARGV[7], tonumber(ARGV[5]))
  state.decided = cjson.decode(ARGV[8])
end

if operation ~= 'look' then
  local life = 2 * (limits.longest_rest + limits.rest + limits.window + limits.probe)
  redis.call('SET', KEYS[1], cjson.encode(state), 'PX', math.floor(life))
  redis.call('ZADD', KEYS[2], now, member)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - DAY)
  redis.call('PEXPIRE', KEYS[2], 2 * DAY)
end
local word = state.word
if word == 'open' and now >= state.until_ms then word = 'half-open' end
return cjson.encode({
  permitted = permitted, word = word, before = before, epoch = state.epoch,
  rest = math.max(state.until_ms - now, 0), opened = state.opened, again = state.again,
  cause = state.cause, probes = state.probes, successes = state.successes,
  counted = word == 'closed' and counted() or state.decided,
})
