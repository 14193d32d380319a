//! The configuration of the managed Redis, tried with the real one.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use operator::build::Objects;

use crate::fixture::built;

struct Redis {
    child: Child,
    port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn config_map(objects: &Objects) -> &ConfigMap {
    objects.config_maps.iter().find(|map| map.name_any().starts_with("demo-redis-")).unwrap()
}

fn secret(objects: &Objects) -> &Secret {
    objects.secrets.iter().find(|secret| secret.name_any() == "demo-redis").unwrap()
}

fn text(secret: &Secret, key: &str) -> String {
    String::from_utf8(secret.data.as_ref().unwrap()[key].0.clone()).unwrap()
}

fn start(objects: &Objects, folder: &Path) -> Redis {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(folder.join("users.acl"), text(secret(objects), "users.acl")).unwrap();
    let config = config_map(objects).data.as_ref().unwrap()["redis.conf"]
        .replace("port 6379", &format!("port {port}"))
        .replace("dir /data", &format!("dir {}", folder.display()))
        .replace("/etc/redis/users", &folder.display().to_string());
    std::fs::write(folder.join("redis.conf"), config).unwrap();
    let child = Command::new("redis-server").arg(folder.join("redis.conf")).stdout(Stdio::null()).spawn();
    Redis { child: child.expect("no redis-server on PATH: run `make deps`"), port }
}

/// What Redis answers, asked with a URL.
fn ask(url: &str, command: &[&str]) -> String {
    for _ in 0..100 {
        let output = Command::new("redis-cli").args(["-u", url]).args(command).output();
        let output = output.expect("no redis-cli on PATH: run `make deps`");
        let answer = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        if !answer.contains("Could not connect") {
            return answer;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("redis did not start");
}

#[test]
fn redis_opens_to_its_url_alone_and_keeps_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let objects = built("redis: {managed: {maxMemory: 64Mi, evictionPolicy: volatile-ttl}}").objects;
    let redis = start(&objects, folder.path());
    let url = text(secret(&objects), "url").replace("demo-redis:6379", &format!("127.0.0.1:{}", redis.port));

    assert!(ask(&url, &["ping"]).contains("PONG"));
    assert!(ask(&url, &["config", "get", "maxmemory"]).contains("67108864"));
    assert!(ask(&url, &["config", "get", "maxmemory-policy"]).contains("volatile-ttl"));
    let anonymous = format!("redis://127.0.0.1:{}", redis.port);
    assert!(ask(&anonymous, &["ping"]).contains("NOAUTH"));
    assert!(ask(&url.replace("placeholder", "wrong"), &["ping"]).contains("WRONGPASS"));
}
