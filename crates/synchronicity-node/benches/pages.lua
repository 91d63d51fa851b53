-- Pages in turn: what people ask for. A request that the log knows comes after `--`, and its crate if it is the only one.
local threads = 0
function setup(thread) threads = threads + 1; thread:set("id", threads) end
function init(args)
  math.randomseed(id)
  request_id, only_crate = args[1], args[2]
end
function request()
  local crate = only_crate or "crate-" .. math.random(0, 29999)
  local paths = {
    "/", "/crates/" .. crate, "/requests/" .. request_id, "/search?q=" .. crate, "/builders",
    "/log?before=" .. math.random(100, 100000), "/trends", "/queue", "/about", "/badge/" .. crate,
  }
  return wrk.format("GET", paths[math.random(#paths)])
end
