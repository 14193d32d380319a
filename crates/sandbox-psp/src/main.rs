//! The sandbox payment provider as a program of its own. No logic: see the library.

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().json().init();
    #[expect(clippy::disallowed_methods, reason = "a stranger to the shop: its settings are not in shop-config")]
    let settings = sandbox_psp::Settings::from_lookup(&|name| std::env::var(name).ok())?;
    sandbox_psp::run(settings).await
}
