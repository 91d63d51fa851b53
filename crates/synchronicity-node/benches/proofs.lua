-- Proofs of random entries; how many there are comes after `--`.
local threads = 0
function setup(thread) threads = threads + 1; thread:set("id", threads) end
function init(args) math.randomseed(id); size = tonumber(args[1]) end
function request() return wrk.format("GET", "/proof/index/" .. math.random(0, size - 1)) end
