-- http-request lua.hold BACKEND: waits, for at most six seconds, until a server of the backend is healthy.
local pause_ms = 100
local pauses = 60

core.register_action("hold", { "http-req" }, function(txn, backend)
    for _ = 1, pauses do
        if txn.f:nbsrv(backend) > 0 then
            return
        end
        core.msleep(pause_ms)
    end
end, 1)
