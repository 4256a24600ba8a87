-- A job that is taken out of its queue by hand counts against no limit any more. What is over is no part of a
-- lane, and one that a dead session had may have started. Needs rules, grants, lanes and limits.
local function depart(base, id, now)
  local rules = rules_of(base, '', '')
  if not rules then return end
  local limits = limits_of(base, rules, now)
  limits.left({id}, true)
  limits.over({id})
  limits.look_again()
end
