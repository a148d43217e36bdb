//! That what is typed is understood.

use clap::CommandFactory as _;
use clap::error::ErrorKind;

use passerelle_recorder::Lane;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definitions_are_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_help_and_every_argument_too() {
    fn look(command: &clap::Command) {
        assert!(command.get_about().is_some(), "{} has no help", command.get_name());
        for argument in command.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{} {} has no help",
                command.get_name(),
                argument.get_id()
            );
        }
        command.get_subcommands().for_each(look);
    }
    look(&Cli::command());
}

#[test]
fn every_lane_has_its_name() {
    assert_eq!(recordings::LANES.map(|(name, _)| name.to_owned()), Lane::ALL.map(|lane| lane.to_string()));
}

#[test]
fn the_configuration_can_stand_anywhere() {
    for line in
        ["passerelle --config a.yaml check", "passerelle check --config a.yaml", "passerelle check -c a.yaml"]
    {
        assert_eq!(parse(line).unwrap().config, PathBuf::from("a.yaml"), "{line}");
    }
}

#[test]
fn tickets_are_asked_for() {
    let cli = parse("passerelle ticket alice desk --life 5m --permissions view,clipboard.to_target --json")
        .unwrap();
    let Command::Ticket(args) = cli.command else { panic!("{cli:?}") };
    assert_eq!((args.technician.as_str(), args.target.as_str()), ("alice", "desk"));
    assert_eq!(args.life, Some(HumanDuration::from_secs(300)));
    assert_eq!(args.permissions, Some(vec![Permission::View, Permission::ClipboardToTarget]));
    assert!(args.output.json);
}

#[test]
fn rdp_files_are_asked_for() {
    let Command::RdpFile(args) = parse("passerelle rdp-file alice desk").unwrap().command else { panic!() };
    assert_eq!(args.output, PathBuf::from("-"));
    assert!(args.address.is_none() && args.permissions.is_none() && !args.sign);
    let line =
        "passerelle rdp-file alice desk -o d.rdp --address [::1]:3389 --life 30s --permissions view --sign";
    let Command::RdpFile(args) = parse(line).unwrap().command else { panic!() };
    assert_eq!(args.output, PathBuf::from("d.rdp"));
    assert_eq!(args.address.unwrap().to_string(), "[::1]:3389");
    assert_eq!((args.life, args.sign), (Some(HumanDuration::from_secs(30)), true));
}

#[test]
fn what_is_typed_wrong_is_refused() {
    for (line, kind) in [
        ("passerelle", ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand),
        ("passerelle serv", ErrorKind::InvalidSubcommand),
        ("passerelle ticket alice", ErrorKind::MissingRequiredArgument),
        ("passerelle ticket alice desk --life 5", ErrorKind::ValueValidation),
        ("passerelle ticket alice desk --permissions see", ErrorKind::InvalidValue),
        ("passerelle rdp-file alice", ErrorKind::MissingRequiredArgument),
        ("passerelle rdp-file alice desk --address gateway", ErrorKind::ValueValidation),
        ("passerelle recordings verify", ErrorKind::MissingRequiredArgument),
        ("passerelle recordings verify --all x", ErrorKind::ArgumentConflict),
        ("passerelle recordings cat x --raw", ErrorKind::MissingRequiredArgument),
        ("passerelle recordings cat x --lane screen", ErrorKind::InvalidValue),
        ("passerelle recordings verify x --signer nonsense", ErrorKind::ValueValidation),
        ("passerelle audit prove", ErrorKind::MissingRequiredArgument),
        ("passerelle audit prove 5 --recording x", ErrorKind::ArgumentConflict),
        ("passerelle demo --vnc 5900", ErrorKind::ValueValidation),
    ] {
        assert_eq!(parse(line).unwrap_err().kind(), kind, "{line}");
    }
}
