//! The demo's way through kind, minikube and a cluster that is there, with stand-ins that write down how they are called.
//! The way through the cluster of tests/cluster is walked for real by tests/e2e and by `make demo`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::tree::root;

/// Answers what the scripts read; everything else succeeds in silence.
const STAND_IN: &str = r#"#!/bin/bash
echo "${0##*/} $*" >>"$RECORD"
case "${0##*/} $*" in
  *"jsonpath={range .status.conditions"*) echo "True AllServicesAvailable: All services are available" ;;
  *"jsonpath={.data."*) printf x | base64 ;;
  "kind get clusters") cat "$RECORD.clusters" 2>/dev/null ;;
  "kind create cluster --name "*) [ -z "${FAIL:-}" ] || exit 1; echo "$4" >>"$RECORD.clusters" ;;
  "minikube profile list"*) sed 's/.*/{"Name":"&"}/' "$RECORD.clusters" 2>/dev/null ;;
  "kubectl "*" get namespace/"* | "kubectl "*" get crd/"*) [[ " ${THERE:-} " = *" ${!#} "* ]] && exit 0; exit 1 ;;
  "docker image inspect "*) echo "sha256:${CONTENT:-0123456789ab}ffff" ;;
  *"jsonpath={.metadata.annotations"*) cat "$RECORD.programs" 2>/dev/null ;;
  "kubectl annotate namespace "*) echo "${4#*=}" >"$RECORD.programs" ;;
  "kubectl get deployments "*) echo "shop demo-cart" ;;
  "kubectl get shops.shopmesh.dev"*) printf '%s' "${SHOPS:-}" ;;
esac
exit 0
"#;
const PROGRAMS: [&str; 7] = ["kind", "minikube", "docker", "kubectl", "helm", "python3", "curl"];

struct Demo {
    directory: tempfile::TempDir,
    cluster: &'static str,
}

impl Demo {
    fn on(cluster: &'static str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        for program in PROGRAMS {
            let path = directory.path().join(program);
            std::fs::write(&path, STAND_IN).expect("a file can be written");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))
                .expect("a file can be made a program");
        }
        Self { directory, cluster }
    }

    fn run(&self, script: &str, env: &[(&str, &str)]) -> Output {
        let here = self.directory.path();
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", here.display());
        Command::new(root().join("deploy/demo").join(script))
            .env_clear()
            .env("PATH", path)
            .env("HOME", here)
            .env("YES", "1")
            .env("CLUSTER", self.cluster)
            // The scripts put the tools of the test cluster first; there are none here.
            .env("CLUSTER_CACHE", here.join("cache"))
            .env("DEMO_STATE", here.join("state"))
            .env("RECORD", here.join("record"))
            .envs(env.iter().copied())
            .output()
            .expect("the script can be started")
    }

    fn record(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("record")).unwrap_or_default()
    }

    fn has(&self, file: &str) -> bool {
        Path::new(self.directory.path()).join(file).exists()
    }
}

fn must_succeed(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn must_hold(record: &str, calls: &[&str]) {
    let mut rest = record;
    for call in calls {
        let at = rest.find(call).unwrap_or_else(|| panic!("{call:?} is missing, or not in its turn, in\n{record}"));
        rest = &rest[at + call.len()..];
    }
}

#[test]
fn on_kind_images_are_loaded_before_the_operator_and_the_cluster_goes_with_the_demo() {
    let demo = Demo::on("kind");

    must_succeed(&demo.run("up", &[]));

    must_hold(
        &demo.record(),
        &[
            "docker build --target shopmesh -t localhost/shopmesh:demo",
            "docker build --target operator -t localhost/shopmesh-operator:demo",
            "kind create cluster --name shopmesh-demo",
            "kind load docker-image --name shopmesh-demo localhost/shopmesh:demo-0123456789ab \
             localhost/shopmesh-operator:demo-0123456789ab",
            "kubectl -n shopmesh-mongodb apply -f examples/mongodb.yaml",
            "helm upgrade --install shopmesh-operator",
            "kubectl -n shop apply -f examples/demo.yaml",
            "kubectl -n shop port-forward service/demo-nginx 8088:80",
            "python3 deploy/demo/shop.py",
        ],
    );
    assert!(demo.has("state.env"));

    must_succeed(&demo.run("down", &[]));

    must_hold(&demo.record(), &["kind delete cluster --name shopmesh-demo"]);
    assert!(!demo.has("state") && !demo.has("state.env"));
}

#[test]
fn on_minikube_a_profile_of_its_own_comes_and_goes() {
    let demo = Demo::on("minikube");

    must_succeed(&demo.run("up", &[]));
    must_succeed(&demo.run("down", &[]));

    must_hold(
        &demo.record(),
        &[
            "minikube start --profile shopmesh-demo",
            "minikube image load --profile shopmesh-demo localhost/shopmesh:demo-0123456789ab",
            "helm upgrade --install shopmesh-operator",
            "minikube delete --profile shopmesh-demo",
        ],
    );
}

/// A cluster of somebody else.
fn existing(cluster: &'static str, name: &str) -> Demo {
    let demo = Demo::on(cluster);
    std::fs::write(demo.directory.path().join("record.clusters"), format!("{name}\n")).expect("a file can be written");
    demo
}

#[test]
fn a_cluster_that_the_demo_has_not_made_outlives_it() {
    for (cluster, setting) in [("kind", "KIND_NAME"), ("minikube", "MINIKUBE_PROFILE")] {
        let demo = existing(cluster, "theirs");
        let name = [(setting, "theirs")];

        must_succeed(&demo.run("up", &name));
        // Again, with what the first time has left in it.
        must_succeed(&demo.run("up", &[name[0], ("THERE", "namespace/shop crd/shops.shopmesh.dev")]));
        must_succeed(&demo.run("down", &[]));

        let record = demo.record();
        for forbidden in ["kind create", "kind delete", "minikube delete"] {
            assert!(!record.contains(forbidden), "{forbidden} in\n{record}");
        }
        must_hold(&record, &["helm uninstall shopmesh-operator", "kubectl delete crd shops.shopmesh.dev"]);
        assert!(!demo.has("state"));
    }
}

#[test]
fn what_a_cluster_that_the_demo_has_not_made_holds_is_neither_changed_nor_removed() {
    for (cluster, setting) in [("kind", "KIND_NAME"), ("minikube", "MINIKUBE_PROFILE")] {
        let demo = existing(cluster, "theirs");

        let refused = demo.run("up", &[(setting, "theirs"), ("THERE", "namespace/shopmesh-system")]);

        assert!(!refused.status.success(), "{cluster}");
        must_succeed(&demo.run("down", &[]));
        let record = demo.record();
        for forbidden in ["apply", "helm", "delete", " load"] {
            assert!(!record.contains(forbidden), "{forbidden} in\n{record}");
        }
    }
}

#[test]
fn the_cluster_that_goes_is_the_one_that_the_demo_has_made() {
    let demo = Demo::on("kind");
    must_succeed(&demo.run("up", &[("KIND_NAME", "ours")]));

    let refused = demo.run("up", &[("KIND_NAME", "another")]);

    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is a demo in the cluster ours already"));
    must_succeed(&demo.run("down", &[("KIND_NAME", "another")]));
    must_hold(&demo.record(), &["kind delete cluster --name ours"]);
    assert!(!demo.record().contains("another"));
}

#[test]
fn a_cluster_that_could_not_be_made_is_nothing_to_delete() {
    let demo = Demo::on("kind");

    assert!(!demo.run("up", &[("FAIL", "1")]).status.success());
    must_succeed(&demo.run("down", &[]));

    assert!(!demo.record().contains("kind delete"));
}

#[test]
fn what_a_cluster_has_already_is_neither_changed_nor_removed() {
    for there in ["namespace/shop", "namespace/shopmesh-system", "namespace/shopmesh-mongodb", "crd/shops.shopmesh.dev"]
    {
        let demo = Demo::on("current");

        let refused = demo.run("up", &[("REGISTRY", "registry.example/team"), ("THERE", there)]);

        assert!(!refused.status.success(), "{there}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains(&format!("there is a {there} in this cluster already")), "{said}");
        must_succeed(&demo.run("down", &[]));
        let record = demo.record();
        for forbidden in ["docker push", "helm", "apply", "delete"] {
            assert!(!record.contains(forbidden), "{forbidden} in\n{record}");
        }
    }
}

#[test]
fn shops_of_others_keep_their_operator() {
    let demo = Demo::on("current");
    must_succeed(&demo.run("up", &[("REGISTRY", "registry.example/team")]));

    let refused = demo.run("down", &[("SHOPS", "shop.shopmesh.dev/theirs")]);

    assert!(!refused.status.success());
    assert!(!demo.record().contains("helm uninstall"));
    must_succeed(&demo.run("down", &[]));
    must_hold(&demo.record(), &["helm uninstall shopmesh-operator", "delete crd shops.shopmesh.dev"]);
}

#[test]
fn a_demo_is_not_forgotten_over_another() {
    let kind = Demo::on("kind");
    must_succeed(&kind.run("up", &[]));

    let refused = kind.run("up", &[("CLUSTER", "minikube")]);

    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("make demo-down"));
    must_succeed(&kind.run("down", &[]));
    must_hold(&kind.record(), &["kind delete cluster"]);
}

#[test]
fn a_cluster_that_is_there_is_left_as_it_was() {
    let demo = Demo::on("current");
    let settings = [("REGISTRY", "registry.example/team"), ("MONGODB_URI", "mongodb://db.example/?replicaSet=rs0")];

    must_succeed(&demo.run("up", &settings));
    must_succeed(&demo.run("down", &settings));

    let record = demo.record();
    must_hold(
        &record,
        &[
            // Of the context of now, whatever it is later.
            "kubectl config view --minify --flatten",
            "docker push registry.example/team/shopmesh:demo-0123456789ab",
            "docker push registry.example/team/shopmesh-operator:demo-0123456789ab",
            "helm upgrade --install shopmesh-operator",
            "--from-literal=uri=mongodb://db.example/?replicaSet=rs0",
            "kubectl delete namespace shop ",
            "helm uninstall shopmesh-operator",
        ],
    );
    assert!(!record.contains("mongodb.yaml"), "a MongoDB was given: none is installed");
}

#[test]
fn what_is_missing_is_said_before_anything_is_done() {
    let demo = Demo::on("current");

    let refused = demo.run("up", &[]);

    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("CLUSTER=current needs REGISTRY"), "{said}");
    assert!(!demo.record().contains("docker build"));
}

#[test]
fn nobody_is_asked_twice_and_nothing_happens_without_a_yes() {
    let demo = Demo::on("kind");

    let refused = demo.run("up", &[("YES", "")]);

    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("set YES=1"));
    assert_eq!(demo.record(), "");
}

#[test]
fn programs_that_have_changed_have_images_of_another_name() {
    let demo = Demo::on("kind");

    must_succeed(&demo.run("up", &[]));
    must_succeed(&demo.run("up", &[("CONTENT", "ba9876543210")]));

    must_hold(
        &demo.record(),
        &[
            "image.tag=demo-0123456789ab --set-string operands.shopmesh=localhost/shopmesh:demo-0123456789ab",
            "image.tag=demo-ba9876543210 --set-string operands.shopmesh=localhost/shopmesh:demo-ba9876543210",
        ],
    );
}

#[test]
fn programs_that_have_changed_under_the_same_name_are_started_again() {
    let demo = Demo::on("local");
    let here = demo.directory.path();
    let renew = |program: &str| {
        std::fs::write(here.join("image.tar"), program).expect("a file can be written");
        let script = format!(". {}/deploy/demo/lib/renew.sh; renew_programs image.tar", root().display());
        let output = Command::new("bash")
            .args(["-euc", &format!("say() {{ :; }}; {script}")])
            .env("PATH", format!("{}:/usr/bin:/bin", here.display()))
            .env("RECORD", here.join("record"))
            .current_dir(here)
            .output()
            .expect("bash can be started");
        must_succeed(&output);
        demo.record()
    };

    for _ in 0..2 {
        assert!(!renew("one").contains("restart"), "there is nothing of before");
    }
    must_hold(
        &renew("two"),
        &[
            "kubectl -n shopmesh-system rollout restart deployment/shopmesh-operator",
            "kubectl -n shop rollout restart deployment/demo-cart",
            "kubectl -n shop rollout status deployment/demo-cart",
        ],
    );
    assert_eq!(renew("two").matches("rollout restart deployment/demo-cart").count(), 1, "only once");
}
