//! `cargo xtask ci`: what must hold before anything is run.

mod deny;
mod layers;
mod sources;

use crate::shell::{self, Outcome};

struct Step {
    name: &'static str,
    /// What the step promises.
    promise: &'static str,
    run: fn() -> Outcome,
}

/// Quick steps first: whoever broke something simple hears of it at once.
const STEPS: &[Step] = &[
    Step { name: "sources", promise: "files are short and finished", run: sources::check },
    Step { name: "layers", promise: "crates depend on each other only as agreed", run: layers::check },
    Step { name: "fmt", promise: "the code is formatted", run: fmt },
    Step {
        name: "deny",
        promise: "licences, sources and advisories of dependencies are in order",
        run: deny::check,
    },
    Step { name: "clippy", promise: "the lints are obeyed", run: clippy },
    Step { name: "doc", promise: "the documentation builds without a warning", run: doc },
];

pub(crate) fn run(args: &[String]) -> Outcome {
    if args.iter().any(|arg| arg == "--list") {
        for step in STEPS {
            println!("{:8} {}", step.name, step.promise);
        }
        return Ok(());
    }
    if let Some(unknown) = args.iter().find(|arg| STEPS.iter().all(|step| step.name != arg.as_str())) {
        return Err(format!("there is no step `{unknown}`; `cargo xtask ci --list` names them"));
    }
    let mut failed = Vec::new();
    for step in STEPS.iter().filter(|step| args.is_empty() || args.iter().any(|arg| arg == step.name)) {
        let start = shell::now();
        let outcome = (step.run)();
        let time = shell::seconds(start.elapsed());
        match outcome {
            Ok(()) => println!("ci {:8} ok      {time:>8}  {}", step.name, step.promise),
            Err(message) => {
                println!("{message}");
                println!("ci {:8} FAILED  {time:>8}  repeat it with: cargo xtask ci {0}", step.name);
                failed.push(step.name);
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "{} of the checks failed; repeat them with: cargo xtask ci {}",
            failed.len(),
            failed.join(" ")
        ))
    }
}

fn fmt() -> Outcome {
    shell::run(shell::cargo().args(["fmt", "--all", "--check"]))
        .map_err(|error| format!("{error}\n`cargo fmt --all` mends it"))
}

fn clippy() -> Outcome {
    let clippy = |packages: &[&str]| {
        let mut command = shell::cargo();
        command.args(["clippy", "--quiet"]).args(packages).args(["--all-targets", "--", "-D", "warnings"]);
        shell::run(&mut command)
    };
    clippy(&["--workspace", "--features", "xtask/bench"])?;
    // What is left out of most builds.
    clippy(&["--package", "passerelle", "--features", "otel"])
}

fn doc() -> Outcome {
    shell::run(
        shell::cargo()
            .args(["doc", "--quiet", "--workspace", "--no-deps", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    )
}
