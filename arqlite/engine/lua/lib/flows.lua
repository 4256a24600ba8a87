-- A workflow is a hash, `wf:<id>`. Of itself it tells `name`, `state`, `at` and `ended` (ms since 1970), `keep`
-- (ms, -1 for ever), `total`, `open` (steps that have not ended), `failed`, `cancelled` and `gives` (JSON: a step, or a list of
-- such, whose results are its own; '' if that is not clear). Of step n it tells
-- `p:n` its plan (see model/flowcode.py), `s:n` its state, `n:n` how many others it waits for, `t:n` what its
-- job is made of, if it is not in `jobs` as it shall run, and `r:n` a letter and the end, if that is needed.
-- `b:n` is a body that came before all steps were stored, and `early` names those steps.
-- States of steps: W waits for others, L may run or runs, S F C ended as in a body; of compensations also
-- H not asked for. `undo:<id>` lists the steps that can be taken back, in the order they ended.
-- `steps` tells of a job which step it is; `flows` when a workflow was stored, `over` when it may be forgotten.
-- Needs score, announce and wake.
local PLAN = '^([^\n]*)\n(%d+)\n(%d+)\n(%d+)\n(%a*)\n(%d*)\n([%d,]*)\n([^\n]*)\n'
local NOTHING_TRIED = '0:0:0:0:0:0:0'
-- The same of a job that was let run again at a moment, see model/memory.py.
local REVIVED = '0:0:0:0:0:0:0:%.0f:0'
local GOING_ON = {running = true, compensating = true}

-- One function that makes the others: a script that meets no workflow pays for one.
local function moves_of_flows(base, jobs, wait, channel, now)
  local moves = {}
  local susp, ready, sched, wake = base .. 'susp', base .. 'ready', base .. 'sched', base .. 'wake'
  local steps, flows, over = base .. 'steps', base .. 'flows', base .. 'over'

  local function flow_of(wid) return base .. 'wf:' .. wid end

  local function undo_of(wid) return base .. 'undo:' .. wid end

  moves.state = function(wid) return redis.call('HGET', flow_of(wid), 'state') or '' end

  local function read_plan(n, plan)
    local id, priority, delay, at, flags, undo, dependents, name = string.match(plan or '', PLAN)
    return id and {
      n = n, id = id, priority = tonumber(priority), delay = tonumber(delay), at = tonumber(at), flags = flags,
      undo = undo, dependents = dependents, name = name,
    }
  end

  -- Many may wait for one, and many take what one gave: each is read once.
  local plans, results = {}, {}

  local function step_of(flow, n)
    local known = plans[flow] or {}
    plans[flow] = known
    known[n] = known[n] or read_plan(n, redis.call('HGET', flow, 'p:' .. n))
    return known[n]
  end

  local function has(step, flag) return string.find(step.flags, flag, 1, true) ~= nil end

  -- What a step gave, as it is put into the job of another one; nothing comes of one that did not end well.
  local function result_of(flow, kind, n)
    local kept = redis.call('HGET', flow, 'r:' .. n)
    local is_there = kept and string.sub(kept, 1, 1) == 'S'
    if kind == 'E' then
      return is_there and string.format('%08x', #kept - 1) .. string.sub(kept, 2) or '00000000'
    end
    local _, before = string.find(kept or '', '"r":', 1, true)
    return is_there and before and string.sub(kept, before + 1, -2) or 'null'
  end

  local function job_made_of(flow, template)
    local head_end = string.find(template, '\n', 1, true)
    local cursor, parts = head_end + 1, {}
    local known = results[flow] or {}
    results[flow] = known
    for kind, number in string.gmatch(string.sub(template, 1, head_end - 1), '(%u)(%d+)') do
      if kind == 'L' then
        parts[#parts + 1] = string.sub(template, cursor, cursor + tonumber(number) - 1)
        cursor = cursor + tonumber(number)
      else
        known[kind .. number] = known[kind .. number] or result_of(flow, kind, number)
        parts[#parts + 1] = known[kind .. number]
      end
    end
    return table.concat(parts)
  end

  local function is_live(id) return string.sub(redis.call('HGET', jobs, id) or '', 1, 1) == 'Q' end

  local function template_of(record) return string.format('L%d\n', #record) .. record end

  -- A job is to live again. The ledger knows its end, and would take it for one that an old copy of Redis brought back.
  local function mark_revived(id)
    if redis.call('EXISTS', base .. 'marker') == 0 then return false end
    local ended = string.match(redis.call('HGET', jobs, id) or '', '"ft":(%d+)')
    redis.call('HSET', base .. 'tries', id, string.format(REVIVED, math.max(now, tonumber(ended or 0))))
    return true
  end

  -- Suspended, or a compensation that was not stored yet -> ready or scheduled.
  local function release(flow, step)
    redis.call('HSET', flow, 's:' .. step.n, 'L')
    -- Somebody may have let it run by hand.
    if redis.call('ZREM', susp, step.id) == 0 and not (has(step, 'c') and not is_live(step.id)) then return end
    local template, priority = redis.call('HGET', flow, 't:' .. step.n), step.priority
    if has(step, 'c') then mark_revived(step.id) end
    if template then
      local record = job_made_of(flow, template)
      redis.call('HSET', jobs, step.id, record)
      priority = priority_of(record)
    end
    local at = math.max(now + step.delay, step.at)
    if at <= now then
      redis.call('ZADD', ready, ready_score(priority, now), step.id)
    else
      local score = sched_score(priority, at)
      local head = redis.call('ZRANGE', sched, 0, 0, 'WITHSCORES')[2]
      redis.call('ZADD', sched, score, step.id)
      if head and tonumber(head) <= score then return end
    end
    leave_token(wake)
  end

  local function close(wid, flow, state)
    redis.call('HSET', flow, 'state', state, 'ended', string.format('%.0f', now))
    local keep = tonumber(redis.call('HGET', flow, 'keep'))
    if keep >= 0 then redis.call('ZADD', over, now + keep, wid) end
    announce(wait, channel, {wid}, {state == 'completed' and 'S' or 'F'})
  end

  -- Take back what is next, or end.
  local function compensate(wid, flow)
    local n = redis.call('RPOP', undo_of(wid))
    while n do
      local undo = step_of(flow, step_of(flow, n).undo)
      -- Somebody may have let it run by hand before its turn came again.
      if redis.call('HGET', flow, 's:' .. undo.n) ~= 'S' then return release(flow, undo) end
      n = redis.call('RPOP', undo_of(wid))
    end
    local is_undone = (redis.call('HGET', flow, 'again') or '') == ''
    close(wid, flow, is_undone and 'compensated' or 'compensation_failed')
  end

  -- All that can run has ended.
  local function conclude(wid, flow)
    local counts = redis.call('HMGET', flow, 'failed', 'cancelled')
    local undo = undo_of(wid)
    if counts[1] == '0' and counts[2] == '0' then
      redis.call('DEL', undo)
      close(wid, flow, 'completed')
    elseif redis.call('EXISTS', undo) == 1 then
      redis.call('HSET', flow, 'state', 'compensating')
      compensate(wid, flow)
    else
      close(wid, flow, counts[1] ~= '0' and 'failed' or 'cancelled')
    end
  end

  local function compensation_ended(wid, flow, step, letter, raw)
    redis.call('HSET', flow, 's:' .. step.n, letter, 'r:' .. step.n, letter .. raw)
    if letter ~= 'S' then
      local again = redis.call('HGET', flow, 'again') or ''
      redis.call('HSET', flow, 'again', again .. step.undo .. ',')
    end
    compensate(wid, flow)
  end

  -- Note the end of a step as far as its workflow needs it.
  local function keep_end(wid, flow, step, letter, raw, blob)
    local is_good = letter == 'S'
    if is_good and not has(step, 'k') then
      redis.call('HSET', flow, 's:' .. step.n, letter)
    else
      redis.call('HSET', flow, 's:' .. step.n, letter, 'r:' .. step.n, letter .. raw)
    end
    if step.undo ~= '' and is_good then redis.call('RPUSH', undo_of(wid), step.n) end
    -- Who retries the workflow makes the job of it again.
    if not is_good or step.undo ~= '' then
      local record = 'Q' .. string.char(step.priority) .. blob
      redis.call('HSETNX', flow, 't:' .. step.n, template_of(record))
    end
  end

  -- The end of a step that does not run, as a failure is written by model/codec.py; its job stands behind it.
  local function cancelled_end(reason)
    local moment = string.format('%.0f', now)
    local error = '{"type":"arqlite.errors.Cancel","message":' .. reason .. ',"args":[' .. reason .. ']}'
    return '{"s":false,"t":0,"st":' .. moment .. ',"ft":' .. moment .. ',"e":' .. error .. '}'
  end

  -- A step that waited is over without a run: what is to be done of it in `spread`, and its body. Nothing of one
  -- that somebody let run by hand: that one has its own end.
  local function swept(flow, step, reason)
    if redis.call('HGET', flow, 's:' .. step.n) ~= 'W' then return end
    if redis.call('ZREM', susp, step.id) == 0 then
      redis.call('HSET', flow, 's:' .. step.n, 'L')
      return
    end
    local raw = cancelled_end(reason)
    local blob = string.sub(redis.call('HGET', jobs, step.id) or '', 3)
    return {step = step, letter = 'C', raw = raw, blob = blob, reason = reason},
      'C' .. string.format('%08x', #raw) .. raw .. blob
  end

  -- Steps end; `todo` has per step the step, letter, end, job and, if others are to be told another one than
  -- its own end, the reason. Ids and bodies of those that end with them are added to `ids` and `bodies`: they
  -- are taken out, and still to be settled.
  local function spread(wid, flow, todo, ids, bodies)
    local is_over, less, counts = {}, {}, {S = 0, F = 0, C = 0}
    for _, ended in ipairs(todo) do is_over[ended.step.n] = true end
    local place = 1
    while todo[place] do
      local ended = todo[place]
      local step, is_good = ended.step, ended.letter == 'S'
      keep_end(wid, flow, step, ended.letter, ended.raw, ended.blob)
      counts[ended.letter] = counts[ended.letter] + 1
      for n in string.gmatch(step.dependents, '%d+') do
        if not is_over[n] then
          if is_good or has(step_of(flow, n), 'e') then
            less[n] = (less[n] or 0) + 1
          else
            is_over[n] = true
            local how = ended.letter == 'C' and 'was cancelled' or 'failed'
            local reason = ended.reason or cjson.encode("step '" .. step.name .. "' " .. how)
            local also, body = swept(flow, step_of(flow, n), reason)
            if also then
              todo[#todo + 1], ids[#ids + 1], bodies[#bodies + 1] = also, also.step.id, body
            end
          end
        end
      end
      place = place + 1
    end
    for n, count in pairs(less) do
      if not is_over[n] and redis.call('HINCRBY', flow, 'n:' .. n, -count) == 0 then
        if redis.call('HGET', flow, 's:' .. n) == 'W' then release(flow, step_of(flow, n)) end
      end
    end
    if counts.F > 0 then redis.call('HINCRBY', flow, 'failed', counts.F) end
    if counts.C > 0 then redis.call('HINCRBY', flow, 'cancelled', counts.C) end
    local open = redis.call('HINCRBY', flow, 'open', -#todo)
    if open == 0 and moves.state(wid) == 'running' then conclude(wid, flow) end
  end

  local function undone_alone(wid, flow, step)
    local again = ',' .. (redis.call('HGET', flow, 'again') or '')
    again = string.sub(string.gsub(again, ',' .. step.undo .. ',', ','), 2)
    redis.call('HSET', flow, 'again', again)
    if again == '' and moves.state(wid) == 'compensation_failed' then close(wid, flow, 'compensated') end
  end

  -- A step that somebody let run again by itself moves no other, but the workflow goes on from it if retried; with the
  -- last of them it is completed. The work of a compensation is done then as well.
  local function retried_alone(wid, flow, n, state, body)
    if string.sub(body, 1, 1) ~= 'S' then return end
    local step, size = step_of(flow, n), tonumber(string.sub(body, 2, 9), 16)
    redis.call('HSET', flow, 's:' .. n, 'S', 'r:' .. n, 'S' .. string.sub(body, 10, 9 + size))
    if has(step, 'c') then
      undone_alone(wid, flow, step)
    else
      redis.call('HINCRBY', flow, state == 'C' and 'cancelled' or 'failed', -1)
      if step.undo ~= '' then redis.call('RPUSH', undo_of(wid), n) end
      local counts = redis.call('HMGET', flow, 'failed', 'cancelled', 'open', 'state')
      local had_failed = counts[4] == 'failed' or counts[4] == 'cancelled'
      if had_failed and counts[1] == '0' and counts[2] == '0' and counts[3] == '0' then conclude(wid, flow) end
    end
  end

  local function ended_with(step, body)
    local size = tonumber(string.sub(body, 2, 9), 16) or 0
    local raw, blob = string.sub(body, 10, 9 + size), string.sub(body, 10 + size)
    return {step = step, letter = string.match(body, '^[SC]') or 'F', raw = raw, blob = blob}
  end

  -- Jobs have ended. Returns ids and bodies of those that end with them; see `spread`.
  moves.ended = function(job_ids, job_bodies)
    local ids, bodies, moved, todos = {}, {}, {}, {}
    for i, place in ipairs(redis.call('HMGET', steps, unpack(job_ids))) do
      local n, wid = string.match(place or '', '^(%d+):(.*)$')
      local flow = n and flow_of(wid)
      local state = n and redis.call('HGET', flow, 's:' .. n)
      if state == 'L' or state == 'W' then
        local step = step_of(flow, n)
        local ended = ended_with(step, job_bodies[i])
        if state == 'W' and moves.state(wid) == 'planting' then
          local early = redis.call('HGET', flow, 'early') or ''
          redis.call('HSET', flow, 'b:' .. n, job_bodies[i], 'early', early .. n .. ',')
        elseif has(step, 'c') then
          compensation_ended(wid, flow, step, ended.letter, ended.raw)
        else
          if not todos[wid] then
            moved[#moved + 1], todos[wid] = wid, {}
          end
          table.insert(todos[wid], ended)
        end
      elseif state == 'F' or state == 'C' then
        retried_alone(wid, flow, n, state, job_bodies[i])
      end
    end
    for _, wid in ipairs(moved) do spread(wid, flow_of(wid), todos[wid], ids, bodies) end
    return ids, bodies
  end

  -- Let the steps run that wait for nothing. Some may have ended before, as somebody cancelled or deleted them or let
  -- them run. Returns ids and bodies as `ended` does.
  moves.begin = function(wid, roots)
    local flow = flow_of(wid)
    local early = redis.call('HGET', flow, 'early') or ''
    local todo, is_over, ids, bodies = {}, {}, {}, {}
    redis.call('HSET', flow, 'state', 'running')
    redis.call('HDEL', flow, 'early')
    redis.call('ZREM', over, wid)
    for n in string.gmatch(early, '%d+') do
      local step, body = step_of(flow, n), redis.call('HGET', flow, 'b:' .. n)
      if body and not is_live(step.id) then
        is_over[n] = true
        todo[#todo + 1] = ended_with(step, body)
      end
      redis.call('HDEL', flow, 'b:' .. n)
    end
    for n in string.gmatch(roots, '%d+') do
      if not is_over[n] then release(flow, step_of(flow, n)) end
    end
    if #todo > 0 then spread(wid, flow, todo, ids, bodies) end
    return ids, bodies
  end

  -- Cancel the steps that wait for others. Returns ids and bodies, still to be settled, and the ids of the
  -- steps that may run or run.
  moves.cancel = function(wid)
    local flow = flow_of(wid)
    local todo, live, ids, bodies = {}, {}, {}, {}
    local reason = cjson.encode('its workflow was cancelled')
    for n = 1, tonumber(redis.call('HGET', flow, 'total')) do
      n = string.format('%d', n)
      local state = redis.call('HGET', flow, 's:' .. n)
      if state == 'L' then
        live[#live + 1] = step_of(flow, n).id
      elseif state == 'W' then
        local step = step_of(flow, n)
        local also, body = swept(flow, step, reason)
        if also then
          todo[#todo + 1], ids[#ids + 1], bodies[#bodies + 1] = also, step.id, body
        else
          live[#live + 1] = step.id
        end
      end
    end
    if #todo > 0 then spread(wid, flow, todo, ids, bodies) end
    return ids, bodies, live
  end

  -- The errors of a job that lives again are its own while it does; who ends it finds them by its tries.
  local function keep_troubles(id, is_marked)
    if redis.call('EXISTS', base .. 'err:' .. id) == 0 then return end
    redis.call('PERSIST', base .. 'err:' .. id)
    if not is_marked then redis.call('HSET', base .. 'tries', id, NOTHING_TRIED) end
  end

  -- Steps that did not end well, or whose work was taken back, live again. Returns how many.
  moves.retry = function(wid)
    local flow = flow_of(wid)
    local total = tonumber(redis.call('HGET', flow, 'total'))
    local anew, left, waiting, count = {}, {}, {}, 0
    for n = 1, total do
      n = string.format('%d', n)
      local state = redis.call('HGET', flow, 's:' .. n)
      local step = step_of(flow, n)
      local undo = step.undo ~= '' and redis.call('HGET', flow, 's:' .. step.undo)
      if state == 'F' or state == 'C' or state == 'S' and undo == 'S' then
        anew[n] = step
        count = count + 1
        left[n] = left[n] or 0
        if undo then redis.call('HSET', flow, 's:' .. step.undo, 'H') end
        if state ~= 'S' then redis.call('HINCRBY', flow, state == 'C' and 'cancelled' or 'failed', -1) end
      end
      if state == 'W' then waiting[#waiting + 1] = n end
      if anew[n] or state == 'W' or state == 'L' then
        for other in string.gmatch(step.dependents, '%d+') do left[other] = (left[other] or 0) + 1 end
      end
    end
    if count == 0 then return 0 end
    redis.call('HSET', flow, 'state', 'running')
    redis.call('HDEL', flow, 'ended')
    redis.call('HINCRBY', flow, 'open', count)
    redis.call('ZREM', over, wid)
    for _, n in ipairs(waiting) do redis.call('HSET', flow, 'n:' .. n, string.format('%d', left[n] or 0)) end
    for n in pairs(anew) do redis.call('HDEL', flow, 'r:' .. n) end
    for n, step in pairs(anew) do
      redis.call('HSET', flow, 's:' .. n, 'W', 'n:' .. n, string.format('%d', left[n]))
      -- Somebody may have let it run again by itself.
      if not is_live(step.id) then
        local is_marked = mark_revived(step.id)
        redis.call('HSET', jobs, step.id, job_made_of(flow, redis.call('HGET', flow, 't:' .. n)))
        redis.call('ZADD', susp, ready_score(step.priority, now), step.id)
        keep_troubles(step.id, is_marked)
      end
    end
    for n in pairs(anew) do
      if left[n] == 0 then release(flow, anew[n]) end
    end
    return count
  end

  -- Compensations that failed are tried again.
  moves.compensate_again = function(wid)
    local flow = flow_of(wid)
    local failed = {}
    for n in string.gmatch(redis.call('HGET', flow, 'again') or '', '%d+') do table.insert(failed, 1, n) end
    redis.call('HDEL', flow, 'again')
    redis.call('RPUSH', undo_of(wid), unpack(failed))
    redis.call('HSET', flow, 'state', 'compensating')
    redis.call('HDEL', flow, 'ended')
    redis.call('ZREM', over, wid)
    compensate(wid, flow)
    return #failed
  end

  -- Forget a workflow. Jobs of it that still wait for others go with it, its ended jobs stay as long as any.
  moves.drop = function(wid)
    local flow = flow_of(wid)
    local n = 1
    while true do
      local step = step_of(flow, n)
      if not step then break end
      if redis.call('ZREM', susp, step.id) == 1 then redis.call('HDEL', jobs, step.id) end
      redis.call('HDEL', steps, step.id)
      n = n + 1
    end
    redis.call('DEL', flow, undo_of(wid))
    redis.call('ZREM', flows, wid)
    redis.call('ZREM', over, wid)
  end

  -- Somebody changed a job; if it is a step, its workflow must not make it again as it was. `at` is when it is due from
  -- now on, at the earliest, of one that waits for others.
  moves.changed = function(id, record, at)
    local n, wid = string.match(redis.call('HGET', steps, id) or '', '^(%d+):(.*)$')
    local plan = n and redis.call('HGET', flow_of(wid), 'p:' .. n)
    if not plan then return end
    redis.call('HSET', flow_of(wid), 't:' .. n, template_of(record))
    if at then
      plan = string.gsub(plan, '^([^\n]*\n%d+)\n%d+\n%d+', '%1\n0\n' .. string.format('%.0f', math.max(at, 0)))
      redis.call('HSET', flow_of(wid), 'p:' .. n, plan)
    end
  end

  -- Whether a job that waits for others could run without what they give.
  moves.can_run_alone = function(id)
    local n, wid = string.match(redis.call('HGET', steps, id) or '', '^(%d+):(.*)$')
    local template = n and redis.call('HGET', flow_of(wid), 't:' .. n)
    return not template or not string.find(string.match(template, '^[^\n]*'), '[VE]')
  end

  moves.is_going_on = function(wid) return GOING_ON[moves.state(wid)] == true end

  return moves
end
