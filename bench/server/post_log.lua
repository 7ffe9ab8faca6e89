-- One access-log entry a request. KEY: an API key that may send; none for a server without keys.
-- PATH_TO: where to post it (default /logs).
local key = os.getenv("KEY")
local path = os.getenv("PATH_TO") or "/logs"
local body = '{"timestamp":"%s","client_ip":"203.0.113.7","endpoint":"/api/v1/orders","method":"GET","status_code":200}'

wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
if key then wrk.headers["X-Api-Key"] = key end

function init()
    -- One time for the whole run: what is measured is the server, not the making of bodies.
    wrk.body = body:format(os.date("!%Y-%m-%dT%H:%M:%SZ"))
    prepared = wrk.format("POST", path)
end

function request()
    return prepared
end

dofile((os.getenv("SCRIPTS") or "bench/server") .. "/done.lua")
