//! From an image to a release: the cloud, the machines, the release itself, what verifies it, and the way back.

use std::collections::BTreeMap;

use wharf_base::ids::Name;

use super::{
    Context, Job, Permission, Registry, Role, Run, Runs, Setup, Stage, Step, Triggers, Value,
    delivered, folder, images, rehearsal, release, verify,
};
use crate::model::{Cloud, Compute, Deploy, Plan, Provision, TargetKind};

/// How a pipeline reaches a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterAccess {
    /// By its role in the cloud.
    Eks {
        /// The cluster.
        cluster: String,
        /// Its region.
        region: String,
    },
    /// By a kubeconfig that is a secret of the environment: `KUBECONFIG_CONTENT`.
    Kubeconfig,
}

/// How the pipeline reaches the cluster of an environment; none: it runs on none.
#[must_use]
pub fn access(plan: &Plan) -> Option<ClusterAccess> {
    if plan.target.kind != TargetKind::Kubernetes {
        return None;
    }
    Some(match &plan.cloud {
        Some(cloud) if cloud.compute == Compute::Eks => ClusterAccess::Eks {
            cluster: cloud.nodes.cluster.clone(),
            region: cloud.region.clone(),
        },
        _ => ClusterAccess::Kubeconfig,
    })
}

/// How an environment is released: what the pipeline says, as far as it fits where the environment runs. A canary is for
/// production; where it is rehearsed nobody would be spared by it.
#[must_use]
pub fn method(plan: &Plan) -> Deploy {
    let said = plan
        .pipeline
        .as_ref()
        .map_or(Deploy::None, |pipeline| pipeline.deploy);
    match (plan.target.kind, said) {
        (_, Deploy::None) | (TargetKind::Local | TargetKind::Compose, _) => Deploy::None,
        (TargetKind::Ec2, _) => Deploy::InstanceRefresh,
        (TargetKind::Kubernetes, Deploy::InstanceRefresh) => Deploy::Helm,
        (TargetKind::Kubernetes, Deploy::Canary) if !plan.target.approval => Deploy::Kustomize,
        (TargetKind::Kubernetes, said) => said,
    }
}

/// The Deployments of an environment, by name: what has replicas between its runs.
pub fn deployments(plan: &Plan) -> impl Iterator<Item = &Name> {
    plan.services
        .iter()
        .filter(|(_, service)| service.schedule.is_none())
        .map(|(name, _)| name)
}

/// Where the project's images are pushed.
#[must_use]
pub fn registry(base: &Plan, environments: &BTreeMap<Name, Plan>) -> Registry {
    let region = environments
        .values()
        .find_map(|plan| plan.cloud.as_ref())
        .map(|cloud| cloud.region.as_str());
    Registry::of(base, region)
}

pub(super) fn jobs(context: &Context<'_>) -> Vec<Job> {
    let mut jobs = vec![];
    for (name, plan) in delivered(context.environments) {
        jobs.extend(environment(context, name, plan));
    }
    jobs
}

fn environment(context: &Context<'_>, name: &Name, plan: &Plan) -> Vec<Job> {
    let mut jobs = vec![];
    let own = plan.target.branch.clone().into_iter().collect::<Vec<_>>();
    // Where production is rehearsed, its branch is released as well.
    let mut branches = own.clone();
    for (production, other) in delivered(context.environments) {
        if rehearsal(context.environments, production) == Some(name) {
            branches.extend(other.target.branch.clone());
        }
    }
    branches.sort();
    branches.dedup();
    let images: Vec<String> = images::jobs(context)
        .into_iter()
        .map(|job| job.id)
        .collect();
    let job = |what: &str, title: String, stage: Stage, branches: &[String]| {
        let mut job = context.job(format!("{what}-{name}"), title, stage);
        job.triggers.branches = branches.to_vec();
        job.environment = Some(name.clone());
        job.permission = Permission::Cloud;
        job
    };
    let mut before = images;
    if plan.target.approval {
        let mut approve = job(
            "approve",
            format!("Approve the release to {name}"),
            Stage::Approve,
            &own,
        );
        approve.permission = Permission::Read;
        approve.needs = before;
        if let Some(rehearsed) = rehearsal(context.environments, name)
            && let Some(other) = context.environments.get(rehearsed)
            && self::method(other) != Deploy::None
        {
            approve.needs.push(format!("deploy-{rehearsed}"));
            let verified = verify::jobs(context, rehearsed, other, &[]);
            approve.needs.extend(verified.into_iter().map(|job| job.id));
        }
        before = vec![approve.id.clone()];
        jobs.push(approve);
    }
    if let (Some(tool), Some(cloud)) = (context.pipeline.provision, &plan.cloud) {
        let mut preview = job("plan", format!("Plan {name}"), Stage::Preview, &[]);
        preview.triggers = Triggers {
            pull_request: true,
            ..Triggers::default()
        };
        // Nothing is changed, so nobody has to agree.
        preview.environment = None;
        provision(context, &mut preview, tool, name, cloud, false);
        jobs.push(preview);
        let mut apply = job(
            "provision",
            format!("Provision {name}"),
            Stage::Provision,
            &own,
        );
        apply.needs.clone_from(&before);
        provision(context, &mut apply, tool, name, cloud, true);
        before.push(apply.id.clone());
        jobs.push(apply);
    }
    // The machines of an auto-scaling group are set up by their user data.
    if context.pipeline.configure
        && let Some(cloud) = &plan.cloud
        && cloud.compute != Compute::Ec2
    {
        let mut configure = job(
            "configure",
            format!("Configure {name}"),
            Stage::Configure,
            &own,
        );
        configure.needs.clone_from(&before);
        self::configure(&mut configure, name, cloud);
        before.push(configure.id.clone());
        jobs.push(configure);
    }
    let method = method(plan);
    if method == Deploy::None {
        return jobs;
    }
    let mut deploy = job(
        "deploy",
        format!("Deploy to {name}"),
        Stage::Deploy,
        &branches,
    );
    deploy.needs = before;
    reach(&mut deploy, plan);
    deploy.steps = release::release(context, name, plan, method);
    jobs.push(deploy);
    let verified = verify::jobs(context, name, plan, &branches);
    if let Some(smoke) = verified.iter().find(|job| job.stage == Stage::Smoke) {
        let mut rollback = job(
            "rollback",
            format!("Roll back {name}"),
            Stage::Rollback,
            &branches,
        );
        rollback.needs = vec![format!("deploy-{name}"), smoke.id.clone()];
        rollback.runs = Runs::WhenReleaseFails;
        reach(&mut rollback, plan);
        rollback
            .steps
            .push(Step::Run(release::back(context, name, plan, method)));
        jobs.push(rollback);
    }
    jobs.extend(verified);
    jobs
}

/// The set-up with which a job reaches what an environment runs on.
fn reach(job: &mut Job, plan: &Plan) {
    if let Some(cloud) = &plan.cloud {
        job.setup.push(Setup::Cloud {
            region: cloud.region.clone(),
            role: Role::Deploy,
        });
    }
    job.setup.extend(access(plan).map(Setup::Cluster));
}

fn provision(
    context: &Context<'_>,
    job: &mut Job,
    tool: Provision,
    name: &Name,
    cloud: &Cloud,
    apply: bool,
) {
    job.setup.push(Setup::Cloud {
        region: cloud.region.clone(),
        role: if apply {
            Role::Provision
        } else {
            Role::Preview
        },
    });
    match tool {
        Provision::Terraform => {
            let folder = folder("terraform", Some(name));
            job.setup
                .push(Setup::Terraform(context.version("terraform", "1.6.0")));
            let run = |title: &str, script: &str| {
                Step::Run(
                    Run::new(title, script)
                        .within(&folder)
                        .with("TF_IN_AUTOMATION", Value::Text("true".to_owned())),
                )
            };
            job.steps.push(run(
                "Check",
                "terraform fmt -check -recursive\nterraform init -input=false\nterraform validate",
            ));
            if apply {
                job.steps.push(run(
                    "Plan",
                    "terraform plan -input=false -lock-timeout=5m -out=release.tfplan",
                ));
                job.steps.push(run(
                    "Apply",
                    "terraform apply -input=false -lock-timeout=5m release.tfplan",
                ));
            } else {
                // Somebody else may be applying: a preview does not wait for the lock. It compares with the state, because its
                // role may not read the secrets that a refresh would ask for.
                job.steps.push(run(
                    "Plan",
                    "terraform plan -input=false -refresh=false -lock=false",
                ));
            }
        }
        Provision::Cloudformation => {
            let stack = &cloud.stacks.infrastructure;
            let only = if apply {
                ""
            } else {
                " \\\n  --no-execute-changeset"
            };
            let script = format!(
                "aws cloudformation deploy --stack-name {stack} --template-file main-template.yaml \\\n  --parameter-overrides file://parameters.json --capabilities CAPABILITY_NAMED_IAM \\\n  --disable-rollback --no-fail-on-empty-changeset{only}"
            );
            let title = if apply { "Deploy" } else { "Make a change set" };
            let folder = folder("cloudformation", Some(name));
            job.steps
                .push(Step::Run(Run::new(title, script).within(&folder)));
        }
    }
}

fn configure(job: &mut Job, name: &Name, cloud: &Cloud) {
    job.setup.push(Setup::Cloud {
        region: cloud.region.clone(),
        role: Role::Deploy,
    });
    let folder = folder("ansible", Some(name));
    job.steps.push(Step::Run(
        Run::new(
            "Install",
            "ansible-galaxy collection install --requirements-file requirements.yml",
        )
        .within(&folder),
    ));
    let mut run = Run::new(
        "Configure",
        "umask 077\nkept=$(mktemp -d)\ntrap 'rm -rf \"$kept\"' EXIT\nprintf '%s' \"$ANSIBLE_VAULT_PASSWORD\" > \"$kept/vault\"\nprintf '%s\\n' \"$ANSIBLE_SSH_KEY\" > \"$kept/key\"\nansible-playbook --inventory inventory/hosts.ini --vault-password-file \"$kept/vault\" --private-key \"$kept/key\" playbook.yml",
    )
    .within(&folder)
    // A machine is known from the first time on that it is seen.
    .with(
        "ANSIBLE_SSH_COMMON_ARGS",
        Value::Text("-o StrictHostKeyChecking=accept-new".to_owned()),
    );
    for secret in ["ANSIBLE_VAULT_PASSWORD", "ANSIBLE_SSH_KEY"] {
        run = run.with(secret, Value::Secret(secret.to_owned()));
    }
    let addresses = match cloud.compute {
        Compute::Nodes => (1..=cloud.nodes.desired.max(1))
            .map(|number| format!("NODE_{number}_ADDRESS"))
            .collect(),
        Compute::Eks | Compute::Ec2 => vec!["MANAGER_ADDRESS".to_owned()],
    };
    for address in addresses {
        run = run.with(&address, Value::Setting(address.clone()));
    }
    job.steps.push(Step::Run(run));
}
