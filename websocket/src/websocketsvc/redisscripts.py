"""The steps of a room in Redis, each a script that is done whole and alone (EVAL). Redis 6 or newer, not a cluster.

Names begin with NAMES, which is the prefix and the mount's path, such as `portico:/ws/rooms`:

    NAMES:ROOM:meta      hash: epoch, turn, seq, gone, bytes
    NAMES:ROOM:log       stream: what is kept; the entry N-0 is message N, k its key, m its body
    NAMES:ROOM:keys      hash: number by key
    NAMES:ROOM:members   hash: `TOKEN FACTS` by member
    NAMES:ROOM           channel: the feed, `EPOCH TURN KIND …`
    NAMES:rooms          sorted set: rooms by the second at which they are forgotten
    NAMES:alive:REPLICA  is there while the replica is; the channel of the same name tells the replica that the feed works

Each script is given NAMES and the room as KEYS.
"""

__all__ = ["BEAT", "JOIN", "LEAVE", "OPEN", "PUBLISH", "RENEW", "SWEEP"]

_HEAD = """
local names, room = KEYS[1], KEYS[2]
local base = names .. ':' .. room
local meta, log, keys, members, rooms = base .. ':meta', base .. ':log', base .. ':keys', base .. ':members', names .. ':rooms'
local function now() return tonumber(redis.call('TIME')[1]) end
local function touch(keep)
  for _, key in ipairs({meta, log, keys, members}) do redis.call('EXPIRE', key, keep) end
  redis.call('ZADD', rooms, now() + keep, room)
end
local function told(text)
  local turn = redis.call('HINCRBY', meta, 'turn', 1)
  redis.call('PUBLISH', base, redis.call('HGET', meta, 'epoch') .. ' ' .. string.format('%d', turn) .. ' ' .. text)
end
local function bury()
  local found = redis.call('HGETALL', members)
  for at = 1, #found, 2 do
    local token = string.match(found[at + 1], '^[^ ]+')
    if redis.call('EXISTS', names .. ':alive:' .. string.match(token, '^[^.]+')) == 0 then
      redis.call('HDEL', members, found[at])
      told('left ' .. found[at] .. ' ' .. token)
    end
  end
end
local function another(epoch) return redis.call('HGET', meta, 'epoch') ~= epoch end
"""

OPEN = (
    _HEAD
    + """
local epoch, since, most, keep = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
if redis.call('HEXISTS', meta, 'epoch') == 0 then
  redis.call('ZREMRANGEBYSCORE', rooms, '-inf', now())
  if not redis.call('ZSCORE', rooms, room) and redis.call('ZCARD', rooms) >= most then
    return redis.error_reply('REFUSED most')
  end
  redis.call('DEL', log, keys, members)
  redis.call('HSET', meta, 'epoch', epoch, 'turn', 0, 'seq', 0, 'gone', 0, 'bytes', 0)
end
touch(keep)
bury()
return {redis.call('HMGET', meta, 'epoch', 'turn', 'seq', 'gone'), redis.call('XRANGE', log, since .. '-0', '+'),
        redis.call('HGETALL', members)}
"""
)
"""EPOCH SINCE MOST KEEP: the room as it is, made with that epoch where there is none."""

PUBLISH = (
    _HEAD
    + """
local epoch, key, body, history, most, keep = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
if another(epoch) then return redis.error_reply('REFUSED another') end
local known = redis.call('HGET', keys, key)
if known then return tonumber(known) end
local seq = redis.call('HINCRBY', meta, 'seq', 1)
local number = string.format('%d', seq)
redis.call('XADD', log, number .. '-0', 'k', key, 'm', body)
redis.call('HSET', keys, key, number)
local bytes, count = redis.call('HINCRBY', meta, 'bytes', #body), redis.call('XLEN', log)
while count > history or (bytes > most and count > 1) do
  local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
  redis.call('XDEL', log, oldest[1])
  redis.call('HDEL', keys, oldest[2][2])
  bytes, count = redis.call('HINCRBY', meta, 'bytes', -#oldest[2][4]), count - 1
  redis.call('HSET', meta, 'gone', (string.gsub(oldest[1], '-0$', '')))
end
touch(keep)
told('said ' .. number .. ' ' .. key .. ' ' .. body)
return seq
"""
)
"""EPOCH KEY BODY HISTORY HISTORY_BYTES KEEP: its number."""

JOIN = (
    _HEAD
    + """
local epoch, member, token, facts, most, keep = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5]), ARGV[6]
if another(epoch) then return redis.error_reply('REFUSED another') end
local value = token .. ' ' .. facts
local before = redis.call('HGET', members, member)
if before == value then return 1 end
if not before and redis.call('HLEN', members) >= most then return redis.error_reply('REFUSED full') end
redis.call('HSET', members, member, value)
touch(keep)
told('came ' .. member .. ' ' .. value)
return 1
"""
)
"""EPOCH MEMBER TOKEN FACTS MOST KEEP."""

LEAVE = (
    _HEAD
    + """
local member, token = ARGV[1], ARGV[2]
local before = redis.call('HGET', members, member)
if before and string.match(before, '^[^ ]+') == token then
  redis.call('HDEL', members, member)
  told('left ' .. member .. ' ' .. token)
end
return 1
"""
)
"""MEMBER TOKEN."""

RENEW = (
    _HEAD
    + """
if another(ARGV[1]) then return 0 end
told('anew')
redis.call('HSET', meta, 'epoch', ARGV[2])
redis.call('DEL', members)
return 1
"""
)
"""EPOCH NEW_EPOCH. What is kept stays, as it was said; those who come back get it again."""

SWEEP = (
    _HEAD
    + """
if redis.call('HEXISTS', meta, 'epoch') == 0 then return 0 end
touch(ARGV[1])
bury()
return 1
"""
)
"""KEEP: the room is not forgotten, members of dead replicas are."""

BEAT = """
local name = KEYS[1] .. ':alive:' .. KEYS[2]
redis.call('SET', name, 1, 'EX', ARGV[1])
redis.call('PUBLISH', name, 'beat')
return 1
"""
"""Here the second key is the replica. SECONDS."""
