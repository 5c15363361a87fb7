-- post.lua - what wrk sends, and its summary as one line of JSON
--
-- BENCH_BODY names a file with the body of each request.

local file = assert(io.open(os.getenv("BENCH_BODY"), "rb"))

wrk.method = "POST"
wrk.path = "/score"
wrk.body = file:read("*a")
wrk.headers["Content-Type"] = "application/json"
file:close()

function done(summary, latency)
    local errors = summary.errors

    io.write(string.format(
        '\nBENCH {"requests": %d, "duration_us": %d, "p50_us": %d, '
            .. '"p99_us": %d, "connect": %d, "read": %d, "write": %d, '
            .. '"status": %d, "timeout": %d}\n',
        summary.requests, summary.duration, latency:percentile(50),
        latency:percentile(99), errors.connect, errors.read, errors.write,
        errors.status, errors.timeout))
end
