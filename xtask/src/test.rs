//! `cargo xtask test`: everything that runs code.

use std::process::{Command, Stdio};

use serde_json::Value;

use crate::shell::{self, Outcome};
use crate::{fuzz, setup, web};

/// The package and the name of the integration test that drives real servers and clients.
const E2E: (&str, &str) = ("passerelle", "e2e");

/// What is left out of other builds and has tests.
const FEATURES: [&str; 2] = ["--features", "xtask/bench,passerelle/otel"];

/// The same without, and for the gateway alone, where cargo cannot name both.
const OTHER_FEATURES: [&str; 2] = ["--features", "xtask/bench"];
const GATEWAY_FEATURES: [&str; 2] = ["--features", "otel"];

#[derive(Clone, Copy, PartialEq)]
enum Scope {
    All,
    Unit,
    EndToEnd,
}

struct Plan {
    scope: Scope,
    setup: bool,
    filters: Vec<String>,
    runner: Vec<String>,
}

pub(crate) fn run(args: &[String]) -> Outcome {
    let plan = plan(args)?;
    if plan.setup && plan.scope != Scope::Unit {
        setup::ensure()?;
    }
    // The fuzz smoke comes first so that the last lines are the test runner's summary, and its failure
    // is kept until then.
    let smoke = if plan.scope == Scope::All && plan.filters.is_empty() { fuzz::smoke() } else { Ok(()) };
    if let Err(error) = &smoke {
        println!("{error}");
    }
    // Not without the packages that the setup installs, npm among them.
    let whole = plan.scope == Scope::All && plan.setup && plan.filters.is_empty();
    let web = if whole { web::check() } else { Ok(()) };
    if let Err(error) = &web {
        println!("{error}");
    }
    let tests = if has_nextest() { nextest(&plan) } else { cargo_test(&plan) };
    let before = [("the fuzz smoke", smoke.is_err()), ("the check of the web application", web.is_err())];
    let failed: Vec<&str> = before.iter().filter(|(_, failed)| *failed).map(|(name, _)| *name).collect();
    let failed = failed.join(" and ");
    match (failed.as_str(), tests) {
        ("", tests) => tests,
        (failed, Ok(())) => Err(format!("the tests passed, but this failed above: {failed}")),
        (failed, Err(tests)) => Err(format!("{tests}; so did this above: {failed}")),
    }
}

fn plan(args: &[String]) -> Result<Plan, String> {
    let mut plan = Plan { scope: Scope::All, setup: true, filters: Vec::new(), runner: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--unit" if plan.scope == Scope::All => plan.scope = Scope::Unit,
            "--e2e" if plan.scope == Scope::All => plan.scope = Scope::EndToEnd,
            "--unit" | "--e2e" => return Err("--unit and --e2e exclude each other".into()),
            "--no-setup" => plan.setup = false,
            "--" => plan.runner.extend(args.by_ref().cloned()),
            flag if flag.starts_with('-') => {
                return Err(format!(
                    "there is no option `{flag}`; what is meant for the test runner goes after `--`"
                ));
            }
            filter => plan.filters.push(filter.to_owned()),
        }
    }
    Ok(plan)
}

fn has_nextest() -> bool {
    shell::cargo()
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn nextest(plan: &Plan) -> Outcome {
    // nextest does not run the examples in the documentation.
    if plan.scope != Scope::EndToEnd && plan.filters.is_empty() {
        shell::run(shell::cargo().args(["test", "--quiet", "--workspace", "--doc"]))?;
    }
    let profile = if std::env::var_os("CI").is_some() { "ci" } else { "default" };
    let mut command = shell::cargo();
    command.args(["nextest", "run", "--workspace", "--no-fail-fast", "--profile", profile]).args(FEATURES);
    let (package, test) = E2E;
    let e2e = format!("package({package}) and binary({test})");
    match plan.scope {
        Scope::All => {}
        Scope::Unit => {
            command.args(["-E", &format!("not ({e2e})")]);
        }
        Scope::EndToEnd => {
            command.args(["-E", &e2e]);
        }
    }
    shell::run(command.args(&plan.filters).args(&plan.runner))
}

fn cargo_test(plan: &Plan) -> Outcome {
    let with_filters = |mut command: Command| {
        command.arg("--").args(&plan.filters).args(&plan.runner);
        shell::run(&mut command)
    };
    let (package, test) = E2E;
    match plan.scope {
        Scope::All => {
            let mut command = shell::cargo();
            command.args(["test", "--workspace", "--no-fail-fast"]).args(FEATURES);
            with_filters(command)
        }
        Scope::EndToEnd => {
            let mut command = shell::cargo();
            command.args(["test", "--package", package, "--test", test]).args(GATEWAY_FEATURES);
            with_filters(command)
        }
        Scope::Unit => {
            // cargo cannot leave one integration test out, so the others are named.
            let mut others = shell::cargo();
            others.args(["test", "--workspace", "--no-fail-fast", "--exclude", package]).args(OTHER_FEATURES);
            let mut gateway = shell::cargo();
            gateway.args(["test", "--package", package, "--no-fail-fast", "--bins"]).args(GATEWAY_FEATURES);
            for name in integration_tests(package)?.iter().filter(|name| *name != test) {
                gateway.args(["--test", name]);
            }
            let others = with_filters(others);
            with_filters(gateway).and(others)
        }
    }
}

/// The names of a package's integration tests.
fn integration_tests(package: &str) -> Result<Vec<String>, String> {
    let json =
        shell::read(shell::cargo().args(["metadata", "--format-version", "1", "--no-deps", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&json).map_err(|error| format!("cargo metadata: {error}"))?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    Ok(list(&metadata["packages"])
        .iter()
        .filter(|candidate| candidate["name"] == package)
        .flat_map(|package| list(&package["targets"]))
        .filter(|target| list(&target["kind"]).iter().any(|kind| kind == "test"))
        .filter_map(|target| target["name"].as_str().map(str::to_owned))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Plan, String> {
        plan(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn filters_and_runner_arguments_are_told_apart() {
        let plan = parse(&["--e2e", "xvnc", "--", "--no-capture"]).unwrap();
        assert!(plan.scope == Scope::EndToEnd && plan.setup);
        assert_eq!(plan.filters, ["xvnc"]);
        assert_eq!(plan.runner, ["--no-capture"]);
    }

    #[test]
    fn what_contradicts_or_is_unknown_is_refused() {
        assert!(parse(&["--unit", "--e2e"]).is_err());
        assert!(parse(&["--everything"]).is_err());
    }
}
