//! The project's commands: `cargo xtask ci | test | web | demo | bench | fuzz`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool talks to people")]

mod bench;
mod ci;
mod demo;
mod fuzz;
mod setup;
mod shell;
mod test;
mod web;

use std::process::ExitCode;

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  ci [STEP...]         the static checks: what must hold before anything is run (--list names the steps)
  test [FILTER...]     installs what the tests need, then checks the web application and runs
                       fuzz smoke, unit, conformance and end-to-end tests
       --unit          without the end-to-end tests and the fuzz smoke; installs nothing
       --e2e           the end-to-end tests only
       --no-setup      installs nothing
       -- ARGS         are handed to the test runner
  web                  checks the web application and builds it into gateway/web/dist, which is committed
  demo [ARGS...]       builds the gateway and runs `passerelle demo ARGS`
  bench vnc [OPTIONS]  compares the gateway with no proxy, HAProxy and websockify (--help names the options)
  bench rdp [OPTIONS]  compares it with no proxy and HAProxy
  bench replay [OPTIONS]  measures recordings, views of them, seeking and the player
  bench auth [OPTIONS] measures logins, claims, the API, decisions, and memory with many targets
  fuzz [TARGET...]     fuzzes the parsers with cargo-fuzz (--list names the targets)
       --seconds N     how long, shared by all targets (default: 60)
";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let command = args.next();
    let rest: Vec<String> = args.collect();
    // Those of the benchmarks and of the gateway are told by themselves.
    let help = !matches!(command.as_deref(), Some("bench" | "demo"))
        && rest.iter().take_while(|arg| *arg != "--").any(|arg| matches!(arg.as_str(), "--help" | "-h"));
    let command = if help { Some("help".to_owned()) } else { command };
    let outcome = match command.as_deref() {
        Some("ci") => ci::run(&rest),
        Some("test") => test::run(&rest),
        Some("web") => web::run(&rest),
        Some("bench") => bench::run(&rest),
        Some("demo") => demo::run(&rest),
        Some("fuzz") => fuzz::run(&rest),
        Some("help" | "--help" | "-h") => {
            print!("{USAGE}");
            Ok(())
        }
        Some(other) => Err(format!("there is no command `{other}`\n\n{USAGE}")),
        None => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
