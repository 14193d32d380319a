//! The managed Redis: one pod without a disk.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::deployment::{Replace, deployment};
use super::pod::{Files, Pod, Probes, Restart, Source};
use super::{Part, config, metadata, names, service};
use crate::keys;
use crate::plan::{Plan, RedisPlan};

/// The user of the official image.
const REDIS_USER: i64 = 999;

const CONFIG_FOLDER: &str = "/etc/redis/config";
const USERS_FOLDER: &str = "/etc/redis/users";

pub(super) fn redis(plan: &Plan, redis: &RedisPlan) -> Part {
    let part = names::REDIS_PART;
    let name = names::redis(&plan.shop.name);
    let settings = BTreeMap::from([(names::REDIS_CONFIG.to_owned(), config_text(redis))]);
    let settings = config::config_map(plan, part, settings);
    let ports = [("redis", names::REDIS_PORT)];
    let users = vec![(names::REDIS_USERS.to_owned(), names::REDIS_USERS)];
    let pod = Pod {
        part,
        image: &redis.image,
        command: vec!["redis-server".to_owned(), format!("{CONFIG_FOLDER}/{}", names::REDIS_CONFIG)],
        args: Vec::new(),
        settings: None,
        env: Vec::new(),
        ports: ports.to_vec(),
        probes: Some(Probes::Port("redis")),
        files: vec![
            Files { name: "config", folder: CONFIG_FOLDER, source: Source::ConfigMap(settings.name_any()) },
            Files { name: "users", folder: USERS_FOLDER, source: Source::Secret(name.clone(), users) },
            Files { name: "data", folder: "/data", source: Source::Empty("64Mi") },
        ],
        resources: redis.resources.clone(),
        user: REDIS_USER,
        grace_seconds: Some(10),
        lifecycle: None,
        annotations: vec![(
            metadata::SECRET_HASH,
            keys::digest(&plan.shop.uid, [plan.secrets.redis_password.expose()]),
        )],
        restart: Restart::Always,
    };
    Part {
        service_account: metadata::service_account(plan, part),
        config_maps: vec![settings],
        services: vec![service::address(plan, part, name, &ports)],
        deployment: deployment(plan, pod, 1, Replace::StopFirst),
        waits: false,
    }
}

/// Nothing is saved: what was lost is published again by the services' outboxes.
fn config_text(redis: &RedisPlan) -> String {
    let RedisPlan { max_memory_bytes, eviction_policy, .. } = redis;
    format!(
        "bind * -::*\n\
         port {port}\n\
         protected-mode no\n\
         dir /data\n\
         save \"\"\n\
         appendonly no\n\
         maxmemory {max_memory_bytes}\n\
         maxmemory-policy {policy}\n\
         aclfile {USERS_FOLDER}/{users}\n\
         tcp-keepalive 60\n",
        port = names::REDIS_PORT,
        policy = eviction_policy.as_str(),
        users = names::REDIS_USERS,
    )
}
