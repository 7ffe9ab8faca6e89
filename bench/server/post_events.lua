-- Bodies of NDJSON, one after the other. BODIES: files, set apart by colons. KEY: as in post_log.
local key = os.getenv("KEY")
local prepared, turn = {}, 0

wrk.headers["Content-Type"] = "application/x-ndjson"
if key then wrk.headers["X-Api-Key"] = key end

function init()
    for path in os.getenv("BODIES"):gmatch("[^:]+") do
        local file = assert(io.open(path, "rb"))
        prepared[#prepared + 1] = wrk.format("POST", "/api/v1/events", nil, file:read("*a"))
        file:close()
    end
end

function request()
    turn = turn % #prepared + 1
    return prepared[turn]
end

dofile((os.getenv("SCRIPTS") or "bench/server") .. "/done.lua")
