-- Random full tiles of leaf hashes; how many entries there are comes after `--`.
local threads = 0
function setup(thread) threads = threads + 1; thread:set("id", threads) end
function init(args) math.randomseed(id); tiles = tonumber(args[1]) / 256 end
function request()
  local n = math.random(0, tiles - 1)
  local path = string.format("%03d", n % 1000)
  if n >= 1000 then path = string.format("x%03d/", math.floor(n / 1000)) .. path end
  return wrk.format("GET", "/tile/0/" .. path)
end
