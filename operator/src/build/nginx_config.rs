//! What the bundled NGINX is told, made from the service table.
//!
//! Requests go to the cluster address of a service, over connections that are kept. A GET or HEAD that gets no answer is
//! sent once more, to the single pods behind the headless Service: a cluster address has no other server to turn to.
//! Answers that NGINX itself has to give have the shape of the shop's own error body.

use std::fmt::Write;

use super::names;
use crate::plan::{ClusterDns, NginxPlan, Plan};

/// The port NGINX listens on.
pub(super) const PORT: u16 = 8080;
/// The port of NGINX' own numbers; no Service leads to it.
pub(super) const STATUS_PORT: u16 = 8081;
/// Its own numbers: connections and requests.
const STATUS_PATH: &str = "/nginx_status";
/// Who may read them: this machine, private networks (RFC 1918, RFC 4193) and those of carriers and clusters (RFC 6598).
const NEAR: [&str; 7] =
    ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"];
/// Answered by NGINX itself, for the kubelet.
pub(super) const HEALTH_PATH: &str = "/nginx-health";
/// Most bytes of a body that is no file: what services read of one.
const MOST_JSON_BYTES: u128 = 64 * 1024;
/// Where requests go that NGINX cannot read; nobody else can ask for it.
const UNREADABLE_PATH: &str = "/nginx-unreadable";

/// The whole configuration.
pub(super) fn text(plan: &Plan, nginx: &NginxPlan) -> String {
    let mut text = head(nginx);
    for service in shop_config::SERVICES {
        text.push_str(&upstream(plan, nginx, service.name));
    }
    match &plan.host {
        None => text.push_str(&server(plan, nginx, "default_server", "_")),
        Some(host) => {
            text.push_str(&other_hosts());
            text.push_str(&server(plan, nginx, "", host));
        }
    }
    text.push_str(&status());
    text.push_str("}\n");
    text
}

fn head(nginx: &NginxPlan) -> String {
    let NginxPlan { max_body_bytes, timeouts, dns, .. } = nginx;
    let resolver = dns.as_ref().map(resolver).unwrap_or_default();
    format!(
        r#"# Made by shopmesh-operator from the service table.
worker_processes 2;
worker_shutdown_timeout 25s;
pid /tmp/nginx.pid;
error_log stderr warn;

events {{
    worker_connections 4096;
}}

http {{
    default_type application/octet-stream;
    server_tokens off;
    tcp_nopush on;
    keepalive_timeout 65s;
    # By default NGINX does not start with a host name of more than 46 characters; names have up to 253.
    server_names_hash_bucket_size 512;
    client_max_body_size {max_body_bytes};
    # Nobody keeps a connection, and what is spooled for it, by sending or reading nothing. A picture fits into what is spooled of an
    # answer: the places of the catalog are not for slow readers to hold.
    client_header_timeout 15s;
    client_body_timeout 15s;
    send_timeout 15s;
    proxy_max_temp_file_size 8m;
    client_body_temp_path /tmp/client_body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;

    # No query string: it may hold what no log should. NGINX' own lines about a request have it; its status and upstream stand here.
    error_log stderr crit;
    log_format json escape=json '{{"time":"$time_iso8601","service":"nginx","request_id":"$shop_request_id",'
        '"method":"$request_method","path":"$uri","status":$status,"bytes":$bytes_sent,'
        '"seconds":$request_time,"upstream":"$upstream_addr","upstream_status":"$upstream_status"}}';
    access_log /dev/stdout json;

    # The client's request id, if it is one; else our own.
    map $http_x_request_id $shop_request_id {{
        "~^[!-~]{{1,128}}$" $http_x_request_id;
        default $request_id;
    }}
    # The same where it can stand in JSON as it is.
    map $shop_request_id $shop_json_request_id {{
        "~^[A-Za-z0-9._:/+=-]+$" $shop_request_id;
        default "";
    }}
    # What may be sent twice.
    map $request_method $shop_repeatable {{
        GET 1;
        HEAD 1;
        default 0;
    }}

    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Request-Id $shop_request_id;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_connect_timeout {connect}s;
    proxy_read_timeout {read}s;
    proxy_send_timeout {send}s;
    proxy_next_upstream error timeout;
    recursive_error_pages on;
{resolver}"#,
        connect = timeouts.connect_seconds,
        read = timeouts.read_seconds,
        send = timeouts.send_seconds,
    )
}

fn resolver(dns: &ClusterDns) -> String {
    let servers: Vec<_> = dns
        .servers
        .iter()
        .map(|server| match server {
            std::net::IpAddr::V4(server) => server.to_string(),
            std::net::IpAddr::V6(server) => format!("[{server}]"),
        })
        .collect();
    // Looking for addresses of the other family would only cost time where the cluster has none.
    let family = if dns.servers.iter().all(std::net::IpAddr::is_ipv4) { " ipv6=off" } else { "" };
    format!("    resolver {} valid=1s{family};\n    resolver_timeout 2s;\n", servers.join(" "))
}

/// Idle connections are closed before the service closes them, so that no request is sent into a closing one.
///
/// Until a service has an address its name stands there; NGINX is not started before.
fn upstream(plan: &Plan, nginx: &NginxPlan, service: &str) -> String {
    let address = nginx.upstreams.as_ref().and_then(|addresses| addresses.get(service));
    let host = match address {
        Some(address) if address.contains(':') => format!("[{address}]"),
        Some(address) => address.clone(),
        None => names::service(&plan.shop.name, service),
    };
    let port = shop_config::HTTP_PORT;
    format!(
        "\n    upstream {service} {{\n        server {host}:{port};\n        keepalive 32;\n        keepalive_timeout 4s;\n    }}\n"
    )
}

fn server(plan: &Plan, nginx: &NginxPlan, default: &str, name: &str) -> String {
    let default = if default.is_empty() { String::new() } else { format!(" {default}") };
    let mut text =
        format!("\n    server {{\n        listen {PORT}{default};\n        server_name {name};\n{}", own_answers());
    for service in shop_config::SERVICES {
        let aliases = if plan.serves_aliases { service.aliases } else { &[] };
        for route in service.routes.iter().chain(aliases) {
            text.push_str(&locations(route, service.name, nginx.max_body_bytes));
        }
    }
    for service in shop_config::SERVICES {
        text.push_str(&again(plan, nginx, service.name));
    }
    text.push_str("    }\n");
    text
}

/// Whole path elements: `/api/v1/me` is not the beginning of `/api/v1/merge`. Only the catalog takes files: what others could not
/// read is not received, either.
fn locations(route: &str, service: &str, max_body_bytes: u128) -> String {
    let most = if service == "catalog" { max_body_bytes } else { max_body_bytes.min(MOST_JSON_BYTES) };
    let matches = match route {
        "/" => vec!["/".to_owned()],
        route => vec![format!("= {route}"), format!("{route}/")],
    };
    matches.into_iter().fold(String::new(), |mut text, matching| {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n        location {matching} {{\n            proxy_pass http://{service};\n            \
             client_max_body_size {most};\n            \
             error_page 400 = {UNREADABLE_PATH};\n            error_page 413 = @too_large;\n            error_page 502 504 = @again_{service};\n        }}\n"
        );
        text
    })
}

/// Where a request goes that got no answer: those that may be sent twice to the single pods, all others back.
fn again(plan: &Plan, nginx: &NginxPlan, service: &str) -> String {
    let Some(dns) = &nginx.dns else {
        return format!(
            "\n        location @again_{service} {{\n            error_page 502 504 = @unavailable;\n            return 502;\n        }}\n"
        );
    };
    let host = names::headless(&plan.shop.name, service);
    let (namespace, domain, port) = (&plan.shop.namespace, &dns.domain, shop_config::HTTP_PORT);
    format!(
        "\n        location @again_{service} {{\n            error_page 502 504 = @unavailable;\n            \
         if ($shop_repeatable = 0) {{\n                return 502;\n            }}\n            \
         set $shop_pods {host}.{namespace}.svc.{domain};\n            \
         proxy_next_upstream_tries 2;\n            \
         proxy_pass http://$shop_pods:{port};\n        }}\n"
    )
}

fn own_answers() -> String {
    format!(
        r#"
        location = {HEALTH_PATH} {{
            access_log off;
            default_type text/plain;
            return 200 "ok\n";
        }}

{}{}
        location @too_large {{
{}        }}

        location @unavailable {{
            add_header Retry-After 1 always;
{}        }}
"#,
        wrong_method(),
        unreadable(),
        error(413, "body_too_large", "The body of the request is too large"),
        error(503, "unavailable", "The service cannot be reached; try again, with the same Idempotency-Key"),
    )
}

/// Everything that comes under another name than the shop's.
fn other_hosts() -> String {
    format!(
        r#"
    server {{
        listen {PORT} default_server;
        server_name _;

        location = {HEALTH_PATH} {{
            access_log off;
            default_type text/plain;
            return 200 "ok\n";
        }}
{}{}
        location / {{
{}        }}
    }}
"#,
        wrong_method(),
        unreadable(),
        error(404, "not_found", "No shop answers to this host name"),
    )
}

/// What NGINX counts, for who looks after it; everything else does not exist there, nor does that for others.
fn status() -> String {
    let allowed = NEAR.map(|network| format!("            allow {network};\n")).concat();
    format!(
        r"
    server {{
        listen {STATUS_PORT} default_server;
        server_name _;
        access_log off;
        error_page 403 405 = @nothing;
{}
        location = {STATUS_PATH} {{
            stub_status;
            default_type text/plain;
            add_header Cache-Control no-store always;
{allowed}            deny all;
        }}

        location / {{
{}        }}
    }}
",
        unreadable(),
        nothing(),
    )
}

/// NGINX itself refuses TRACE and CONNECT, whatever the path.
fn wrong_method() -> String {
    format!(
        r#"
        error_page 405 = @wrong_method;

        location @wrong_method {{
            add_header Allow "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" always;
{}        }}
"#,
        error(405, "method_not_allowed", "No call has this method"),
    )
}

fn nothing() -> String {
    error(404, "not_found", "There is nothing here")
}

/// What NGINX itself cannot read (400, of an unknown encoding 501, of an unknown version 505), and what is too long for it
/// (414, and its own 494), before it knows of any location. A path and not a name, since a request of which no path is known
/// cannot be sent to a name.
fn unreadable() -> String {
    format!(
        r"
        error_page 400 414 494 501 505 = {UNREADABLE_PATH};

        location = {UNREADABLE_PATH} {{
            internal;
            error_page 404 = @nothing;
{}        }}

        location @nothing {{
{}        }}
",
        error(
            400,
            "bad_request",
            "The request cannot be read: a header is malformed, or the path or a header is too long"
        ),
        nothing(),
    )
}

/// An answer with the body and the headers that services give theirs. Only here: what a service answers has them already.
fn error(status: u16, code: &str, message: &str) -> String {
    format!(
        r#"            default_type application/json;
            add_header X-Request-Id $shop_request_id always;
            add_header Strict-Transport-Security "max-age=31536000" always;
            add_header X-Content-Type-Options nosniff always;
            add_header Referrer-Policy no-referrer always;
            add_header Content-Security-Policy "default-src 'none'; frame-ancestors 'none'" always;
            add_header Cache-Control no-store always;
            return {status} '{{"error":"{message}","code":"{code}","status":{status},"timestamp":"$time_iso8601","requestId":"$shop_json_request_id","details":[]}}';
"#
    )
}
