//! The trace id of a request, and its log line.

use super::writer::Writer;

/// The maps that find the trace, and the JSON log format: the same fields as the log of the services.
pub(super) fn trace_and_log(in_container: bool, out: &mut Writer) {
    out.blank();
    out.comment("The trace of the caller goes on; without one, the request's id begins it.");
    out.open("map $http_traceparent $trace_id");
    out.line("default $request_id;");
    out.line("\"~^00-(?<caller>[0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$\" $caller;");
    out.close();
    out.open("map $request_id $own_span");
    out.line("\"~^(?<span>.{16})\" $span;");
    out.close();
    out.open("map $http_traceparent $traceparent");
    out.line("default \"00-$request_id-$own_span-01\";");
    out.line("\"~^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$\" $http_traceparent;");
    out.close();
    out.open("map $trace_id $trace_uuid");
    out.line(
        "\"~^(?<u1>.{8})(?<u2>.{4})(?<u3>.{4})(?<u4>.{4})(?<u5>.{12})$\" \"$u1-$u2-$u3-$u4-$u5\";",
    );
    out.close();
    out.blank();
    out.line("log_format json escape=json '{\"time\":\"$time_iso8601\",\"level\":\"info\",\"event\":\"request_completed\",'");
    out.line("  '\"trace_id\":\"$trace_uuid\",\"method\":\"$request_method\",\"path\":\"$uri\",\"status_code\":$status,'");
    out.line("  '\"duration_seconds\":$request_time,\"bytes\":$bytes_sent,\"client\":\"$remote_addr\",\"host\":\"$host\"}';");
    if in_container {
        out.line("access_log /dev/stdout json;");
        out.line("error_log stderr warn;");
    } else {
        out.line("access_log /var/log/nginx/access.log json;");
        out.line("error_log /var/log/nginx/error.log warn;");
    }
}
