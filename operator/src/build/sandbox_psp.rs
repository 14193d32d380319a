//! The sandbox payment provider: a stranger to the shop that runs beside it. No real money.

use shop_config::{ADMIN_PORT, HTTP_PORT};

use super::deployment::{Replace, deployment};
use super::pod::{self, Files, NONROOT, Pod, Probes, Restart, Source};
use super::{Part, metadata, names, service};
use crate::plan::Plan;

/// Where payment takes the sandbox's webhooks.
const WEBHOOK_PATH: &str = "/api/v1/payments/webhooks/sandbox";

const LEDGER_FOLDER: &str = "/var/lib/sandbox-psp";
/// The ledger of 1.4 million orders; what is in memory of them fits into the default limit of 256 Mi. A larger one is
/// Kubernetes' reason to begin anew with another pod.
const LEDGER_SIZE: &str = "1Gi";

pub(super) fn sandbox_psp(plan: &Plan) -> Part {
    let part = names::SANDBOX_PSP_PART;
    let sandbox = &plan.sandbox_psp;
    let ports = [("http", HTTP_PORT), ("metrics", ADMIN_PORT)];
    let address = names::sandbox_psp(&plan.shop.name);
    let mut env = vec![
        pod::value("SANDBOX_PSP_ADDRESS", format!("0.0.0.0:{HTTP_PORT}")),
        pod::value("SANDBOX_PSP_ADMIN_ADDRESS", format!("0.0.0.0:{ADMIN_PORT}")),
        pod::value("SANDBOX_PSP_API_KEY_FILE", names::PAYMENT_API_KEY_FILE),
        // Keeps the ledger when the container is started again, and loses it with the pod.
        pod::value("SANDBOX_PSP_LEDGER_FILE", format!("{LEDGER_FOLDER}/ledger.jsonl")),
        // Where a buyer confirms a payment: nobody outside of the cluster is led to a stranger without real money.
        pod::value("SANDBOX_PSP_PUBLIC_URL", format!("http://{address}.{}.svc:{HTTP_PORT}", plan.shop.namespace)),
    ];
    if plan.secrets.payment.webhook_secret.is_some() {
        let payment = names::service(&plan.shop.name, names::PAYMENT);
        let url = format!("http://{payment}:{HTTP_PORT}{WEBHOOK_PATH}");
        env.push(pod::value("SANDBOX_PSP_WEBHOOK_URL", url));
        env.push(pod::value("SANDBOX_PSP_WEBHOOK_SECRET_FILE", names::PAYMENT_WEBHOOK_SECRET_FILE));
    }
    let pod = Pod {
        part,
        image: &sandbox.image,
        command: Vec::new(),
        args: vec![part.name.to_owned()],
        settings: None,
        env,
        ports: ports.to_vec(),
        probes: Some(Probes::Admin),
        files: vec![
            service::payment_secrets(plan),
            Files { name: "ledger", folder: LEDGER_FOLDER, source: Source::Empty(LEDGER_SIZE) },
        ],
        resources: sandbox.resources.clone(),
        user: NONROOT,
        grace_seconds: Some(30),
        lifecycle: None,
        annotations: vec![(metadata::SECRET_HASH, sandbox.secret_hash.clone())],
        restart: Restart::Always,
    };
    Part {
        service_account: metadata::service_account(plan, part),
        config_maps: Vec::new(),
        services: vec![service::address(plan, part, address, &ports)],
        deployment: deployment(plan, pod, 1, Replace::StopFirst),
        waits: false,
    }
}
