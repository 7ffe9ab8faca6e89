-- The newest alerts. TOKEN: a token that may read; none for a server without tokens.
local token = os.getenv("TOKEN")
if token then wrk.headers["Authorization"] = "Bearer " .. token end

function init()
    prepared = wrk.format("GET", "/alerts")
end

function request()
    return prepared
end

dofile((os.getenv("SCRIPTS") or "bench/server") .. "/done.lua")
