//! Reading and writing the environment: defaults, bad values, and that what is written is read back.

use super::*;
use proptest::prelude::*;

fn read(env: &[(&'static str, String)]) -> Result<Config, ConfigError> {
    Config::from_lookup(&|name| env.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()))
}

#[test]
fn an_empty_environment_gives_the_documented_defaults() {
    let config = read(&[]).unwrap();
    assert_eq!(config.http.port(), HTTP_PORT);
    assert_eq!(config.order_deadline, Duration::from_secs(900));
    assert_eq!((config.mongodb, config.aliases), (None, Aliases::On));
}

#[test]
fn two_different_mongodb_names_are_refused() {
    let env = [(names::MONGO_URI, "mongodb://a".to_owned()), (names::MONGODB_URL, "mongodb://b".to_owned())];
    assert!(read(&env).is_err());
    assert!(read(&env[..1]).unwrap().mongodb.is_some());
    assert!(read(&env[1..]).unwrap().mongodb.is_some());
}

#[test]
fn a_bad_value_names_its_variable_and_not_itself() {
    let error = read(&[(names::HTTP_ADDRESS, "sekrit".to_owned())]).unwrap_err().to_string();
    assert!(error.contains(names::HTTP_ADDRESS) && !error.contains("sekrit"), "{error}");
    assert!(read(&[(names::SAMPLING_PERCENT, "101".to_owned())]).is_err());
    assert!(read(&[(names::CURRENCY, "eur".to_owned())]).is_err());
    assert!(read(&[(names::ALIASES, "open".to_owned())]).is_err());
}

prop_compose! {
    fn configs()(
        pod in "[a-z]{1,10}", port in 1_u16.., currency in "[A-Z]{3}", mongo in prop::option::of("mongodb://[a-z]{1,9}"),
        redis in prop::option::of("redis://[a-z]{1,9}"), pool in 1_u32..500, file in prop::option::of("/[a-z]{1,9}"),
        seconds in 300_u64..86_400, aliases in prop::sample::select(&Aliases::ALL), uid in prop::option::of("[0-9a-f-]{36}"), otlp in prop::option::of("http://[a-z]{1,9}:4317"), percent in 0_u8..=100
    ) -> Config {
        let path = file.map(PathBuf::from);
        Config {
            pod, currency, aliases,
            http: std::net::SocketAddr::from(([127, 0, 0, 1], port)),
            grpc: std::net::SocketAddr::from(([0, 0, 0, 0], port)),
            admin: std::net::SocketAddr::from(([0, 0, 0, 0], port)),
            peer_url: "http://demo-{service}:9090".into(),
            mongodb: mongo.map(|uri| MongoConfig { uri: Secret::new(uri), database_prefix: "p".into(), owner: None, max_pool_size: pool }),
            redis: redis.map(|url| RedisConfig { url: Secret::new(url), key_prefix: "k:".into() }),
            auth: AuthConfig { key_set_file: "/keys".into(), issuer: "i".into(), audience: "a".into() },
            identity: IdentityConfig {
                signing_key_file: path.clone(), admin_email_file: path.clone(), admin_password_file: path.clone(),
                shop_uid: uid,
                access_token_ttl: Duration::from_secs(seconds),
                refresh_token_ttl: Duration::from_secs(seconds),
                refresh_token_idle: Duration::from_secs(seconds),
            },
            payment: PaymentConfig { provider: PaymentProvider::Sandbox, url: "http://psp".into(), api_key_file: path.clone(), webhook_secret_file: path },
            order_deadline: Duration::from_secs(seconds),
            limits: limits::any(pool, seconds),
            cors: cors::any(pool),
            telemetry: TelemetryConfig { log: "info".into(), otlp_endpoint: otlp, sampling_percent: percent },
            drain_delay: Duration::from_secs(seconds % 61),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(config in configs()) {
        prop_assert_eq!(read(&config.to_env()), Ok(config));
    }
}
