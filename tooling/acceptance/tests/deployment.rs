//! The deployment files that `prism generate --deploy` makes: what the tools' own linters say, and
//! whether the proxy takes what they give it.
#![allow(clippy::unwrap_used, clippy::print_stderr)]

#[path = "support/deploy.rs"]
mod deploy;
mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use prism_acceptance::proxy::{self, Proxy};
use prism_acceptance::tools::{self, Tool};
use prism_postgres::{Setup, Shutdown};
use prism_runtime::codegen::Client;
use serde_json::Value;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// A key as `openssl rand -base64 32` makes one.
const TOKEN_KEY: &str = "3q2+796tvu/erb7v3q2+796tvu/erb7v3q2+796tvu8=";

fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    (output.status.success(), said(&output))
}

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// A linter: a program beside the Python of their environment.
fn linter(python: &Path, program: &str) -> Command {
    Command::new(python.with_file_name(program))
}

/// A file of `generated/deploy` with a text in place of another.
fn spoilt(folder: &Path, name: &str, right: &str, wrong: &str) -> PathBuf {
    let text = deploy::text(name);
    assert!(text.contains(right), "{name} has no {right}");
    let path = folder.join(Path::new(name).file_name().unwrap());
    fs::write(&path, text.replace(right, wrong)).unwrap();
    path
}

#[test]
fn hadolint_finds_nothing_in_the_dockerfile() {
    let Some(python) = Tool::Linters.for_test() else { return };
    let hadolint = |file: &Path| run(linter(&python, "hadolint").arg("--no-color").arg(file));
    let (passed, said) = hadolint(&deploy::path("Dockerfile"));
    assert!(passed && said.is_empty(), "{said}");

    let scratch = tempfile::tempdir().unwrap();
    let wrong = spoilt(scratch.path(), "Dockerfile", "EXPOSE 8980", "EXPOSE 89800");
    let (passed, said) = hadolint(&wrong);
    assert!(!passed && said.contains("DL3011"), "{said}");
}

#[test]
fn the_manifests_are_valid_kubernetes() {
    let Some(python) = Tool::Linters.for_test() else { return };
    // The oldest that the sleep before the end needs, and the newest that the linter knows.
    let validate = |file: &Path, version: &str| {
        let mut command = linter(&python, "kubernetes-validate");
        run(command.args(["--strict", "--kubernetes-version", version]).arg(file))
    };
    for version in ["1.30.0", "1.37.0"] {
        for (name, objects) in [("config", 3), ("migration", 1), ("proxy", 5)] {
            let (passed, said) =
                validate(&deploy::path(&format!("kubernetes/{name}.yaml")), version);
            assert!(passed, "{name} for {version}: {said}");
            assert_eq!(said.matches(" passed for resource ").count(), objects, "{said}");
        }
    }
    let scratch = tempfile::tempdir().unwrap();
    let (right, wrong) = ("terminationGracePeriodSeconds", "terminationGraceSeconds");
    let wrong = spoilt(scratch.path(), "kubernetes/proxy.yaml", right, wrong);
    let (passed, said) = validate(&wrong, "1.37.0");
    assert!(!passed && said.contains("terminationGraceSeconds"), "{said}");
}

#[test]
fn the_compose_file_follows_the_compose_specification() {
    let Some(python) = Tool::Linters.for_test() else { return };
    let validate = |file: &Path| {
        let mut command = linter(&python, "check-jsonschema");
        run(command.args(["--builtin-schema", "vendor.compose-spec"]).arg(file))
    };
    let (passed, said) = validate(&deploy::path("docker-compose.yml"));
    assert!(passed, "{said}");
    let scratch = tempfile::tempdir().unwrap();
    let wrong = spoilt(scratch.path(), "docker-compose.yml", "stop_grace_period", "stop_period");
    let (passed, said) = validate(&wrong);
    assert!(!passed && said.contains("stop_period"), "{said}");
}

#[test]
fn systemd_verifies_the_unit() {
    let scratch = tempfile::tempdir().unwrap();
    let binary = proxy::executable().unwrap().display().to_string();
    let verify = |right: &str, wrong: &str| {
        let path = spoilt(scratch.path(), "systemd/prism-proxy.service", right, wrong);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("/usr/local/bin/prism-proxy --", &format!("{binary} --")))
            .unwrap();
        Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output()
    };
    let Ok(output) = verify("DynamicUser=yes", "DynamicUser=yes") else {
        eprintln!("SKIPPED: systemd-analyze is not on this machine");
        return;
    };
    let text = said(&output);
    assert!(output.status.success() && !text.contains("prism-proxy"), "{text}");
    let text = said(&verify("DynamicUser=yes", "DynamicUsr=yes").unwrap());
    assert!(text.contains("DynamicUsr"), "{text}");
}

/// The pieces that agree with each other only because somebody took care.
#[test]
fn what_stops_a_proxy_waits_until_it_has_drained() {
    let settings: Value = serde_saphyr::from_str(&deploy::text("prism.yaml")).unwrap();
    let drain = settings["server"]["drain_seconds"].as_u64().unwrap();
    let seconds = |text: &str| text.trim_end_matches('s').parse::<u64>().unwrap();

    let pod = &deploy::object("Deployment")["spec"]["template"]["spec"];
    let sleep = &pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"];
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > sleep.as_u64().unwrap() + drain, "{grace}");

    let compose = &deploy::documents("docker-compose.yml")[0];
    let grace = compose["services"]["proxy"]["stop_grace_period"].as_str().unwrap();
    assert!(seconds(grace) > drain, "{grace}");

    let settings: Value = serde_saphyr::from_str(&deploy::text("systemd/prism.yaml")).unwrap();
    let drain = settings["server"]["drain_seconds"].as_u64().unwrap();
    assert!(seconds(&deploy::unit("TimeoutStopSec")) > drain);
    assert_eq!(deploy::unit("KillSignal"), "SIGTERM");
    assert!(deploy::text("Dockerfile").contains("\nSTOPSIGNAL SIGTERM\n"));
}

#[test]
fn the_manifests_name_each_other() {
    let settings = deploy::object("ConfigMap")["data"]["prism.yaml"].as_str().unwrap().to_owned();
    let (_, file) = deploy::text("prism.yaml").split_once('\n').map(own).unwrap();
    assert_eq!(settings, file, "the ConfigMap holds prism.yaml");

    let label = &deploy::object("Deployment")["spec"]["template"]["metadata"]["labels"];
    let label = &label["app.kubernetes.io/name"];
    for service in deploy::objects("Service") {
        assert_eq!(service["spec"]["selector"]["app.kubernetes.io/name"], *label);
    }
    let job = &deploy::object("Job")["spec"]["template"]["metadata"]["labels"];
    assert_ne!(job["app.kubernetes.io/name"], *label, "a Job is sent no calls");
    for kind in ["PodDisruptionBudget", "Deployment"] {
        let selector = &deploy::object(kind)["spec"]["selector"]["matchLabels"];
        assert_eq!(selector["app.kubernetes.io/name"], *label, "{kind}");
    }
    for pod in deploy::pods() {
        let spec = &pod["spec"];
        assert_eq!(spec["enableServiceLinks"], false, "they would be taken for settings");
        assert_eq!(
            spec["serviceAccountName"],
            deploy::object("ServiceAccount")["metadata"]["name"]
        );
        assert_eq!(spec["volumes"][0]["configMap"]["name"], "prism-proxy");
        let container = &spec["containers"][0];
        assert_eq!(container["volumeMounts"][0]["mountPath"], "/etc/prism-proxy");
        let images =
            [&container["image"], &deploy::documents("docker-compose.yml")[0]["x-proxy"]["image"]];
        assert_eq!(images[0], images[1]);
    }
    for file in deploy::words(&deploy::documents("kubernetes/kustomization.yaml")[0]["resources"]) {
        deploy::path(&format!("kubernetes/{file}"));
    }
}

/// The rules of the profile, for a pod with one container.
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>
#[test]
fn pods_keep_to_the_restricted_profile() {
    for pod in deploy::pods() {
        let (spec, container) = (&pod["spec"], &pod["spec"]["containers"][0]);
        assert_eq!(spec["containers"].as_array().unwrap().len(), 1);
        assert_eq!(spec["securityContext"]["runAsNonRoot"], true);
        assert_eq!(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        let context = &container["securityContext"];
        assert_eq!(context["allowPrivilegeEscalation"], false);
        assert_eq!(deploy::words(&context["capabilities"]["drop"]), ["ALL"]);
        assert_eq!(context["readOnlyRootFilesystem"], true);
        for volume in spec["volumes"].as_array().unwrap() {
            assert!(volume["configMap"].is_object(), "{volume}");
        }
        // The user that the image has.
        let user = &spec["securityContext"]["runAsUser"];
        assert!(deploy::text("Dockerfile").contains(&format!("\nUSER {user}:{user}\n")));
    }
}

/// Docker itself is not here; what the image is built by is.
#[test]
fn the_image_is_built_from_a_package_that_is_there() {
    let text = deploy::text("Dockerfile").replace("\\\n", " ");
    let line = text.lines().find(|line| line.contains("cargo build")).unwrap();
    let after = |flag: &str| {
        let mut words = line.split_whitespace().skip_while(|word| *word != flag);
        words.nth(1).unwrap_or_else(|| panic!("no {flag}")).to_owned()
    };
    assert!(line.contains(" --release ") && line.contains(" --locked "), "{line}");
    // The context is the one that the compose file names.
    let build = &deploy::documents("docker-compose.yml")[0]["x-proxy"]["build"];
    let context = deploy::path("").join(build["context"].as_str().unwrap());
    assert!(context.join(build["dockerfile"].as_str().unwrap()).is_file());
    assert!(context.join("Cargo.lock").is_file());
    let metadata = tools::cargo()
        .args(["metadata", "--no-deps", "--locked", "--format-version", "1"])
        .args(["--manifest-path", &after("--manifest-path")])
        .current_dir(&context)
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&metadata.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let targets = packages.iter().flat_map(|package| package["targets"].as_array().unwrap());
    let mut binaries = targets.filter(|target| target["kind"][0] == "bin");
    assert!(binaries.any(|target| target["name"] == after("--bin")));
    for copied in text.lines().filter(|line| line.starts_with("COPY generated/")) {
        assert!(context.join(copied.split(' ').nth(1).unwrap()).is_file(), "{copied}");
    }
}

fn own((head, rest): (&str, &str)) -> (String, String) {
    (head.to_owned(), rest.to_owned())
}

/// What a container is given, started as the image starts it; `more` comes after the entry point.
fn container(folder: &Path, more: &[String]) -> Command {
    let line = [deploy::dockerfile("ENTRYPOINT"), more.to_vec()].concat();
    deploy::command(&line, "prism.yaml", folder)
}

/// The token keys as the compose file gives them.
fn token_keys() -> String {
    let compose = &deploy::documents("docker-compose.yml")[0];
    let value = compose["x-proxy"]["environment"]["PRISM_SERVER__TOKEN_KEYS"].as_str().unwrap();
    value.replace("${TOKEN_KEY:?see the head of this file}", TOKEN_KEY)
}

#[test]
fn a_container_without_token_keys_is_refused_and_one_with_them_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (started, said) = run(&mut container(folder.path(), &[]));
    assert!(!started && said.contains("server.token_keys is needed"), "{said}");

    // An address that no machine has: everything before the socket was in order.
    let mut command = container(folder.path(), &[]);
    command.env("PRISM_SERVER__LISTEN", "192.0.2.1:8980");
    let (started, said) = run(command.env("PRISM_SERVER__TOKEN_KEYS", token_keys()));
    assert!(!started && said.contains("192.0.2.1:8980"), "{said}");
}

/// A container's proxy on loopback: tests listen nowhere else.
fn serve(mut command: Command, folder: &Path) -> Proxy {
    command
        .env("PRISM_SERVER__LISTEN", "127.0.0.1:0")
        .env("PRISM_SERVER__TOKEN_KEYS", token_keys());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    Proxy::spawn(command, folder).unwrap()
}

/// The names that the probes of the Deployment ask for.
fn probed() -> Vec<(&'static str, String)> {
    let container = &deploy::object("Deployment")["spec"]["template"]["spec"]["containers"][0];
    let probes = ["startupProbe", "readinessProbe", "livenessProbe"];
    probes
        .map(|probe| {
            assert_eq!(container[probe]["grpc"]["port"], container["ports"][0]["containerPort"]);
            let service = container[probe]["grpc"]["service"].as_str();
            (probe, service.unwrap_or_default().to_owned())
        })
        .to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_probes_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = serve(container(folder.path(), &[]), folder.path());
    let client = Client::connect(proxy.uri()).await.unwrap();
    for (probe, service) in probed() {
        assert_eq!(status(&client, &service).await, "SERVING", "{probe} {service}");
    }
}

/// What the health service answers for a name.
async fn status(client: &Client, service: &str) -> &'static str {
    let request = HealthCheckRequest { service: service.to_owned() };
    let path = "/grpc.health.v1.Health/Check";
    let answer = client.unary::<_, HealthCheckResponse>(path, request).await;
    let answer = answer.unwrap_or_else(|error| panic!("{service}: {error}"));
    answer.into_inner().status().as_str_name()
}

/// Readiness follows the database; liveness does not, as a restart would not bring it back.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn readiness_follows_the_database_and_liveness_does_not() {
    let Some(mut cluster) = prism_postgres::cluster_for_test(|_| Setup::default()) else { return };
    let url = cluster.create_database("prism").unwrap().url();
    let folder = tempfile::tempdir().unwrap();
    migrate(&url, folder.path());
    let mut command = container(folder.path(), &[]);
    command.env("DATABASE_URL", &url);
    let proxy = serve(command, folder.path());
    let client = Client::connect(proxy.uri()).await.unwrap();
    cluster.stop(Shutdown::Fast).unwrap();
    let [_, readiness, liveness] = &probed()[..] else { panic!("three probes") };
    let gone = tokio::time::timeout(Duration::from_secs(30), async {
        while status(&client, &readiness.1).await == "SERVING" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    gone.await.unwrap();
    assert_eq!(status(&client, &liveness.1).await, "SERVING");
    let line = deploy::dockerfile("HEALTHCHECK");
    let mut check = deploy::command(&line, "prism.yaml", folder.path());
    let (healthy, text) = run(check.arg(proxy.address().to_string()));
    assert!(!healthy && text.contains("NOT_SERVING"), "{text}");
}

/// Runs the migration as the manifests do, twice: the second one finds nothing to do.
fn migrate(url: &str, folder: &Path) {
    let job = &deploy::object("Job")["spec"]["template"]["spec"]["containers"][0];
    let arguments = deploy::words(&job["args"]);
    let compose = &deploy::documents("docker-compose.yml")[0];
    assert_eq!(arguments, deploy::words(&compose["services"]["migration"]["command"]));
    for _ in 0..2 {
        let mut command = container(folder, &arguments);
        command.env("DATABASE_URL", url).env("PRISM_SERVER__TOKEN_KEYS", token_keys());
        let (migrated, text) = run(&mut command);
        assert!(migrated, "{text}");
    }
}

#[test]
fn proxies_wait_for_the_migration() {
    let Some(database) = prism_postgres::for_test() else { return };
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut command = container(folder.path(), &[]);
        command.env("DATABASE_URL", database.url());
        command
    };
    let mut early = start();
    early.env("PRISM_SERVER__LISTEN", "127.0.0.1:0").env("PRISM_SERVER__TOKEN_KEYS", token_keys());
    let (started, text) = run(&mut early);
    assert!(!started && text.contains("migrat"), "{text}");
    migrate(&database.url(), folder.path());
    assert_eq!(serve(start(), folder.path()).stop().unwrap().0, Some(0));
}

#[test]
fn the_image_checks_its_own_health() {
    let folder = tempfile::tempdir().unwrap();
    let proxy = serve(container(folder.path(), &[]), folder.path());
    let check = || {
        let line = deploy::dockerfile("HEALTHCHECK");
        let mut command = deploy::command(&line, "prism.yaml", folder.path());
        // What the image does not know either: the port of this test.
        command.env("PRISM_SERVER__LISTEN", format!("0.0.0.0:{}", proxy.address().port()));
        command
    };
    let (healthy, text) = run(&mut check());
    assert!(healthy && text.is_empty(), "{text}");
    let mut elsewhere = check();
    elsewhere.arg(proxy.address().to_string()).env("PRISM_SERVER__LISTEN", "127.0.0.1:1");
    assert!(run(&mut elsewhere).0, "an address that is given is the one that is asked");

    let mut after = check();
    assert_eq!(proxy.stop().unwrap().0, Some(0));
    let output = after.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = said(&output);
    assert!(text.starts_with("error: ") && text.lines().count() == 1, "{text}");
}

#[test]
fn the_unit_serves_from_its_state_directory() {
    let folder = tempfile::tempdir().unwrap();
    let line: Vec<String> = deploy::unit("ExecStart").split(' ').map(str::to_owned).collect();
    let mut command = deploy::command(&line, "systemd/prism.yaml", folder.path());
    command.env("PRISM_SERVER__LISTEN", "127.0.0.1:0").stdin(Stdio::null()).stdout(Stdio::null());
    let proxy = Proxy::spawn(command, folder.path()).unwrap();
    assert!(folder.path().join("prism.db").exists());
    assert_eq!(proxy.stop().unwrap().0, Some(0));
}
